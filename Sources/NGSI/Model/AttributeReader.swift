// The part of EntityReader that reads attribute instances.

extension EntityReader {
  /// Deepest nesting of attributes of attributes.
  public static let maxAttributeDepth = 16

  func instances(_ json: JSON, name: String, depth: Int) throws(Problem) -> [AttributeFragment] {
    guard depth < Self.maxAttributeDepth else {
      throw .badRequest("attributes of attributes may be nested \(Self.maxAttributeDepth) deep at most")
    }
    if rules.contains(.simplified) { return try simplifiedInstances(json, name: name) }
    guard case .array(let items) = json, items.isEmpty ? rules.contains(.evolution) : Self.areInstances(items) else {
      return [try instance(json, name: name, depth: depth)]
    }
    var fragments: [AttributeFragment] = []
    fragments.reserveCapacity(items.count)
    var datasets: Set<String?> = []
    for item in items {
      let fragment = try instance(item, name: name, depth: depth)
      if !rules.contains(.evolution), !datasets.insert(fragment.datasetId).inserted {
        throw .badRequest(
          "the attribute '\(name)' has two instances "
            + (fragment.datasetId.map { "with datasetId \($0)" } ?? "without datasetId"))
      }
      fragments.append(fragment)
    }
    return fragments
  }

  /// Whether an array is several instances of an attribute rather than the concise value of one Property.
  static func areInstances(_ items: [JSON]) -> Bool {
    !items.isEmpty
      && items.allSatisfy { item in
        guard case .object(let object) = item else { return false }
        if let type = object["type"] { return type.string.flatMap(AttributeKind.init(typeMember:)) != nil }
        return object.members.contains { AttributeKind.named(byValueMember: $0.key) != nil }
      }
  }

  /// Whether an object is an attribute rather than the concise value of a Property (clause 4.5.2.3).
  static func readsAsAttribute(_ object: JSONObject) -> Bool {
    object.members.contains {
      $0.key == "type" || $0.key == "@type" || AttributeKind.named(byValueMember: $0.key) != nil
    }
  }

  /// Whether an object without type and value changes members of an existing attribute, rather than being the concise
  /// value of a Property. Only patches have such objects, and they cannot always be told from a value: one that has a
  /// member of attributes, or an attribute as a member, is taken for a change.
  private static func readsAsChange(_ object: JSONObject) -> Bool {
    object.isEmpty
      || object.members.contains { member in
        if AttributeMember(member.key) != nil || member.value == .string(Core.null) { return true }
        if case .object(let inner) = member.value { return readsAsAttribute(inner) }
        return false
      }
  }

  private func instance(_ json: JSON, name: String, depth: Int) throws(Problem) -> AttributeFragment {
    guard case .object(let object) = json else { return try bare(json, name: name) }
    var valueKind: AttributeKind?
    var type: JSON?
    for member in object.members {
      if member.key == "type" || member.key == "@type" {
        type = member.value
      } else if let kind = AttributeKind.named(byValueMember: member.key) {
        guard valueKind == nil else { throw .badRequest("the attribute '\(name)' has more than one value member") }
        valueKind = kind
      }
    }
    if let type {
      if let text = type.string, let kind = AttributeKind(typeMember: text) {
        return try reified(object, kind: kind, isStated: true, name: name, depth: depth)
      }
      if Geometry.isGeometry(json) { return try bare(json, name: name) }
      throw .badRequest(
        "the attribute '\(name)' has the type \(JSONWriter.text(type)), which is no kind of attribute and no geometry")
    }
    guard var kind = valueKind else {
      guard rules.contains(.null), Self.readsAsChange(object) else { return try bare(json, name: name) }
      return try reified(object, kind: nil, name: name, depth: depth)
    }
    if kind == .property, let value = object["value"], Geometry.isGeometry(value) { kind = .geoProperty }
    return try reified(object, kind: kind, name: name, depth: depth)
  }

