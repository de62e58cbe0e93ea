import NGSI

/// Reads the members of an object that somebody sent; what is wrong is said with the member's name.
public struct Fields {
  public let object: JSONObject
  /// Where it stands, for what is said of errors; ends with a dot where it is not empty.
  let path: String

  /// - Throws: `BadRequestData` for what is no object, or has members besides those.
  public init(_ json: JSON?, _ path: String, only members: Set<String>) throws(Problem) {
    guard let object = json?.object else { throw .badRequest("'\(path)' is an object") }
    if let other = object.members.first(where: { !members.contains($0.key) }) {
      throw .badRequest("'\(path)' has no member '\(other.key.prefix(60))'")
    }
    self.object = object
    self.path = path.isEmpty ? "" : path + "."
  }

  public func optional(_ name: String, most: Int = Incident.Bounds.text) throws(Problem) -> String? {
    guard let value = object[name], value != .null else { return nil }
    guard let text = value.string, !text.isEmpty, text.utf8.count <= most, Self.isText(text) else {
      throw .badRequest("'\(path)\(name)' is a text of 1 to \(most) bytes without control characters")
    }
    return text
  }

  /// Lines and tabs are text, other controls are not.
  private static func isText(_ text: String) -> Bool {
    text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F || $0 == "\n" || $0 == "\t" }
  }

  public func text(_ name: String, most: Int = Incident.Bounds.text) throws(Problem) -> String {
    guard let text = try optional(name, most: most) else { throw .badRequest("'\(path)\(name)' is missing") }
    return text
  }

  public func texts(_ name: String, most: Int) throws(Problem) -> [String] {
    guard let value = object[name], value != .null else { return [] }
    guard let items = value.array, items.count <= most else {
      throw .badRequest("'\(path)\(name)' is a list of \(most) texts at most")
    }
    var texts: [String] = []
    for item in items {
      guard let text = item.string, !text.isEmpty, text.utf8.count <= 500, Self.isText(text) else {
        throw .badRequest("'\(path)\(name)' is a list of texts of 1 to 500 bytes")
      }
      texts.append(text)
    }
    return texts
  }

  public func number(_ name: String, in range: ClosedRange<Double>) throws(Problem) -> Double? {
    guard let value = object[name], value != .null else { return nil }
    guard let number = value.number, range.contains(number) else {
      throw .badRequest("'\(path)\(name)' is a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  public func integer(_ name: String, in range: ClosedRange<Int64>) throws(Problem) -> Int? {
    guard let value = object[name], value != .null else { return nil }
    guard let number = value.integer, range.contains(number) else {
      throw .badRequest("'\(path)\(name)' is a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return Int(number)
  }

  public func flag(_ name: String) throws(Problem) -> Bool? {
    guard let value = object[name], value != .null else { return nil }
    guard let flag = value.bool else { throw .badRequest("'\(path)\(name)' is true or false") }
    return flag
  }

  public func time(_ name: String) throws(Problem) -> DateTime? {
    guard let text = try optional(name, most: 60) else { return nil }
    guard let time = DateTime(text) else {
      throw .badRequest("'\(path)\(name)' is a time such as 2026-01-31T12:00:00Z")
    }
    return time
  }

  public func choice<Value: RawRepresentable & CaseIterable>(_ name: String, _: Value.Type = Value.self) throws(Problem)
    -> Value?
  where Value.RawValue == String {
    guard let text = try optional(name, most: 60) else { return nil }
    guard let value = Value(rawValue: text) else {
      throw .badRequest("'\(path)\(name)' is one of \(Value.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return value
  }

  public func need<Value>(_ name: String, _ value: Value?) throws(Problem) -> Value {
    guard let value else { throw .badRequest("'\(path)\(name)' is missing") }
    return value
  }

  public func list<Value>(_ name: String, most: Int, _ read: (JSON, String) throws(Problem) -> Value) throws(Problem)
    -> [Value]
  {
    guard let value = object[name], value != .null else { return [] }
    guard let items = value.array, items.count <= most else {
      throw .badRequest("'\(path)\(name)' is a list of \(most) at most")
    }
    var values: [Value] = []
    for (index, item) in items.enumerated() { values.append(try read(item, "\(path)\(name)[\(index)]")) }
    return values
  }
}

extension JSONObject {
  /// An object of what is there.
  public init(of members: KeyValuePairs<String, JSON?>) {
    self.init(uniqueMembers: members.compactMap { name, value in value.map { Member(key: name, value: $0) } })
  }
}
