import City
import Console
import Hub
import NGSI
import Query
import Store

/// Computes the manifest's KPIs of what the hub holds, when somebody asks.
///
/// Whoever asks again soon gets the same answer: all entities that the formulas read are read for one, which takes at
/// most a twentieth of the time this way.
actor KPIWatch {
  private static let entitiesAtOnce = 500
  private static let shortestRest = Duration.seconds(5)
  /// While a KPI has no value: a city that has just begun gets its first readings.
  private static let shortestRestWithout = Duration.seconds(1)

  private let hub: Hub
  private let plan: KPIPlan
  private var latest: [Indicator] = []
  private var restsUntil: ContinuousClock.Instant?
  private var reading: Task<[Indicator], Never>?

  init(hub: Hub, manifest: Manifest) {
    self.hub = hub
    plan = KPIPlan(manifest)
  }

  func indicators() async -> [Indicator] {
    if let restsUntil, restsUntil > .now { return latest }
    if let reading { return await reading.value }
    let began = ContinuousClock.now
    let task = Task { await Caller.$current.withValue(.console) { await Self.read(plan, hub) } }
    reading = task
    defer { reading = nil }
    latest = await task.value
    let rest = latest.contains { (try? $0.value.get()) == nil } ? Self.shortestRestWithout : Self.shortestRest
    restsUntil = .now + max(rest, began.duration(to: .now) * 19)
    return latest
  }

  private static func read(_ plan: KPIPlan, _ hub: Hub) async -> [Indicator] {
    do { return plan.values(of: try await data(for: plan, hub)).map(Indicator.init) } catch {
      return plan.values(of: plan.data).map { value in
        var indicator = Indicator(value)
        indicator.value = .failure(Indicator.Missing(gaps: [.unread]))
        return indicator
      }
    }
  }

  /// Types with the same short name are one to a manifest.
  private static func data(for plan: KPIPlan, _ hub: Hub) async throws -> FormulaData {
    var data = plan.data
    for type in try hub.types(in: .default).map(\.type) {
      let name = Vocabulary.short(type)
      guard let attributes = plan.needs[name] else { continue }
      var query = EntityQuery()
      query.types = .type(type)
      var page = Page(limit: entitiesAtOnce, offset: 0)
      while true {
        let found = try hub.entities(query, in: .default, page: page)
        for entity in found.entities { data.add(entity, as: name, attributes: attributes) }
        guard found.hasMore else { break }
        page.offset += entitiesAtOnce
        await Task.yield()
      }
    }
    return data
  }
}

extension Indicator {
  init(_ value: KPIValue) {
    let kpi = value.kpi
    self.init(
      id: kpi.id, name: LocalizedText(ko: kpi.name.ko, en: kpi.name.en), value: .success(0), target: kpi.target,
      better: kpi.better == .lower ? .lower : .higher, unit: kpi.unit == "1" ? "" : kpi.unit)
    self.value = value.value.mapError { Missing(gaps: $0.gaps.map(Gap.init)) }
  }
}

extension Indicator.Gap {
  init(_ gap: FormulaGap) {
    switch gap {
    case .noValue(let reading): self = .noValue(type: reading.type, attribute: reading.attribute)
    case .noFact(let fact): self = .noFact(fact.rawValue)
    case .divisionByZero: self = .divisionByZero
    case .overflow: self = .overflow
    }
  }
}