  /// A value that stands for a whole Property (concise and simplified form).
  private func bare(_ json: JSON, name: String) throws(Problem) -> AttributeFragment {
    var fragment = AttributeFragment()
    if json == .string(Core.null) {
      guard rules.contains(.null) else { throw .badRequest("the attribute '\(name)' cannot be removed here") }
      fragment.value = .removed
      return fragment
    }
    if json == .null { throw .badRequest("the attribute '\(name)' is null; to remove it send \"\(Core.null)\"") }
    let kind: AttributeKind = Geometry.isGeometry(json) ? .geoProperty : .property
    fragment.kind = kind
    fragment.isBare = true
    fragment.value = try value(json, kind: kind, name: name)
    return fragment
  }

  /// The simplified form: a bare value, one wrapped in the member of its kind, or one for each dataset (clause 4.5.4).
  private func simplifiedInstances(_ json: JSON, name: String) throws(Problem) -> [AttributeFragment] {
    guard case .object(let object) = json, object.count == 1, let datasets = object["dataset"]?.object else {
      return [try simplified(json, name: name)]
    }
    var fragments: [AttributeFragment] = []
    for member in datasets.members {
      var fragment = try simplified(member.value, name: name)
      if member.key != "@none" { fragment.datasetId = try uri(.string(member.key), "datasetId") }
      fragments.append(fragment)
    }
    return fragments
  }

  private func simplified(_ json: JSON, name: String) throws(Problem) -> AttributeFragment {
    guard case .object(let object) = json, object.count == 1, let member = object.members.first,
      let kind = AttributeKind.named(byValueMember: member.key), kind != .property, kind != .relationship
    else { return try bare(json, name: name) }
    var fragment = AttributeFragment()
    fragment.kind = kind
    fragment.value = try value(member.value, kind: kind, name: name)
    return fragment
  }

  private func reified(
    _ object: JSONObject, kind: AttributeKind?, isStated: Bool = false, name: String, depth: Int
  ) throws(Problem) -> AttributeFragment {
    var fragment = AttributeFragment()
    fragment.kind = kind
    fragment.kindIsStated = isStated
    let keepsSystemMembers = rules.contains(.systemMembers) || rules.contains(.evolution)
    var names = NameCheck(large: object.count)
    for member in object.members {
      switch AttributeMember(member.key) {
      case .type, .entity: continue
      case .context: throw .badRequest("the attribute '\(name)' has an @context of its own (clause 5.5.7)")
      case .value:
        guard let kind, member.key == kind.valueMember else {
          throw .badRequest("the attribute '\(name)' of type \(kind?.rawValue ?? "?") cannot have '\(member.key)'")
        }
        fragment.value = try value(member.value, kind: kind, name: name)
      case .datasetId:
        if member.value == .string("@none") { continue }
        fragment.datasetId = try uri(member.value, "datasetId")
      case .observedAt: fragment.observedAt = try time(member.value, "observedAt")
      case .expiresAt: fragment.expiresAt = try time(member.value, "expiresAt")
      case .unitCode:
        guard kind?.takesUnit ?? true else {
          throw .badRequest("the attribute '\(name)' of type \(kind?.rawValue ?? "?") cannot have a unitCode")
        }
        fragment.unitCode = try text(member.value, "unitCode")
      case .valueType:
        fragment.valueType = try text(member.value, "valueType").map { context.expand($0) }
      case .objectType:
        if rules.contains(.null), member.value == .string(Core.null) {
          fragment.objectType = .removed
        } else {
          fragment.objectType = .set(try types(member.value))
        }
      case .createdAt:
        if keepsSystemMembers { fragment.createdAt = try time(member.value, "createdAt").value }
      case .modifiedAt:
        if keepsSystemMembers { fragment.modifiedAt = try time(member.value, "modifiedAt").value }
      case .deletedAt:
        if keepsSystemMembers { fragment.deletedAt = try time(member.value, "deletedAt").value }
      case .instanceId:
        if keepsSystemMembers { fragment.instanceId = try uri(member.value, "instanceId") }
      case .language: if rules.contains(.systemMembers) { fragment.language = member.value.string }
      case .previous: if rules.contains(.systemMembers) { fragment.previousValue = try previous(member.value, kind) }
      case nil:
        let subName = try subAttributeName(member.key, of: name)
        if names.isTaken(subName, among: fragment.subAttributes) {
          throw .badRequest("the attribute '\(name)' has '\(member.key)' twice")
        }
        let instances = try instances(member.value, name: member.key, depth: depth + 1)
        if Core.seals.contains(subName) { try requireSeal(instances, member.key) }
        fragment.subAttributes.append(AttributeSetFragment(name: subName, instances: instances))
      }
    }
    return fragment
  }

