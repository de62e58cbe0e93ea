import NGSI
import Query
import Store

/// A context source, and what it can give (ETSI GS CIM 009 clause 5.2.9).
public struct Registration: Sendable {
  /// Who holds what is registered (clauses 4.3.6.2 and 4.3.6.3).
  public enum Mode: String, Sendable, CaseIterable {
    /// Source and hub may both hold it; what they hold is put together.
    case inclusive
    /// The source alone holds these attributes of this one entity.
    case exclusive
    /// Sources alone hold it; there may be several.
    case redirect
    /// The source adds what nobody else has; it is only read.
    case auxiliary

    /// Whether the hub holds nothing of what is registered.
    public var isProxied: Bool { self == .exclusive || self == .redirect }
  }

  /// Entities that a source may have (clause 5.2.8).
  public struct EntityInfo: Sendable, Hashable {
    /// Expanded.
    public var types: [String]
    public var id: String?
    /// Regular expression; not looked at where there is an `id`.
    public var idPattern: String?
  }

  /// What a source may have (clause 5.2.10). Empty lists restrict nothing.
  public struct Information: Sendable, Hashable {
    public var entities: [EntityInfo] = []
    /// Expanded names of properties and relationships.
    public var attributes: Set<String> = []
  }

  /// How the source wants to be called (clause 5.2.34). Times in seconds.
  public struct Management: Sendable, Hashable {
    public var timeout: Double?
    public var cooldown: Double?
    public var cacheDuration: Double?
    public var localOnly = false
  }

  public struct Interval: Sendable, Hashable {
    public var start: DateTime
    /// `nil` where it is open.
    public var end: DateTime?
  }

  public var id: String
  public var tenant: Tenant
  /// The document as the client sent it, less what the hub generates.
  public var document: JSONObject
  /// What the names of the document are read with.
  public var context: Context
  public var createdAt: DateTime
  public var modifiedAt: DateTime

  /// Base of the source's interface, without `/ngsi-ld/v1` and without a slash at the end.
  public var endpoint = ""
  public var mode = Mode.inclusive
  public var operations: Set<OperationName> = []
  public var information: [Information] = []
  /// Pseudonym of the source in `Via`.
  public var alias: String?
  public var datasetIds: [String] = []
  public var expiresAt: DateTime?
  /// Tenant to name at the source.
  public var sourceTenant = Tenant.default
  /// `contextSourceInfo` in its order (clause 4.3.6.5).
  public var sourceInfo: [(key: String, value: String)] = []
  public var management = Management()
  public var observationInterval: Interval?
  public var managementInterval: Interval?
  /// The registration as an entity, which context source filters, scope and geographic queries are put to.
  public var source: Entity

  public func offers(_ operation: OperationName) -> Bool { operations.contains(operation) }

  /// Sources of histories are registered apart from those of the present (clause 5.9.1).
  public var isTemporal: Bool { observationInterval != nil || managementInterval != nil }
}
