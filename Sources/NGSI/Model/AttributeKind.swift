/// The eight kinds of attribute (ETSI GS CIM 009 v1.9.1, clauses 4.5.2, 4.5.3, 4.5.18, 4.5.20 to 4.5.24).
public enum AttributeKind: String, Sendable, Hashable, CaseIterable {
  case property = "Property"
  case geoProperty = "GeoProperty"
  case relationship = "Relationship"
  case languageProperty = "LanguageProperty"
  case vocabProperty = "VocabProperty"
  case jsonProperty = "JsonProperty"
  case listProperty = "ListProperty"
  case listRelationship = "ListRelationship"

  /// Reads the `type` member as written or expanded; the pre-1.8 name `VocabularyProperty` is understood.
  public init?(typeMember text: String) {
    let prefix = "https://uri.etsi.org/ngsi-ld/"
    let name = text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text
    if name == "VocabularyProperty" {
      self = .vocabProperty
    } else {
      self.init(rawValue: name)
    }
  }

  /// The member that holds the value in the normalized and concise forms.
  public var valueMember: String {
    switch self {
    case .property, .geoProperty: "value"
    case .relationship: "object"
    case .languageProperty: "languageMap"
    case .vocabProperty: "vocab"
    case .jsonProperty: "json"
    case .listProperty: "valueList"
    case .listRelationship: "objectList"
    }
  }

  /// The member that holds the value before a change, in notifications with `showChanges`.
  public var previousMember: String {
    switch self {
    case .property, .geoProperty: "previousValue"
    case .relationship: "previousObject"
    case .languageProperty: "previousLanguageMap"
    case .vocabProperty: "previousVocab"
    case .jsonProperty: "previousJson"
    case .listProperty: "previousValueList"
    case .listRelationship: "previousObjectList"
    }
  }

  /// The member that holds the values in the simplified temporal representation (clause 4.5.9).
  public var temporalValuesMember: String {
    switch self {
    case .property, .geoProperty: "values"
    case .relationship: "objects"
    case .languageProperty: "languageMaps"
    case .vocabProperty: "vocabs"
    case .jsonProperty: "jsons"
    case .listProperty: "valueLists"
    case .listRelationship: "objectLists"
    }
  }

  /// The kind that a value member names on its own, as the concise form allows.
  static func named(byValueMember member: String) -> AttributeKind? {
    switch member {
    case "value": .property
    case "object": .relationship
    case "languageMap": .languageProperty
    case "vocab": .vocabProperty
    case "json": .jsonProperty
    case "valueList": .listProperty
    case "objectList": .listRelationship
    default: nil
    }
  }
}
