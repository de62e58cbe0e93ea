import NGSI

/// Where a handset says it is while its owner calls for help: the text message of ETSI TS 103 625 (Advanced Mobile Location),
/// versions 1 and 2.
///
/// ```
/// A"ML=1;lt=+54.76397;lg=-0.18305;rd=50;top=20130717141935;lc=90;pm=W;si=123456789012345;ei=…;mcc=234;mnc=30;ml=128
/// ```
///
/// Identifiers of the handset and of its owner (IMSI, IMEI) are not kept: nothing here needs them.
public struct AdvancedMobileLocation: Sendable, Hashable {
  public enum Method: String, Sendable, Hashable {
    case satellites = "G"
    case wirelessNetworks = "W"
    case cell = "C"
    case notLocated = "N"
    case unknown = "U"
  }

  public let version: Int
  /// `nil` where the handset could not find out.
  public let position: Position?
  public let locatedAt: DateTime?
  public let method: Method

  /// A message has at most 160 characters, or a few of those put together.
  private static let longest = 700

  /// - Throws: `BadRequestData` for what is no such message.
  public init(message: String) throws(Problem) {
    guard message.utf8.count <= Self.longest else {
      throw .badRequest("an AML message has at most \(Self.longest) bytes")
    }
    let parts = message.split(separator: ";")
    guard let head = parts.first, head.hasPrefix("A\"ML="), let version = Int(head.dropFirst(5)),
      version == 1 || version == 2
    else { throw .badRequest("an AML message begins with A\"ML=1 or A\"ML=2") }
    var members: [String: String] = [:]
    for part in parts.dropFirst() {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard pair.count == 2 else { throw .badRequest("'\(part.prefix(40))' is no name=value of an AML message") }
      members[String(pair[0])] = String(pair[1])
    }
    self.version = version
    func number(_ text: some StringProtocol) -> Double? {
      Double(text.hasPrefix("+") ? String(text.dropFirst()) : String(text))
    }
    let confidence = members["lc"].flatMap { Int($0) }.flatMap { (1...100).contains($0) ? $0 : nil }
    let (place, radius): ((Double?, Double?), Double?)
    if version == 1 {
      (place, radius) = (
        (members["lg"].flatMap { number($0) }, members["lt"].flatMap { number($0) }),
        members["rd"].flatMap { number($0) }
      )
      method = members["pm"].flatMap(Method.init(rawValue:)) ?? .unknown
      locatedAt = members["top"].flatMap(Self.time)
    } else {
      let numbers = (members["lo"] ?? "").split(separator: ",").map { number($0) }
      (place, radius) = (
        (numbers.count > 1 ? numbers[1] : nil, numbers.first ?? nil), numbers.count > 2 ? numbers[2] : nil
      )
      method = members["ls"].flatMap(Method.init(rawValue:)) ?? .unknown
      // Milliseconds after the beginning of the call, in seconds since 1970.
      let call = members["et"].flatMap { number($0) }
      locatedAt = call.flatMap { begun in
        guard begun.isFinite, abs(begun) < 1e11 else { return nil }
        let after = members["lt"].flatMap { number($0) } ?? 0
        return abs(after) < 1e9 ? DateTime(secondsSince1970: begun + after / 1000) : nil
      }
    }
    guard let longitude = place.0, let latitude = place.1, method != .notLocated else {
      position = nil
      return
    }
    position = Position(longitude: longitude, latitude: latitude, uncertainty: radius, confidence: confidence)
  }

  /// `yyyyMMddHHmmss`, UTC.
  private static func time(_ text: String) -> DateTime? {
    guard text.count == 14, text.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
    let digits = text.compactMap(\.wholeNumberValue)
    func part(_ range: Range<Int>) -> Int { digits[range].reduce(0) { $0 * 10 + $1 } }
    return DateTime(
      year: part(0..<4), month: part(4..<6), day: part(6..<8), hour: part(8..<10), minute: part(10..<12),
      second: part(12..<14))
  }
}
