import City
import Console
import Hub
import HubHTTP
import Ingest
import NGSI
import Query
import Safety
import Store
import Surveillance

/// The simulator's way into the hub: the same batch upsert that HTTP clients use.
struct HubSink: EntitySink {
  let hub: Hub
  /// Who writes, for the history of refused input.
  let source: String

  func upsert(_ entities: [Entity]) async throws {
    let items = entities.map { BatchItem(id: $0.id, content: .success(EntityFragment($0))) }
    let result = try await hub.batch(.upsertUpdate, items, in: .default)
    for error in result.errors {
      hub.noteRefused(
        RefusedInput(door: "city", source: source, tenant: .default, problem: error.problem, entityId: error.id))
    }
    if let first = result.errors.first { throw first.problem }
  }
}

extension IngestDoor {
  /// The door of an adapter.
  init(_ adapter: Adapter) {
    self.init(id: adapter.id, mediaTypes: adapter.mediaTypes, context: adapter.context) {
      (message, time) throws(Problem) in
      let input = try adapter.read(message, at: time)
      return Reading(
        entities: input.entities,
        refused: input.refused.map { ($0.entityId, JSONWriter.text($0.part), $0.problem) })
    }
  }
}

/// The console's view of the hub, all of it: who may open its pages is asked at their door. Grants alone are seen as who
/// reads the page sees them.
struct HubCitySource: CitySource {
  let hub: Hub
  let report: @Sendable () throws(Problem) -> JSON
  let site: SiteDescription
  /// `nil` where no manifest names any.
  let kpis: KPIWatch?
  let evidencePolicy: String?
  /// `nil` where access is open.
  let ownGrants: HubGrants?
  let safety: SafetyService?
  let video: VideoDesk?

  var grants: (any GrantSource)? { ownGrants }
  var reader: Reader? {
    guard let ownGrants, let reader = PageReader.current else { return nil }
    return Reader(reader, ownGrants.identity)
  }

  func now() -> DateTime { hub.time }

  func displayName(_ kind: String, _ id: String) -> String {
    guard let identity = ownGrants?.identity else { return id }
    let isClient = kind == Caller.Kind.client.rawValue
    return (try? isClient ? identity.name(ofClient: id) : identity.name(ofPerson: id)) ?? id
  }

  func asReader<Value: Sendable>(
    _ body: @Sendable () async throws(Problem) -> Value
  ) async throws(Problem) -> Value {
    guard ownGrants != nil else { return try await body() }
    let notes = AccessNotes()
    let result = await Caller.$current.withValue(PageReader.current?.caller ?? .nobody) {
      await AccessNotes.$current.withValue(notes) { () async -> Result<Value, Problem> in
        do throws(Problem) { return .success(try await body()) } catch { return .failure(error) }
      }
    }
    // Recorded before it is shown.
    try await hub.record(notes)
    return try result.get()
  }

  private func asConsole<Value>(_ body: () async throws -> Value) async rethrows -> Value {
    try await Caller.$current.withValue(.console, operation: body)
  }

  func entities(after cursor: String?, limit: Int) async throws -> EntityBatch {
    let offset = cursor.flatMap(Int.init) ?? 0
    let page = try await asConsole {
      try hub.entities(EntityQuery(), in: .default, page: Page(limit: limit, offset: offset))
    }
    return EntityBatch(entities: page.entities, next: page.hasMore ? String(offset + limit) : nil)
  }

  func entity(_ id: String) async throws -> Entity? {
    do { return try await asConsole { try hub.entity(id, in: .default) } } catch let error as Problem {
      guard error.kind == .resourceNotFound else { throw error }
      return nil
    }
  }

