import Console
import NGSI

/// A city of a few entities that tests fill, change and break.
actor FixtureStore {
  private var entities: [String: Entity] = [:]
  private var listeners: [AsyncStream<[CityChange]>.Continuation] = []

  func put(_ entity: Entity) { entities[entity.id] = entity }

  func entity(_ id: String) -> Entity? { entities[id] }

  func batch(after cursor: String?, limit: Int) -> EntityBatch {
    let ids = entities.keys.sorted().filter { $0 > cursor ?? "" }.prefix(limit)
    let next = ids.count == limit ? ids.last : nil
    return EntityBatch(entities: ids.compactMap { entities[$0] }, next: next)
  }

  func listen(_ continuation: AsyncStream<[CityChange]>.Continuation) { listeners.append(continuation) }

  func send(_ changes: [CityChange]) {
    for change in changes {
      switch change {
      case .updated(let entity): entities[entity.id] = entity
      case .removed(let id): entities[id] = nil
      case .lost: break
      }
    }
    for listener in listeners { listener.yield(changes) }
  }

  var listenerCount: Int { listeners.count }
}

struct FixtureCity: CitySource {
  static let noon = DateTime("2026-06-01T03:00:00Z") ?? DateTime(microseconds: 0)
  static let nasty = #"<script>alert('x')</script>"=;()"#

  let store = FixtureStore()
  var site = SiteDescription(
    name: LocalizedText(ko: "마당시 <b>", en: "Madang & City"), longitude: 129.1, latitude: 35.1,
    timeZone: "Asia/Seoul", mode: .simulated, openAccess: true)

  func now() -> DateTime { Self.noon }

  func entities(after cursor: String?, limit: Int) async throws -> EntityBatch {
    await store.batch(after: cursor, limit: limit)
  }

  func entity(_ id: String) async throws -> Entity? {
    if id == "urn:broken" { throw Problem(.internalError, "broken for the test") }
    return await store.entity(id)
  }

  func changes() -> AsyncStream<[CityChange]> {
    let (stream, continuation) = AsyncStream<[CityChange]>.makeStream(bufferingPolicy: .bufferingNewest(16))
    Task { await store.listen(continuation) }
    return stream
  }

  var evidencePolicy: String? = "log <b>\nquorum none\n"

  /// Who reads the pages, and the grants that he sees; access is open without.
  var reader: Reader?
  var ownGrants: FixtureGrants?
  var grants: (any GrantSource)? { ownGrants }

  var measured: [Indicator] = []

  func indicators() async -> [Indicator] { measured }

  var report = DataReport()

  func dataReport(refusalsFrom offset: Int, limit: Int) async -> DataReport {
    var shown = report
    shown.refusals = Array(report.refusals.dropFirst(offset).prefix(limit))
    return shown
  }

  func health() async -> JSON {
    [
      "time": .string(Self.noon.description), "uptimeSeconds": 90_061,
      "bounds": ["bodyBytes": ["value": 33_554_432, "unit": "B"]],
      "outbox": ["due": 10, "delivered": 5, "failed": 2, "throttled": 2],
      "store": ["queuedWrites": ["value": 95, "bound": 100], "fileBytes": ["value": 3145728, "unit": "B"]],
    ]
  }

  static func property(_ name: String, _ value: Double, age: Double) -> AttributeSet {
    AttributeSet(
      name: Core.defaultVocabulary + name,
      instances: [Attribute(kind: .property, value: .double(value), observedAt: noon.adding(seconds: -age))])
  }

  /// An air quality station with one PM2.5 reading.
  static func station(_ number: Int, pm25: Double, age: Double = 60, name: String = "") -> Entity {
    var entity = Entity(
      id: "urn:ngsi-ld:AirQualityObserved:\(number)", types: [Core.defaultVocabulary + "AirQualityObserved"])
    entity.attributes = [
      AttributeSet(
        name: Core.defaultVocabulary + "pm25",
        instances: [
          Attribute(kind: .property, value: .double(pm25), observedAt: noon.adding(seconds: -age), unitCode: "GQ")
        ]),
      AttributeSet(
        name: Core.location,
        instances: [
          Attribute(kind: .geoProperty, value: ["type": "Point", "coordinates": [129.1, 35.1]])
        ]),
    ]
    if !name.isEmpty {
      entity.attributes.append(
        AttributeSet(
          name: Core.defaultVocabulary + "name", instances: [Attribute(kind: .property, value: .string(name))]))
    }
    return entity
  }
}
