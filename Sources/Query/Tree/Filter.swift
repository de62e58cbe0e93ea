import NGSI

/// A `q` query as a tree (ETSI GS CIM 009 v1.9.1, clause 4.9). Attribute names are expanded IRIs.
public indirect enum Filter: Sendable, Hashable {
  case all([Filter])
  case any([Filter])
  case test(AttributePath, Condition)
}

extension Filter {
  /// Expanded names of the attributes that it looks at.
  public var attributes: Set<String> {
    switch self {
    case .all(let parts), .any(let parts): parts.reduce(into: []) { $0.formUnion($1.attributes) }
    case .test(let path, _): [path.attribute]
    }
  }

  /// Whether it has neither regular expressions nor paths into linked entities.
  fileprivate var isSimple: Bool {
    switch self {
    case .all(let parts), .any(let parts): parts.allSatisfy(\.isSimple)
    case .test(_, .pattern): false
    case .test(let path, _): path.linked == nil
    }
  }
}

/// What a `q` term points at: an attribute, attributes of it, members inside its value, or attributes of a linked
/// entity.
public struct AttributePath: Sendable, Hashable {
  /// Expanded attribute IRI.
  public var attribute: String
  /// Expanded names after dots: `temperature.accuracy`.
  public var subAttributes: [String]
  /// Names inside brackets, as written: `address[city.name]`.
  public var valueMembers: [String]
  /// The path in the entity that the relationship `attribute` points at: `refStore{Store:name}`; clause 4.9.
  public var linked: Linked?

  public struct Linked: Sendable, Hashable {
    /// Expanded type IRIs that the linked entity must have one of; empty takes any.
    public var types: [String]
    public var path: Box

    public init(types: [String], path: AttributePath) {
      self.types = types
      self.path = Box(path)
    }
  }

  /// Indirection for the recursive path.
  public final class Box: Sendable, Hashable {
    public let path: AttributePath
    init(_ path: AttributePath) { self.path = path }
    public static func == (left: Box, right: Box) -> Bool { left.path == right.path }
    public func hash(into hasher: inout Hasher) { hasher.combine(path) }
  }

  public init(
    attribute: String, subAttributes: [String] = [], valueMembers: [String] = [], linked: Linked? = nil
  ) {
    self.attribute = attribute
    self.subAttributes = subAttributes
    self.valueMembers = valueMembers
    self.linked = linked
  }
}

public enum Condition: Sendable, Hashable {
  case exists
  /// `!attribute`: the target is not there. Beyond the standard's grammar, as other brokers take it.
  case absent
  case compare(Comparison, Operand)
  /// `==` or `!=` against a list: any member equals.
  case anyOf([Operand], negated: Bool)
  /// `==` or `!=` against `low..high`, both ends included.
  case within(Operand, Operand, negated: Bool)
  /// `~=` or `!~=`: the regular expression matches somewhere in the text.
  case pattern(String, negated: Bool)
}

public enum Comparison: String, Sendable, Hashable {
  case equal = "=="
  case unequal = "!="
  case greater = ">"
  case greaterOrEqual = ">="
  case less = "<"
  case lessOrEqual = "<="
}

/// The right-hand side of a comparison.
public enum Operand: Sendable, Hashable {
  case number(Double)
  case text(String)
  case bool(Bool)
  case dateTime(DateTime)
  /// `YYYY-MM-DD`, kept as text: it compares in order as text.
  case date(String)
  /// `hh:mm:ss…Z`, kept as text.
  case time(String)
  /// An unquoted URI: compares with relationship objects, URI values and (expanded) vocabulary values.
  case uri(String)
}

/// A selection of entity types with `,` or `|` (or), `;` (and) and parentheses (clause 4.17). Expanded IRIs.
public indirect enum TypeSelection: Sendable, Hashable {
  case type(String)
  case all([TypeSelection])
  case any([TypeSelection])
  /// `*`: local-scope "any type".
  case anything
}

/// A `scopeQ` query (clause 4.19).
public indirect enum ScopeFilter: Sendable, Hashable {
  case exact(String)
  /// `/#` at the end: this scope and all below it.
  case below(String)
  /// `+` in place of one level.
  case pattern([Level])
  case all([ScopeFilter])
  case any([ScopeFilter])

  public enum Level: Sendable, Hashable {
    case name(String)
    case anyOne
    case anyRest
  }
}

/// A geographic query (clause 4.10).
public struct GeoFilter: Sendable, Hashable {
  public enum Relation: Sendable, Hashable {
    /// Within this many metres of the geometry.
    case nearMax(Double)
    /// At least this many metres away.
    case nearMin(Double)
    case within
    case contains
    case intersects
    case equals
    case disjoint
    case overlaps
  }

