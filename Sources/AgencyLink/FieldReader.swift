import NGSI

/// Reads members of an object by their names on the wire. Members that are not known are passed over, as the published
/// module does: each city's platform adds its own.
struct FieldReader {
  let object: JSONObject
  /// Ends with a dot where it is not empty.
  let path: String
  let bounds: Bounds

  init(_ json: JSON, _ path: String, _ bounds: Bounds) throws(MessageError) {
    guard let object = json.object else { throw MessageError(path.isEmpty ? "message" : path, .notObject) }
    self.object = object
    self.path = path.isEmpty ? "" : path + "."
    self.bounds = bounds
  }

  /// The value of the first of these names; the others are not there.
  func value(_ names: String...) throws(MessageError) -> (name: String, value: JSON)? {
    var found: (name: String, value: JSON)?
    for name in names {
      guard let value = object[name], value != .null else { continue }
      if found != nil { throw MessageError(path + name, .twice) }
      found = (path + name, value)
    }
    return found
  }

  func text(_ name: String, most: Int) throws(MessageError) -> String? {
    guard let (path, value) = try value(name) else { return nil }
    return try Self.text(value, path, most: most)
  }

  func needed(_ name: String, most: Int) throws(MessageError) -> String {
    guard let text = try text(name, most: most), !text.isEmpty else { throw MessageError(path + name, .missing) }
    return text
  }

  /// The object of that name, or of the other.
  func reader(_ name: String, or other: String? = nil) throws(MessageError) -> FieldReader? {
    let found = if let other { try value(name, other) } else { try value(name) }
    guard let found else { return nil }
    return try FieldReader(found.value, found.name, bounds)
  }

  func list(_ name: String, most: Int) throws(MessageError) -> [(path: String, value: JSON)] {
    guard let (path, value) = try value(name) else { return [] }
    guard let items = value.array else { throw MessageError(path, .notList) }
    guard items.count <= most else { throw MessageError(path, .tooMany(most)) }
    return items.enumerated().map { ("\(path)[\($0.offset)]", $0.element) }
  }

  /// A time to the second.
  func time(_ name: String) throws(MessageError) -> DateTime? {
    guard let text = try text(name, most: 20), !text.isEmpty else { return nil }
    guard text.utf8.count == 14, let time = WireTime.time(text) else { throw MessageError(path + name, .notTime) }
    return time
  }

  /// A value as a text of that many characters; lines and tabs are its only controls.
  static func text(_ value: JSON, _ path: String, most: Int) throws(MessageError) -> String {
    let text: String
    switch value {
    case .string(let string): text = string
    case .integer, .double: text = JSONWriter.text(value)
    default: throw MessageError(path, .notText)
    }
    try check(text, path, most: most)
    return text
  }

  static func check(_ text: String, _ path: String, most: Int) throws(MessageError) {
    // A cheap bound first: a character has four bytes at most.
    guard text.utf8.count <= most * 4, text.unicodeScalars.count <= most else {
      throw MessageError(path, .tooLong(most))
    }
    let isText = text.unicodeScalars.allSatisfy {
      $0.value >= 0x20 && $0.value != 0x7F || $0 == "\n" || $0 == "\t" || $0 == "\r"
    }
    guard isText else { throw MessageError(path, .controlCharacter) }
  }
}
