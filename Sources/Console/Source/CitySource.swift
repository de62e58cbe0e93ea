public import NGSI
public import Safety
public import Surveillance

/// What the console needs of a city; the hub's room implements it.
///
/// The console keeps a small board of summaries in memory, filled once by ``entities(after:limit:)`` when the first
/// page asks for it and kept current by ``changes()``. Everything else of an entity is read when it is looked at; the
/// history comes to the browser through the public NGSI-LD API on the same origin (`/ngsi-ld/v1/temporal/…`).
public protocol CitySource: Sendable {
  var site: SiteDescription { get }

  /// The city's own clock: wall time for a live city, the replay's or simulator's time otherwise.
  func now() -> DateTime

  /// One batch of all entities.
  ///
  /// - Parameters:
  ///   - cursor: `nil` for the first batch, then what the batch before returned as `next`. Opaque to the console.
  ///   - limit: most entities in one batch.
  /// - Returns: the batch, and the cursor of the next one; `nil` when this was the last.
  func entities(after cursor: String?, limit: Int) async throws -> EntityBatch

  /// The entity as it is now; `nil` when there is none.
  func entity(_ id: String) async throws -> Entity?

  /// What changes from the moment of the call on, in order of commit.
  ///
  /// The stream is bounded: when the console does not keep up, the source drops what it holds and yields
  /// ``CityChange/lost`` once, upon which the board is read anew.
  func changes() -> AsyncStream<[CityChange]>

  /// The policy under which the city's own proofs are to be believed, as it offers it; `nil` where it has no log.
  var evidencePolicy: String? { get }

  /// The health report; ``HealthView`` documents the shape.
  func health() async -> JSON

  /// What the city is measured by, in the order of its plan; none where there is no plan. Asked for often: it may be a
  /// few seconds old.
  func indicators() async -> [Indicator]

  /// What the city gives out, holds its entities against, and refused.
  ///
  /// - Parameters:
  ///   - offset, limit: the window on the refusals.
  func dataReport(refusalsFrom offset: Int, limit: Int) async -> DataReport

  /// Who reads the page that is being made; `nil` where access is open.
  var reader: Reader? { get }

  /// Exceptional access as the reader may see it; `nil` where access is open.
  var grants: (any GrantSource)? { get }

  /// The service that looks after incidents; `nil` in a city without it.
  var safety: SafetyService? { get }

  /// Who may see the city's cameras; `nil` in a city without any.
  var video: VideoDesk? { get }

  /// What people call somebody of whom the record knows kind and id.
  func displayName(_ kind: String, _ id: String) -> String

  /// Asks on behalf of who reads the page, and records what he is shown where rules want it.
  func asReader<Value: Sendable>(
    _ body: @Sendable () async throws(Problem) -> Value
  ) async throws(Problem) -> Value
}

extension CitySource {
  public var safety: SafetyService? { nil }
  public var video: VideoDesk? { nil }
  public func displayName(_ kind: String, _ id: String) -> String { id }

  public func asReader<Value: Sendable>(
    _ body: @Sendable () async throws(Problem) -> Value
  ) async throws(Problem) -> Value { try await body() }
}

public struct EntityBatch: Sendable {
  public var entities: [Entity]
  public var next: String?

  public init(entities: [Entity], next: String?) {
    self.entities = entities
    self.next = next
  }
}

public enum CityChange: Sendable {
  /// Created or changed: the whole entity after the change.
  case updated(Entity)
  case removed(id: String)
  /// Changes were dropped; what is known may be out of date.
  case lost
}

/// A text that people read, in both languages of the console.
public struct LocalizedText: Sendable, Hashable {
  public var ko: String
  public var en: String

  public init(ko: String, en: String) {
    self.ko = ko
    self.en = en
  }

  /// A text that is the same in both, such as a proper name known in one form only.
  public init(_ both: String) { self.init(ko: both, en: both) }
}

/// The city as its manifest describes it.
public struct SiteDescription: Sendable {
  public enum Mode: String, Sendable, CaseIterable {
    case simulated
    case build
    case live
  }

  public var name: LocalizedText
  /// WGS 84 degrees.
  public var longitude: Double
  public var latitude: Double
  /// GeoJSON geometry of the site (Polygon, MultiPolygon or lines); `nil` when it is not known.
  public var boundary: JSON?
  /// IANA identifier such as `Asia/Seoul`; UTC is shown when the system does not know it.
  public var timeZone: String
  public var mode: Mode
  /// Whether anybody who reaches the address may read and write.
  public var openAccess: Bool

  public init(
    name: LocalizedText, longitude: Double, latitude: Double, boundary: JSON? = nil, timeZone: String = "UTC",
    mode: Mode, openAccess: Bool
  ) {
    self.name = name
    self.longitude = longitude
    self.latitude = latitude
    self.boundary = boundary
    self.timeZone = timeZone
    self.mode = mode
    self.openAccess = openAccess
  }
}
