/// Parameters of a query or of a form (`application/x-www-form-urlencoded`), in order; bounded.
struct Form: Sendable, Hashable {
  static let mostBytes = 64 << 10
  static let mostItems = 100

  private(set) var items: [(name: String, value: String)] = []
  /// A name that came more than once, which no request of OAuth may have (RFC 6749 sections 3.1 and 3.2).
  private(set) var repeated: String?

  init() {}

  /// `nil` when it is too long, or is no text.
  init?(_ text: some StringProtocol) {
    guard text.utf8.count <= Self.mostBytes else { return nil }
    var seen: Set<String> = []
    for pair in text.split(separator: "&") {
      guard items.count < Self.mostItems else { return nil }
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = Self.decode(parts[0]), let value = Self.decode(parts.count > 1 ? parts[1] : "") else {
        return nil
      }
      if !seen.insert(name).inserted { repeated = name }
      items.append((name, value))
    }
  }

  /// The value of a name; `nil` also for an empty one, which counts as left out (RFC 6749 section 3.1).
  subscript(name: String) -> String? { items.first { $0.name == name && !$0.value.isEmpty }?.value }

  /// All values of a name that may come several times (`resource`, RFC 8707).
  func all(_ name: String) -> [String] { items.filter { $0.name == name && !$0.value.isEmpty }.map(\.value) }

  static func == (left: Form, right: Form) -> Bool {
    left.items.map(\.name) == right.items.map(\.name) && left.items.map(\.value) == right.items.map(\.value)
  }

  func hash(into hasher: inout Hasher) { for item in items { hasher.combine(item.name) } }

  /// - Throws: `invalid_request` for a name that came more than once, but for those that may.
  func refuseRepeated() throws(OAuthError) {
    guard let repeated, repeated != "resource" else { return }
    throw OAuthError(.invalidRequest, "the parameter \(repeated.prefix(40)) is given more than once")
  }

  /// Pairs as a query or form.
  static func encode(_ items: KeyValuePairs<String, String?>) -> String {
    items.compactMap { name, value in value.map { percent(name) + "=" + percent($0) } }.joined(separator: "&")
  }

  /// Encodes all but the unreserved characters (RFC 3986 section 2.3).
  static func percent(_ text: some StringProtocol) -> String {
    let hex = Array("0123456789ABCDEF".utf8)
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        bytes.append(byte)
      default: bytes += [UInt8(ascii: "%"), hex[Int(byte >> 4)], hex[Int(byte & 15)]]
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// `nil` for a percent sign without two digits, and for what is no UTF-8.
  static func decode(_ text: some StringProtocol) -> String? {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
      case UInt8(ascii: "%"):
        guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16),
          rest.first != UInt8(ascii: "+")
        else { return nil }
        rest = rest.dropFirst(2)
        bytes.append(value)
      default: bytes.append(byte)
      }
    }
    return String(validating: bytes, as: UTF8.self)
  }
}