  func changes() -> AsyncStream<[CityChange]> {
    AsyncStream(bufferingPolicy: .bufferingOldest(1024)) { continuation in
      guard let stream = hub.changes.listen({ $0.tenant == .default }) else {
        // No seat is free: the board is read anew until there is one.
        continuation.yield([.lost])
        return continuation.finish()
      }
      let task = Task {
        for await signal in stream {
          let change: CityChange
          switch signal {
          case .missed: change = .lost
          case .change(let made):
            guard let seen = hub.seen(made, by: .console) else { continue }
            change = seen.new.map { .updated($0) } ?? .removed(id: seen.entityId)
          }
          if case .dropped = continuation.yield([change]) {
            // The console lags: it hears of the loss as soon as it reads on.
            while case .dropped = continuation.yield([.lost]) {
              guard (try? await Task.sleep(for: .milliseconds(50))) != nil else { return }
            }
          }
        }
        continuation.finish()
      }
      continuation.onTermination = { _ in task.cancel() }
    }
  }

  func indicators() async -> [Indicator] { await kpis?.indicators() ?? [] }

  func dataReport(refusalsFrom offset: Int, limit: Int) async -> DataReport {
    await asConsole { await wholeDataReport(refusalsFrom: offset, limit: limit) }
  }

  private func wholeDataReport(refusalsFrom offset: Int, limit: Int) async -> DataReport {
    var report = DataReport()
    report.mode = (try? hub.validationMode(in: .default))?.rawValue ?? ""
    report.models = ((try? hub.dataModels(in: .default)) ?? []).map {
      .init(type: $0.type, judged: $0.judged, failed: $0.failed)
    }
    let (lines, count) = (try? hub.refusedInput(in: .default, page: Page(limit: limit, offset: offset))) ?? ([], 0)
    report.refusals = lines.map { line in
      .init(
        door: line.door, source: line.source, problem: line.problem, detail: line.detail, sample: line.sample,
        count: line.count, firstAt: line.firstAt, lastAt: line.lastAt)
    }
    report.refusalCount = count
    for dataset in (try? await hub.datasets(in: .default)) ?? [] {
      let quality = try? await hub.judgedQuality(of: dataset, in: .default)
      report.datasets.append(
        .init(
          id: dataset.id, title: LocalizedText(dataset.title), publisher: LocalizedText(dataset.publisher),
          licence: dataset.document["licence"]?.string ?? "", completeness: quality?.completeness,
          timeliness: quality?.timeliness, validity: quality?.validity))
    }
    return report
  }

  func health() async -> JSON {
    do { return try report() } catch {
      return ["failure": ["hub": ["value": .string(error.detail), "state": "red"]]]
    }
  }
}

extension LocalizedText {
  /// The Korean and the English text; where one is missing, whichever there is.
  init(_ texts: LanguageTexts) {
    func text(_ language: String) -> String? {
      texts.texts.first { $0.language == language || $0.language.hasPrefix(language + "-") }?.text
    }
    let any = texts.texts.first?.text ?? ""
    self.init(ko: text("ko") ?? text("en") ?? any, en: text("en") ?? any)
  }
}

extension SiteDescription {
  /// The site of a manifest; an empty hub has none.
  init(_ manifest: Manifest?, mode: City.Mode?, openAccess: Bool) {
    guard let manifest else {
      self.init(
        name: LocalizedText(ko: "빈 허브", en: "Empty hub"), longitude: 127, latitude: 36, mode: .live, openAccess: true)
      return
    }
    let site = manifest.site
    let ring = site.boundary.map { corners -> JSON in
      let positions = corners.map { JSON.array([.double($0.longitude), .double($0.latitude)]) }
      let closed = positions.first == positions.last ? positions : positions + positions.prefix(1)
      return ["type": "Polygon", "coordinates": .array([.array(closed)])]
    }
    self.init(
      name: LocalizedText(ko: site.name.ko, en: site.name.en), longitude: site.centre.longitude,
      latitude: site.centre.latitude, boundary: ring, timeZone: site.timeZone,
      mode: Mode(rawValue: (mode ?? manifest.mode).rawValue) ?? .live, openAccess: openAccess)
  }
}
