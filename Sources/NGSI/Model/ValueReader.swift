// The part of EntityReader that reads what stands under the value member of each kind.

extension EntityReader {
  func value(_ json: JSON, kind: AttributeKind, name: String) throws(Problem) -> Change<JSON> {
    if Self.isNull(json, kind: kind) {
      guard rules.contains(.null) || rules.contains(.systemMembers) || rules.contains(.evolution) else {
        throw .badRequest("the attribute '\(name)' cannot be removed here")
      }
      // Stored evolutions keep the null as the value of a deleted instance.
      return rules.contains(.null) ? .removed : .set(json)
    }
    if json == .null, kind != .jsonProperty { throw .badRequest("the value of the attribute '\(name)' is null") }
    switch kind {
    case .property:
      guard rules.contains(.nestedNull) || !Self.hasNestedNull(json) else {
        throw .badRequest("the value of the attribute '\(name)' has a member \"\(Core.null)\"")
      }
      return .set(json)
    case .jsonProperty: return .set(json)
    case .geoProperty:
      let geometry = Self.geometry(json)
      if let failure = Geometry.failure(of: geometry) { throw .badRequest("the attribute '\(name)': \(failure)") }
      return .set(geometry)
    case .relationship:
      if case .array(let items) = json {
        guard !items.isEmpty else { throw .badRequest("the relationship '\(name)' has no object") }
        for item in items { _ = try uri(item, "object") }
      } else {
        _ = try uri(json, "object")
      }
      return .set(json)
    case .languageProperty: return .set(try languageMap(json, name: name))
    case .vocabProperty: return .set(try vocabulary(json, name: name))
    case .listProperty:
      guard case .array = json else { throw .badRequest("'valueList' of '\(name)' must be an array") }
      return .set(json)
    case .listRelationship:
      guard case .array(let items) = json else { throw .badRequest("'objectList' of '\(name)' must be an array") }
      var objects: [JSON] = []
      objects.reserveCapacity(items.count)
      for item in items {
        if let object = item.object, object.count != 1 {
          throw .badRequest("an item in 'objectList' of '\(name)' must have the one member 'object'")
        }
        objects.append(.string(try uri(item["object"] ?? item, "objectList")))
      }
      return .set(.array(objects))
    }
  }

  /// The NGSI-LD Null as each kind writes it (clauses 4.5.0, 4.5.18, 4.5.21 and 4.5.22).
  private static func isNull(_ json: JSON, kind: AttributeKind) -> Bool {
    switch json {
    case .string(let text): return text == Core.null
    case .object(let object):
      return kind == .languageProperty && object.count == 1 && object["@none"] == .string(Core.null)
    case .array(let items):
      guard kind == .listProperty || kind == .listRelationship, items.count == 1 else { return false }
      return items[0] == .string(Core.null) || items[0] == ["object": .string(Core.null)]
    default: return false
    }
  }

  private static func hasNestedNull(_ json: JSON) -> Bool {
    switch json {
    case .array(let items): items.contains(where: hasNestedNull)
    case .object(let object):
      object.members.contains { $0.value == .string(Core.null) || hasNestedNull($0.value) }
    default: false
    }
  }

  /// Clause 4.7.2: a geometry may come as JSON text in a string.
  private static func geometry(_ json: JSON) -> JSON {
    guard case .string(let text) = json, let parsed = try? JSONParser.parse(text) else { return json }
    return parsed
  }

  private func languageMap(_ json: JSON, name: String) throws(Problem) -> JSON {
    guard case .object(let map) = json, !map.isEmpty else {
      throw .badRequest("'languageMap' of '\(name)' must be an object with at least one language")
    }
    for member in map.members {
      let isText = !member.value.items.isEmpty && member.value.items.allSatisfy { $0.string != nil }
      guard isText, Self.isLanguageTag(member.key) else {
        throw .badRequest("'languageMap' of '\(name)': '\(member.key)' must be a language tag with text")
      }
      guard rules.contains(.nestedNull) || member.value != .string(Core.null) else {
        throw .badRequest("'languageMap' of '\(name)': '\(member.key)' cannot be removed here")
      }
    }
    return json
  }

  /// The outer shape of RFC 5646 section 2.1: subtags of one to eight letters and digits; and `@none`.
  static func isLanguageTag(_ tag: String) -> Bool {
    if tag == "@none" { return true }
    let subtags = tag.split(separator: "-", omittingEmptySubsequences: false)
    guard let primary = subtags.first, primary.allSatisfy({ $0.isASCII && $0.isLetter }) else { return false }
    return subtags.allSatisfy { subtag in
      (1...8).contains(subtag.utf8.count) && subtag.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
    }
  }

  private func vocabulary(_ json: JSON, name: String) throws(Problem) -> JSON {
    func expand(_ item: JSON) throws(Problem) -> JSON {
      guard case .string(let text) = item, !text.isEmpty else {
        throw .badRequest("'vocab' of '\(name)' must be a name or an array of names")
      }
      return .string(context.expand(text))
    }
    guard case .array(let items) = json else { return try expand(json) }
    var expanded: [JSON] = []
    for item in items { expanded.append(try expand(item)) }
    guard !expanded.isEmpty else { throw .badRequest("'vocab' of '\(name)' is empty") }
    return .array(expanded)
  }
}

extension AttributeKind {
  /// Whether the kind has a `unitCode`: texts, raw JSON and relationships have none (clauses 4.5.3, 4.5.18 to 4.5.24).
  var takesUnit: Bool { self == .property || self == .geoProperty || self == .listProperty }
}

extension Change {
  func map<Other: Sendable & Hashable>(_ transform: (Value) -> Other) -> Change<Other> {
    switch self {
    case .unchanged: .unchanged
    case .removed: .removed
    case .set(let value): .set(transform(value))
    }
  }
}
