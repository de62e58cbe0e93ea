extension SpecificationVersion {
  /// A body for a source that knows only this version (ETSI GS CIM 009 clause 4.3.6.6, `ngsildConformance`): an entity, a
  /// fragment of one, an array of them, or an attribute; normalized or concise, names in any words.
  public func amended(_ json: JSON, isAttribute: Bool = false) -> JSON {
    guard !hasExpiry else { return json }
    switch json {
    case .array(let items): return .array(items.map { amended($0, isAttribute: isAttribute) })
    case .object(let object): return .object(isAttribute ? attribute(object) : entity(object))
    default: return json
    }
  }

  private func entity(_ object: JSONObject) -> JSONObject {
    var amended = JSONObject()
    for member in object.members {
      switch member.key {
      case "expiresAt": break
      case "scope": if hasLanguagesAndScopes { amended[member.key] = member.value }
      case "type", "@type":
        amended[member.key] = hasDatasets ? member.value : member.value.items.first ?? member.value
      case "id", "@id", "@context", "createdAt", "modifiedAt", "deletedAt": amended[member.key] = member.value
      default: amended[member.key] = instances(member.value)
      }
    }
    return amended
  }

  /// The instances of an attribute; anything that is none stays, being a concise value.
  private func instances(_ json: JSON) -> JSON {
    switch json {
    case .object(let object): return .object(attribute(object))
    case .array(let items) where items.contains(where: { $0["datasetId"] != nil }):
      let preferred = items.first { $0["datasetId"] == nil } ?? items.first
      if !hasDatasets, let preferred { return instances(preferred) }
      return .array(items.map(instances))
    default: return json
    }
  }

  private func attribute(_ object: JSONObject) -> JSONObject {
    let named = object["type"]?.string.flatMap(AttributeKind.init(typeMember:))
    let kind = named ?? object.members.lazy.compactMap { AttributeKind.named(byValueMember: $0.key) }.first
    // A concise GeoProperty, or a value of its own: nothing in it is ours.
    guard let kind else { return object }
    let fallback = fallback(of: kind)
    var amended = JSONObject()
    for member in object.members {
      switch member.key {
      case "type": amended["type"] = .string(fallback.rawValue)
      case kind.valueMember:
        amended[fallback.valueMember] = fallback == kind ? member.value : Self.value(member.value, of: kind)
      case "expiresAt", "valueType": break
      case "objectType": if hasListsAndVocabularies { amended[member.key] = member.value }
      case "datasetId", "observedAt", "unitCode": if hasDatasets { amended[member.key] = member.value }
      case "createdAt", "modifiedAt", "deletedAt", "instanceId", "lang", "ngsildproof":
        amended[member.key] = member.value
      default: amended[member.key] = instances(member.value)
      }
    }
    return amended
  }

  private static func value(_ json: JSON, of kind: AttributeKind) -> JSON {
    switch kind {
    case .listRelationship: .array(json.items.map { $0["object"] ?? $0 })
    // The mark of a deletion is a text in every other kind.
    case .languageProperty where json["@none"] == .string(Core.null): .string(Core.null)
    default: json
    }
  }
}