  /// A seal is written without an attribute around it, so it can be a text or texts only (clause 5.2.5).
  private func requireSeal(_ instances: [AttributeFragment], _ key: String) throws(Problem) {
    let isPlain = instances.allSatisfy { instance in
      guard instance.subAttributes.isEmpty, instance.kind == nil || instance.kind == .property else { return false }
      return instance.value.value.map { value in value.items.allSatisfy { $0.string != nil } } ?? true
    }
    guard instances.count == 1, isPlain else { throw .badRequest("'\(key)' must be a text, or an array of texts") }
  }

  private func subAttributeName(_ key: String, of name: String) throws(Problem) -> String {
    if key == "entityIdSealed" || key == "entityTypeSealed" {
      guard context.isIdentity || context.expand(name) == Core.namespace + "ngsildproof" else {
        throw .badRequest("the attribute '\(name)' cannot have '\(key)': only ngsildproof has")
      }
      return Core.namespace + key
    }
    let iri = try attributeName(key)
    guard iri.utf8.first != UInt8(ascii: "@") || context.isIdentity else {
      throw .badRequest("'\(key)' cannot be the name of an attribute")
    }
    return iri
  }

  /// Values before a change are written like values.
  private func previous(_ json: JSON, _ kind: AttributeKind?) throws(Problem) -> JSON {
    guard kind == .vocabProperty || kind == .listRelationship, let kind else { return json }
    return try value(json, kind: kind, name: kind.previousMember).value ?? json
  }

  private func text(_ json: JSON, _ member: StaticString) throws(Problem) -> Change<String> {
    guard case .string(let text) = json, !text.isEmpty else { throw .badRequest("'\(member)' must be a string") }
    if rules.contains(.null), text == Core.null { return .removed }
    return .set(text)
  }
}

/// Members of an attribute that are no attributes themselves.
private enum AttributeMember {
  case type, context, value, datasetId, observedAt, expiresAt, unitCode, valueType, objectType
  case createdAt, modifiedAt, deletedAt, instanceId, language, previous, entity

  init?(_ key: String) {
    switch key.utf8.count {
    case 4:
      switch key {
      case "type": self = .type
      case "json": self = .value
      case "lang": self = .language
      default: return nil
      }
    case 5:
      switch key {
      case "value", "vocab": self = .value
      case "@type": self = .type
      default: return nil
      }
    case 6:
      switch key {
      case "object": self = .value
      case "entity": self = .entity
      default: return nil
      }
    case 8:
      switch key {
      case "unitCode": self = .unitCode
      case "@context": self = .context
      default: return nil
      }
    case 9:
      switch key {
      case "datasetId": self = .datasetId
      case "valueList": self = .value
      case "createdAt": self = .createdAt
      case "deletedAt": self = .deletedAt
      case "expiresAt": self = .expiresAt
      case "valueType": self = .valueType
      default: return nil
      }
    case 10:
      switch key {
      case "observedAt": self = .observedAt
      case "modifiedAt": self = .modifiedAt
      case "objectList": self = .value
      case "objectType": self = .objectType
      case "instanceId": self = .instanceId
      case "entityList": self = .entity
      default: return nil
      }
    case 11 where key == "languageMap": self = .value
    case 12 where key == "previousJson": self = .previous
    case 13 where key == "previousValue" || key == "previousVocab": self = .previous
    case 14 where key == "previousObject": self = .previous
    case 17 where key == "previousValueList": self = .previous
    case 18 where key == "previousObjectList": self = .previous
    case 19 where key == "previousLanguageMap": self = .previous
    default: return nil
    }
  }
}
