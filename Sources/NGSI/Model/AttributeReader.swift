// The part of EntityReader that reads attribute instances.

extension EntityReader {
  /// Deepest nesting of attributes of attributes.
  public static let maxAttributeDepth = 16

  func instances(_ json: JSON, name: String, depth: Int) throws(Problem) -> [AttributeFragment] {
    guard depth < Self.maxAttributeDepth else {
      throw .badRequest("attributes of attributes may be nested \(Self.maxAttributeDepth) deep at most")
    }
    guard case .array(let items) = json, !rules.contains(.simplified), Self.areInstances(items, rules: rules) else {
      return [try instance(json, name: name, depth: depth)]
    }
    var fragments: [AttributeFragment] = []
    fragments.reserveCapacity(items.count)
    for item in items {
      let fragment = try instance(item, name: name, depth: depth)
      if !rules.contains(.evolution), fragments.contains(where: { $0.datasetId == fragment.datasetId }) {
        throw .badRequest(
          "the attribute '\(name)' has two instances with \(fragment.datasetId.map { "datasetId \($0)" } ?? "no datasetId")"
        )
      }
      fragments.append(fragment)
    }
    return fragments
  }

  /// Whether an array is several instances of an attribute rather than the concise value of one Property.
  private static func areInstances(_ items: [JSON], rules: Rules) -> Bool {
    if items.isEmpty { return rules.contains(.evolution) || rules.contains(.systemMembers) }
    return items.allSatisfy { item in
      guard case .object(let object) = item else { return false }
      if let type = object["type"]?.string { return AttributeKind(typeMember: type) != nil }
      return object.members.contains { AttributeKind.named(byValueMember: $0.key) != nil }
    }
  }

  private func instance(_ json: JSON, name: String, depth: Int) throws(Problem) -> AttributeFragment {
    if json == .null { throw .badRequest("the attribute '\(name)' is null; to remove it send \"\(Core.null)\"") }
    if json == .string(Core.null) {
      guard rules.contains(.null) else { throw .badRequest("the attribute '\(name)' cannot be removed here") }
      var fragment = AttributeFragment()
      fragment.value = .removed
      return fragment
    }
    guard case .object(let object) = json, !rules.contains(.simplified) else { return bare(json) }
    if let type = object["type"] ?? object["@type"] {
      if let text = type.string, let kind = AttributeKind(typeMember: text) {
        return try reified(object, kind: kind, isStated: true, name: name, depth: depth)
      }
      if Geometry.isGeometry(json) { return bare(json) }
      if object["type"] != nil, object["value"] != nil || object["object"] != nil {
        throw .badRequest("the attribute '\(name)' has the type \(JSONWriter.text(type)), which is no kind of attribute")
      }
      return bare(json)
    }
    let kinds = object.members.compactMap { AttributeKind.named(byValueMember: $0.key) }
    guard kinds.count <= 1 else { throw .badRequest("the attribute '\(name)' has more than one value member") }
    guard var kind = kinds.first else {
      // Without value and type it may still change a member of an existing instance.
      guard rules.contains(.null) else {
        throw .badRequest("the attribute '\(name)' has neither a type nor a value member")
      }
      return try reified(object, kind: nil, name: name, depth: depth)
    }
    if kind == .property, let value = object["value"], Geometry.isGeometry(value) { kind = .geoProperty }
    return try reified(object, kind: kind, name: name, depth: depth)
  }

  /// A value that stands for a whole Property (concise and simplified form).
  private func bare(_ json: JSON) -> AttributeFragment {
    var fragment = AttributeFragment()
    fragment.kind = Geometry.isGeometry(json) ? .geoProperty : .property
    fragment.isBare = true
    fragment.value = .set(json)
    return fragment
  }

