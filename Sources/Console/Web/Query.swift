/// The query part of an address (`application/x-www-form-urlencoded`), first value of each name; bounded.
struct Query: Sendable {
  private(set) var items: [(name: String, value: String)] = []

  static let maxItems = 32
  static let maxLength = 4096

  /// Bounds of a form that is sent as a body.
  static let maxFormItems = 100
  static let maxFormLength = 64 << 10

  init(_ text: String?) { self.init(text ?? "", Self.maxLength, Self.maxItems) }

  /// - Parameter form: the body of a form.
  init(form: String) { self.init(form, Self.maxFormLength, Self.maxFormItems) }

  private init(_ text: String, _ maxLength: Int, _ maxItems: Int) {
    for pair in text.prefix(maxLength).split(separator: "&").prefix(maxItems) {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = Percent.decode(parts[0].replacing("+", with: " "))
      let value = parts.count > 1 ? Percent.decode(parts[1].replacing("+", with: " ")) : ""
      if self[name] == nil { items.append((name, value)) }
    }
  }

  subscript(name: String) -> String? { items.first { $0.name == name }?.value }

  /// The same query with some values changed; `nil` and the empty text leave a name out.
  func with(_ changes: [String: String?]) -> String {
    var pairs = items.filter { changes[$0.name] == nil && !$0.value.isEmpty }
    for (name, value) in changes.sorted(by: { $0.key < $1.key }) {
      if let value, !value.isEmpty { pairs.append((name, value)) }
    }
    return pairs.map { "\(Percent.encode($0.name))=\(Percent.encode($0.value))" }.joined(separator: "&")
  }
}

/// Percent encoding (RFC 3986 section 2.1).
enum Percent {
  /// Encodes all but the unreserved characters.
  static func encode(_ text: some StringProtocol) -> String {
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

  /// Decodes; a percent sign without two digits stays as it is.
  static func decode(_ text: some StringProtocol) -> String {
    let source = Array(text.utf8)
    var bytes: [UInt8] = []
    var position = 0
    while position < source.count {
      if source[position] == UInt8(ascii: "%"), position + 2 < source.count, let high = digit(source[position + 1]),
        let low = digit(source[position + 2])
      {
        bytes.append(high << 4 | low)
        position += 3
      } else {
        bytes.append(source[position])
        position += 1
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
