/// Text with columns in it: `urn:ngsi-ld:AirQualityObserved:Beijing:{station}`.
struct Template: Sendable, Hashable {
  enum Part: Sendable, Hashable {
    case text(String)
    case column(String)
  }

  let text: String
  let parts: [Part]

  init(_ text: String) {
    self.text = text
    var parts: [Part] = []
    var rest = text[...]
    while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
      if open > rest.startIndex { parts.append(.text(String(rest[..<open]))) }
      parts.append(.column(String(rest[rest.index(after: open)..<close])))
      rest = rest[rest.index(after: close)...]
    }
    if !rest.isEmpty { parts.append(.text(String(rest))) }
    self.parts = parts
  }

  var columns: [String] {
    parts.compactMap { if case .column(let name) = $0 { name } else { nil } }
  }

  var hasColumns: Bool { !columns.isEmpty }

  /// What was filled in, where it can be the name of a type: a letter, then letters, digits and `_:/.#-`.
  static func typeName(_ bytes: [UInt8]) -> String? {
    let marks = Set("_:/.#-".utf8)
    guard let first = bytes.first, (first | 0x20) &- 0x61 < 26, bytes.count <= 300,
      bytes.allSatisfy({ ($0 | 0x20) &- 0x61 < 26 || $0 &- 48 < 10 || marks.contains($0) })
    else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Whether it starts with a scheme.
  var isPlausibleURI: Bool {
    guard case .text(let start)? = parts.first, let colon = start.firstIndex(of: ":") else { return false }
    return colon > start.startIndex && start[..<colon].allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
  }
}