  private func reified(
    _ object: JSONObject, kind: AttributeKind?, isStated: Bool = false, name: String, depth: Int
  ) throws(Problem) -> AttributeFragment {
    var fragment = AttributeFragment()
    fragment.kind = kind
    fragment.kindIsStated = isStated
    for member in object.members {
      switch member.key {
      case "type", "@type", "@context": continue
      case "value", "object", "languageMap", "vocab", "json", "valueList", "objectList":
        guard let kind, member.key == kind.valueMember else {
          throw .badRequest("the attribute '\(name)' of type \(kind?.rawValue ?? "?") cannot have '\(member.key)'")
        }
        fragment.value = try value(member.value, kind: kind, name: name)
      case "datasetId":
        if member.value == .string("@none") { continue }
        fragment.datasetId = try uri(member.value, "datasetId")
      case "observedAt": fragment.observedAt = try time(member.value, "observedAt")
      case "expiresAt": fragment.expiresAt = try time(member.value, "expiresAt")
      case "unitCode":
        guard kind != .relationship, kind != .languageProperty, kind != .listRelationship else {
          throw .badRequest("the attribute '\(name)' cannot have a unitCode")
        }
        fragment.unitCode = try text(member.value, "unitCode")
      case "valueType":
        fragment.valueType = try text(member.value, "valueType").map { context.expand($0) }
      case "objectType":
        if rules.contains(.null), member.value == .string(Core.null) {
          fragment.objectType = .removed
        } else {
          fragment.objectType = .set(try types(member.value))
        }
      case "createdAt", "modifiedAt", "deletedAt", "instanceId":
        guard rules.contains(.systemMembers) || rules.contains(.evolution) else { continue }
        try systemMember(member, into: &fragment)
      case "lang": fragment.language = member.value.string
      case "previousValue", "previousObject", "previousLanguageMap", "previousVocab", "previousJson",
        "previousValueList", "previousObjectList":
        guard rules.contains(.systemMembers) else {
          throw .badRequest("the attribute '\(name)' cannot have '\(member.key)': it is for output only")
        }
        fragment.previousValue = member.value
      case "entity", "entityList": continue
      default:
        let subName = try attributeName(member.key)
        guard !fragment.subAttributes.contains(where: { $0.name == subName }) else {
          throw .badRequest("the attribute '\(name)' has '\(member.key)' twice")
        }
        fragment.subAttributes.append(
          AttributeSetFragment(
            name: subName, instances: try instances(member.value, name: member.key, depth: depth + 1)))
      }
    }
    return fragment
  }

  private func systemMember(_ member: JSONObject.Member, into fragment: inout AttributeFragment) throws(Problem) {
    switch member.key {
    case "createdAt": fragment.createdAt = try time(member.value, "createdAt").value
    case "modifiedAt": fragment.modifiedAt = try time(member.value, "modifiedAt").value
    case "deletedAt": fragment.deletedAt = try time(member.value, "deletedAt").value
    default: fragment.instanceId = try uri(member.value, "instanceId")
    }
  }

  private func text(_ json: JSON, _ member: String) throws(Problem) -> Change<String> {
    guard case .string(let text) = json, !text.isEmpty else { throw .badRequest("'\(member)' must be a string") }
    if rules.contains(.null), text == Core.null { return .removed }
    return .set(text)
  }
}

// MARK: - Values by kind

extension EntityReader {
  private func value(_ json: JSON, kind: AttributeKind, name: String) throws(Problem) -> Change<JSON> {
    if json == .string(Core.null) || json == ["@none": .string(Core.null)] {
      guard rules.contains(.null) || rules.contains(.systemMembers) || rules.contains(.evolution) else {
        throw .badRequest("the attribute '\(name)' cannot be removed here")
      }
      // Stored evolutions keep the null as the value of a deleted instance.
      return rules.contains(.null) ? .removed : .set(json)
    }
    if json == .null, kind != .jsonProperty { throw .badRequest("the value of the attribute '\(name)' is null") }
    switch kind {
    case .property, .jsonProperty: return .set(json)
    case .geoProperty:
      if let failure = Geometry.failure(of: json) { throw .badRequest("the attribute '\(name)': \(failure)") }
      return .set(json)
    case .relationship:
      for item in json.items { _ = try uri(item, "object") }
      guard !json.items.isEmpty else { throw .badRequest("the relationship '\(name)' has no object") }
      return .set(json)
    case .languageProperty: return .set(try languageMap(json, name: name))
    case .vocabProperty: return .set(try vocabulary(json, name: name))
    case .listProperty:
      guard case .array = json else { throw .badRequest("'valueList' of '\(name)' must be an array") }
      return .set(json)
    case .listRelationship:
      guard case .array(let items) = json else { throw .badRequest("'objectList' of '\(name)' must be an array") }
      var objects: [JSON] = []
      for item in items { objects.append(.string(try uri(item["object"] ?? item, "objectList"))) }
      return .set(.array(objects))
    }
  }

  private func languageMap(_ json: JSON, name: String) throws(Problem) -> JSON {
    guard case .object(let map) = json else { throw .badRequest("'languageMap' of '\(name)' must be an object") }
    for member in map.members {
      let isText = !member.value.items.isEmpty && member.value.items.allSatisfy { $0.string != nil }
      guard isText, Self.isLanguageTag(member.key) else {
        throw .badRequest("'languageMap' of '\(name)': '\(member.key)' must be a language tag with text")
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

extension Change {
  func map<Other: Sendable & Hashable>(_ transform: (Value) -> Other) -> Change<Other> {
    switch self {
    case .unchanged: .unchanged
    case .removed: .removed
    case .set(let value): .set(transform(value))
    }
  }
}