  public var relation: Relation
  /// GeoJSON geometry that the property is related to.
  public var geometry: JSON
  /// Expanded IRI of the GeoProperty; `location` unless said otherwise.
  public var property: String
  /// Longitude and latitude bounds of every geometry that can satisfy the relation; `nil` when none bounds it
  /// (`disjoint`, `nearMin`). May be too wide, never too narrow. West may not exceed east: a window across the
  /// antimeridian is the whole band.
  public var window: BoundingBox?

  public init(relation: Relation, geometry: JSON, property: String, window: BoundingBox?) {
    self.relation = relation
    self.geometry = geometry
    self.property = property
    self.window = window
  }
}

/// Degrees.
public struct BoundingBox: Sendable, Hashable {
  public var west: Double
  public var south: Double
  public var east: Double
  public var north: Double

  public init(west: Double, south: Double, east: Double, north: Double) {
    self.west = west
    self.south = south
    self.east = east
    self.north = north
  }

  public func intersects(_ other: BoundingBox) -> Bool {
    west <= other.east && other.west <= east && south <= other.north && other.south <= north
  }
}

/// A temporal query (clause 4.11).
public struct TemporalFilter: Sendable, Hashable {
  public enum Relation: Sendable, Hashable {
    /// Before the time, which is not included.
    case before(DateTime)
    /// From the time on, which is included.
    case after(DateTime)
    /// From the first time (included) to the second (excluded).
    case between(DateTime, DateTime)
  }

  public enum Property: String, Sendable, Hashable {
    case observedAt
    case createdAt
    case modifiedAt
    case deletedAt
  }

  /// `nil` asks for no more than that there is such a time.
  public var relation: Relation?
  public var property: Property

  public init(relation: Relation?, property: Property = .observedAt) {
    self.relation = relation
    self.property = property
  }

  public func contains(_ time: DateTime) -> Bool {
    switch relation {
    case nil: true
    case .before(let end): time < end
    case .after(let start): start <= time
    case .between(let start, let end): start <= time && time < end
    }
  }
}

/// One key of `orderBy` (clause 4.23).
public struct OrderKey: Sendable, Hashable {
  public enum Subject: Sendable, Hashable {
    case id
    case type
    case scope
    case createdAt
    case modifiedAt
    case attribute(AttributePath)
    /// By distance from the geometry of the query, or of `ordering`, in metres.
    case distance(from: JSON, property: String)
  }

  public var subject: Subject
  public var ascending: Bool

  public init(subject: Subject, ascending: Bool = true) {
    self.subject = subject
    self.ascending = ascending
  }
}

/// One member of `entities` in a query or subscription (clause 5.2.33); all parts given must hold.
public struct EntitySelector: Sendable, Hashable {
  public var ids: [String] = []
  /// Regular expression that the id must match; not looked at where there are `ids`.
  public var idPattern: String?
  public var types: TypeSelection?

  public init() {}
}

/// Everything that selects entities; all parts given must hold.
public struct EntityQuery: Sendable, Hashable {
  /// The entity meets at least one of them. Empty asks nothing.
  public var selectors: [EntitySelector] = []
  public var ids: [String] = []
  /// Regular expression that the id must match; not looked at where there are `ids`.
  public var idPattern: String?
  public var types: TypeSelection?
  /// Expanded names; the entity has at least one of them. Empty asks nothing.
  public var attributes: [String] = []
  public var filter: Filter?
  public var scope: ScopeFilter?
  public var geo: GeoFilter?
  public var order: [OrderKey] = []
  /// Collation of text in `order`: a BCP 47 tag, or nothing for code-point order.
  public var collation: String?
  /// Most entities to look at before the query is given up as too complex; `nil` is the store's own bound.
  public var patience: Int?
  /// What may be seen; `nil` where everything may.
  public var visibility: EntityVisibility?

  public init() {}

  /// Whether each entity that is looked at costs little: no regular expressions, no geometries, no linked entities.
  public var isSimple: Bool {
    idPattern == nil && geo == nil && order.isEmpty && selectors.isEmpty && filter?.isSimple ?? true
  }

  /// Whether nothing of an entity decides whether it is selected but its types.
  public var selectsByTypesOnly: Bool {
    ids.isEmpty && idPattern == nil && attributes.isEmpty && filter == nil && scope == nil && geo == nil
      && selectors.isEmpty
  }

  /// Whether nothing of an entity is looked at but its types.
  public var asksTypesOnly: Bool { selectsByTypesOnly && visibility == nil }
}
