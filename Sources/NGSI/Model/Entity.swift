/// A context entity with every name expanded: types, attribute names and vocabulary values are IRIs.
public struct Entity: Sendable, Hashable {
  /// The entity's URI.
  public var id: String
  /// Expanded type IRIs, at least one, in the order they came.
  public var types: [String]
  /// Scopes such as `/Seoul/Mapo` (clause 4.18).
  public var scopes: [String]
  public var attributes: [AttributeSet]
  public var createdAt: DateTime?
  public var modifiedAt: DateTime?
  public var deletedAt: DateTime?
  /// When the entity ends by itself (clause 4.22).
  public var expiresAt: DateTime?

  public init(id: String, types: [String], scopes: [String] = [], attributes: [AttributeSet] = []) {
    self.id = id
    self.types = types
    self.scopes = scopes
    self.attributes = attributes
  }

  public subscript(attribute name: String) -> AttributeSet? {
    get { attributes.first { $0.name == name } }
    set {
      let position = attributes.firstIndex { $0.name == name }
      switch (position, newValue) {
      case (let position?, let value?): attributes[position] = value
      case (let position?, nil): attributes.remove(at: position)
      case (nil, let value?): attributes.append(value)
      case (nil, nil): break
      }
    }
  }
}

/// All instances of one attribute: one without `datasetId` at most, and one for each `datasetId` (clause 4.5.5).
public struct AttributeSet: Sendable, Hashable {
  /// Expanded attribute IRI.
  public var name: String
  public var instances: [Attribute]

  public init(name: String, instances: [Attribute]) {
    self.name = name
    self.instances = instances
  }

  public func instance(datasetId: String?) -> Attribute? { instances.first { $0.datasetId == datasetId } }
}

/// One instance of an attribute.
public struct Attribute: Sendable, Hashable {
  public var kind: AttributeKind
  /// What the kind's value member holds: a JSON value, a GeoJSON geometry, a URI or list of URIs, a language map …
  public var value: JSON
  public var datasetId: String?
  public var observedAt: DateTime?
  /// UN/CEFACT common code.
  public var unitCode: String?
  public var createdAt: DateTime?
  public var modifiedAt: DateTime?
  public var instanceId: String?
  public var subAttributes: [AttributeSet]
  private var seldom: Seldom?

  public init(
    kind: AttributeKind, value: JSON, datasetId: String? = nil, observedAt: DateTime? = nil, unitCode: String? = nil,
    subAttributes: [AttributeSet] = []
  ) {
    self.kind = kind
    self.value = value
    self.datasetId = datasetId
    self.observedAt = observedAt
    self.unitCode = unitCode
    self.subAttributes = subAttributes
  }

  public subscript(subAttribute name: String) -> AttributeSet? {
    get { subAttributes.first { $0.name == name } }
    set {
      let position = subAttributes.firstIndex { $0.name == name }
      switch (position, newValue) {
      case (let position?, let value?): subAttributes[position] = value
      case (let position?, nil): subAttributes.remove(at: position)
      case (nil, let value?): subAttributes.append(value)
      case (nil, nil): break
      }
    }
  }
}

extension Attribute {
  /// Members that few instances have stand apart, shared until one changes: an attribute is copied often.
  private final class Seldom: Sendable, Hashable {
    struct Members: Sendable, Hashable {
      var valueType: String?
      var objectType: [String] = []
      var expiresAt: DateTime?
      var deletedAt: DateTime?
      var language: String?
      var previousValue: JSON?
    }

    static let none = Members()
    let members: Members

    init(_ members: Members) { self.members = members }

    static func == (left: Seldom, right: Seldom) -> Bool { left === right || left.members == right.members }

    func hash(into hasher: inout Hasher) { hasher.combine(members) }
  }

  private mutating func change(_ body: (inout Seldom.Members) -> Void) {
    var members = seldom?.members ?? Seldom.none
    body(&members)
    seldom = members == Seldom.none ? nil : Seldom(members)
  }

  /// Expanded datatype IRI of a Property value.
  public var valueType: String? {
    get { seldom?.members.valueType }
    set { if seldom != nil || newValue != nil { change { $0.valueType = newValue } } }
  }

  /// Expanded type IRIs of a relationship's target.
  public var objectType: [String] {
    get { seldom?.members.objectType ?? [] }
    set { if seldom != nil || !newValue.isEmpty { change { $0.objectType = newValue } } }
  }

  public var expiresAt: DateTime? {
    get { seldom?.members.expiresAt }
    set { if seldom != nil || newValue != nil { change { $0.expiresAt = newValue } } }
  }

  public var deletedAt: DateTime? {
    get { seldom?.members.deletedAt }
    set { if seldom != nil || newValue != nil { change { $0.deletedAt = newValue } } }
  }

  /// Language that a filter chose (`lang`), output only.
  public var language: String? {
    get { seldom?.members.language }
    set { if seldom != nil || newValue != nil { change { $0.language = newValue } } }
  }

  /// Value before the change that triggered a notification, output only.
  public var previousValue: JSON? {
    get { seldom?.members.previousValue }
    set { if seldom != nil || newValue != nil { change { $0.previousValue = newValue } } }
  }

  /// Whether only members are there that most instances have.
  var isPlain: Bool { seldom == nil }
}

/// Names that the hub itself gives meaning to.
public enum Core {
  public static let namespace = "https://uri.etsi.org/ngsi-ld/"
  public static let defaultVocabulary = "https://uri.etsi.org/ngsi-ld/default-context/"
  public static let location = "https://uri.etsi.org/ngsi-ld/location"
  public static let observationSpace = "https://uri.etsi.org/ngsi-ld/observationSpace"
  public static let operationSpace = "https://uri.etsi.org/ngsi-ld/operationSpace"
  public static let scope = "https://uri.etsi.org/ngsi-ld/scope"
  /// What JSON-LD expands `type` to.
  public static let type = "@type"
  /// Members of `ngsildproof` that are no attributes but plain values (clause 4.5.2.2).
  static let seals: Set<String> = [
    "https://uri.etsi.org/ngsi-ld/entityIdSealed", "https://uri.etsi.org/ngsi-ld/entityTypeSealed",
  ]
  /// The text that stands for "no value" in patches and deletions (clause 3.1, "NGSI-LD Null").
  public static let null = "urn:ngsi-ld:null"
}
