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
    get { attributes.first { $0.name.hasSameBytes(as: name) } }
    set {
      let position = attributes.firstIndex { $0.name.hasSameBytes(as: name) }
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

/// One instance of an attribute. A copy shares the members with what it was copied from until one of both changes: a
/// write hands an instance through operation, index, history and change stream.
public struct Attribute: Sendable, Hashable {
  @usableFromInline var storage: Storage

  public init(
    kind: AttributeKind, value: JSON, datasetId: String? = nil, observedAt: DateTime? = nil, unitCode: String? = nil,
    subAttributes: [AttributeSet] = []
  ) {
    storage = Storage(
      Members(
        kind: kind, value: value, datasetId: datasetId, observedAt: observedAt, unitCode: unitCode,
        subAttributes: subAttributes))
  }

  @usableFromInline struct Members: Sendable, Hashable {
    @usableFromInline var kind: AttributeKind
    @usableFromInline var value: JSON
    @usableFromInline var datasetId: String?
    @usableFromInline var observedAt: DateTime?
    @usableFromInline var unitCode: String?
    @usableFromInline var createdAt: DateTime?
    @usableFromInline var modifiedAt: DateTime?
    @usableFromInline var instanceId: String?
    @usableFromInline var subAttributes: [AttributeSet]
    var seldom: Seldom?
  }

  // Unchecked because its members can change: they do so only after `own()`, while one value alone holds them.
  @usableFromInline final class Storage: @unchecked Sendable, Hashable {
    @usableFromInline var members: Members

    @usableFromInline init(_ members: Members) { self.members = members }

    @usableFromInline static func == (left: Storage, right: Storage) -> Bool {
      left === right || left.members == right.members
    }

    @usableFromInline func hash(into hasher: inout Hasher) { hasher.combine(members) }
  }

  /// Leaves the members to this value alone, so that they may change.
  @inlinable mutating func own() {
    if !isKnownUniquelyReferenced(&storage) { storage = Storage(storage.members) }
  }

  @inlinable public var kind: AttributeKind {
    get { storage.members.kind }
    set {
      own()
      storage.members.kind = newValue
    }
  }

  /// What the kind's value member holds: a JSON value, a GeoJSON geometry, a URI or list of URIs, a language map …
  @inlinable public var value: JSON {
    get { storage.members.value }
    _modify {
      own()
      yield &storage.members.value
    }
  }

  @inlinable public var datasetId: String? {
    get { storage.members.datasetId }
    set {
      own()
      storage.members.datasetId = newValue
    }
  }

  @inlinable public var observedAt: DateTime? {
    get { storage.members.observedAt }
    set {
      own()
      storage.members.observedAt = newValue
    }
  }

  /// UN/CEFACT common code.
  @inlinable public var unitCode: String? {
    get { storage.members.unitCode }
    set {
      own()
      storage.members.unitCode = newValue
    }
  }

  @inlinable public var createdAt: DateTime? {
    get { storage.members.createdAt }
    set {
      own()
      storage.members.createdAt = newValue
    }
  }

  @inlinable public var modifiedAt: DateTime? {
    get { storage.members.modifiedAt }
    set {
      own()
      storage.members.modifiedAt = newValue
    }
  }

  @inlinable public var instanceId: String? {
    get { storage.members.instanceId }
    set {
      own()
      storage.members.instanceId = newValue
    }
  }

  @inlinable public var subAttributes: [AttributeSet] {
    get { storage.members.subAttributes }
    _modify {
      own()
      yield &storage.members.subAttributes
    }
  }

  public subscript(subAttribute name: String) -> AttributeSet? {
    get { subAttributes.first { $0.name.hasSameBytes(as: name) } }
    set {
      let position = subAttributes.firstIndex { $0.name.hasSameBytes(as: name) }
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
  /// Members that few instances have stand apart: most instances are spared their room.
  final class Seldom: Sendable, Hashable {
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
    own()
    storage.members.seldom = members == Seldom.none ? nil : Seldom(members)
  }

  private var seldom: Seldom? { storage.members.seldom }

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
