import Devices
import Glibc
import Hub
import NGSI
import NIOCore
import NIOHTTP1
import Store

/// A request to the NGSI-LD API, apart from the server that carries it.
public struct APIRequest: Sendable {
  public var method: HTTPMethod
  /// Path below `/ngsi-ld/v1`, percent-encoded, without the query.
  public var path: Substring
  /// Text after `?`, percent-encoded.
  public var query: Substring
  public var headers: HTTPHeaders
  public var body: ByteBuffer
  /// Address of the one who asks, as far as it is known.
  public var remote: String?
  /// Who asks, proved by a certificate of the city's authority; `nil` when no certificate came, or over plain TCP.
  public var peer: PeerIdentity?
  /// Who asks, where that was told already.
  var caller: Caller?
  /// What is left of the caller's requests, where they are counted.
  var quota: RateLimiter.Outcome?

  public init(
    method: HTTPMethod, path: Substring, query: Substring = "", headers: HTTPHeaders = HTTPHeaders(),
    body: ByteBuffer = ByteBuffer()
  ) {
    self.method = method
    self.path = path
    self.query = query
    self.headers = headers
    self.body = body
  }
}

/// The answer to an ``APIRequest``.
public struct APIResponse: Sendable {
  public var status: Int
  public var headers: HTTPHeaders
  public var body: [UInt8]

  public init(status: Int, headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = []) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  static let noContent = APIResponse(status: 204)

  /// Makes it the answer to a HEAD request: the headers, `Content-Length` included, without the body.
  mutating func leaveOutBody() {
    headers.replaceOrAdd(name: "Content-Length", value: String(body.count))
    body = []
  }
}

/// Header names that the binding reads and writes (clause 6.3).
enum HeaderName {
  static let accept = "Accept"
  /// Who may do what here: `open` where everybody may do everything.
  static let access = "Madang-Access"
  static let allow = "Allow"
  static let contentRange = "Content-Range"
  static let contentType = "Content-Type"
  static let entityMap = "NGSILD-EntityMap"
  static let host = "Host"
  static let link = "Link"
  static let location = "Location"
  static let prefer = "Prefer"
  static let preferenceApplied = "Preference-Applied"
  static let resultsCount = "NGSILD-Results-Count"
  static let retryAfter = "Retry-After"
  static let snapshot = "NGSILD-Snapshot"
  static let tenant = "NGSILD-Tenant"
  static let via = "Via"
  static let warning = "NGSILD-Warning"
}

extension HTTPHeaders {
  /// The first value under a name; setting replaces all.
  subscript(first name: String) -> String? {
    get { first(name: name) }
    set {
      if let newValue { replaceOrAdd(name: name, value: newValue) } else { remove(name: name) }
    }
  }
}

/// Percent-decoding that refuses broken escapes and bytes that are not UTF-8.
enum PercentCoding {
  static func decode(_ text: Substring, plusIsSpace: Bool) throws(Problem) -> String {
    let utf8 = text.utf8
    guard utf8.has(UInt8(ascii: "%")) || utf8.has(UInt8(ascii: "+")) else { return String(text) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(utf8.count)
    var position = utf8.startIndex
    while position < utf8.endIndex {
      let byte = utf8[position]
      position = utf8.index(after: position)
      if byte == UInt8(ascii: "%") {
        guard let end = utf8.index(position, offsetBy: 2, limitedBy: utf8.endIndex),
          let value = UInt8(String(text[position..<end]), radix: 16)
        else { throw .badRequest("the URL has a broken percent escape") }
        bytes.append(value)
        position = end
      } else {
        bytes.append(plusIsSpace && byte == UInt8(ascii: "+") ? 0x20 : byte)
      }
    }
    guard let decoded = String(validating: bytes, as: UTF8.self) else {
      throw .badRequest("the URL holds bytes that are not UTF-8")
    }
    return decoded
  }

  /// Encodes everything but the unreserved characters of RFC 3986 and a few that read well in a query.
  static func encode(_ text: String) -> String {
    var bytes: [UInt8] = []
    let hex = Array("0123456789ABCDEF".utf8)
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"), UInt8(ascii: ":"), UInt8(ascii: "/"), UInt8(ascii: ","):
        bytes.append(byte)
      default: bytes += [UInt8(ascii: "%"), hex[Int(byte >> 4)], hex[Int(byte & 15)]]
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// Decoded query parameters in the order they came.
struct QueryItems {
  private(set) var items: [(name: String, value: String)] = []

  static let maxItems = 200

  init(_ query: Substring) throws(Problem) {
    guard !query.isEmpty else { return }
    for pair in query.split(separator: "&", omittingEmptySubsequences: true) {
      guard items.count < Self.maxItems else {
        throw .badRequest("at most \(Self.maxItems) query parameters are taken")
      }
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = try PercentCoding.decode(parts[0], plusIsSpace: true)
      // Form encoding writes a space as '+'; in a scope '+' is the wildcard and in a time it is the offset.
      let literalPlus = name == "scopeQ" || name.hasSuffix("At") || name == "observedAt"
      let value = parts.count > 1 ? try PercentCoding.decode(parts[1], plusIsSpace: !literalPlus) : ""
      items.append((name, value))
    }
  }

  subscript(_ name: String) -> String? { items.first { $0.name == name }?.value }

  /// The comma-separated members of a parameter, over all its occurrences; `nil` when it is absent.
  ///
  /// - Throws: when it is present but has no member.
  func list(_ name: String) throws(Problem) -> [String]? {
    var members: [String] = []
    var present = false
    for item in items where item.name == name {
      present = true
      members += item.value.split(separator: ",").map { String($0).trimmingSpaces }
    }
    guard present else { return nil }
    guard !members.isEmpty, !members.contains("") else { throw .badRequest("the parameter '\(name)' is empty") }
    return members
  }

  func flag(_ name: String) throws(Problem) -> Bool {
    switch self[name] {
    case nil, "false": return false
    case "true": return true
    case let other?: throw .badRequest("'\(name)' must be true or false, found '\(other.prefix(40))'")
    }
  }

  func integer(_ name: String, in range: ClosedRange<Int>) throws(Problem) -> Int? {
    guard let text = self[name] else { return nil }
    guard let value = Int(text), range.contains(value) else {
      throw .badRequest(
        "'\(name)' must be a whole number from \(range.lowerBound) to \(range.upperBound), found '\(text.prefix(40))'")
    }
    return value
  }

  /// The query text again without some parameters, for links to other pages.
  func encoded(without names: Set<String>) -> String {
    items.filter { !names.contains($0.name) }
      .map { PercentCoding.encode($0.name) + "=" + PercentCoding.encode($0.value) }
      .joined(separator: "&")
  }
}

/// As the collection's own methods, in a third of the time: these run several times with every request.
extension Collection<UInt8> {
  func begins(with text: StaticString) -> Bool {
    let text = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    let begins = withContiguousStorageIfAvailable { bytes in
      guard bytes.count >= text.count, let start = bytes.baseAddress, let other = text.baseAddress else {
        return text.isEmpty
      }
      return memcmp(start, other, text.count) == 0
    }
    return begins ?? starts(with: text)
  }

  func has(_ byte: UInt8) -> Bool {
    let isFound = withContiguousStorageIfAvailable { bytes in
      bytes.baseAddress.map { memchr($0, Int32(byte), bytes.count) != nil } ?? false
    }
    return isFound ?? contains(byte)
  }
}

extension String {
  var trimmingSpaces: String {
    guard let first = firstIndex(where: { $0 != " " }), let last = lastIndex(where: { $0 != " " }) else { return "" }
    return String(self[first...last])
  }
}
