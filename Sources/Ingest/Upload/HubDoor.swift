import AsyncHTTPClient
import Foundation
import NGSI
import NIOCore
import NIOHTTP1

/// A hub's own way in: `POST /ngsi-ld/v1/entityOperations/upsert?options=update` (ETSI GS CIM 009 clause 6.15).
///
/// Answers that may pass (no connection, 429, 5xx) are tried again with growing pauses until the patience is over.
/// After an answer that leaves open whether rows were stored, the hub is asked which it has, so that none is stored
/// twice. A batch that is refused whole is halved until the rows at fault are found.
struct HubDoor: Door {
  struct Settings: Sendable {
    /// Scheme, host and port.
    var base: String
    var tenant: String?
    /// URL of the @context of the rows' names.
    var context: String?
    var patience: Duration
    /// Hears what people should know, one sentence a call.
    var notice: @Sendable (String) -> Void
  }

  static let maxAnswerBytes = 64 << 20
  static let requestTimeout = TimeAmount.seconds(120)
  /// Rows of one entity that are looked up by one request.
  static let lookUpRows = 100

  let client: HTTPClient
  let settings: Settings

  struct Answer {
    var status: Int
    var body: [UInt8]
    var retryAfter: Double?
  }

  func deliver(_ rows: [OutgoingRow], inDoubt: Bool) async throws -> [Int: String] {
    var refused: [Int: String] = [:]
    var rows = rows
    if inDoubt { rows = try await without(stored(rows), rows) }
    guard !rows.isEmpty else { return refused }
    var pauses = Pauses(patience: settings.patience)
    while true {
      let answer: Answer
      do {
        answer = try await post(rows)
      } catch let error as CancellationError {
        throw error
      } catch {
        try await pauses.wait(
          for: "the hub at \(settings.base) does not answer (\(Self.short(error)))", after: nil, settings.notice)
        rows = try await without(stored(rows), rows)
        if rows.isEmpty { return refused }
        continue
      }
      switch answer.status {
      case 200, 201, 204: return refused
      case 207:
        let found = try await failures(answer, rows)
        return refused.merging(found) { first, _ in first }
      case 400, 413, 422:
        guard rows.count > 1 else {
          refused[rows[0].sequence] = Self.reason(answer)
          return refused
        }
        let middle = rows.count / 2
        for half in [Array(rows[..<middle]), Array(rows[middle...])] {
          refused.merge(try await deliver(half, inDoubt: false)) { first, _ in first }
        }
        return refused
      case 429, 500...599:
        try await pauses.wait(
          for: "the hub at \(settings.base) answers \(answer.status) (\(Self.reason(answer)))",
          after: answer.retryAfter, settings.notice)
        if answer.status != 429 { rows = try await without(stored(rows), rows) }
        if rows.isEmpty { return refused }
      default:
        throw IngestError(
          "the hub at \(settings.base) answers \(answer.status) to an upsert: \(Self.reason(answer)). Is it an NGSI-LD hub, and may you write there?"
        )
      }
    }
  }

  private func without(_ stored: Set<Int>, _ rows: [OutgoingRow]) -> [OutgoingRow] {
    stored.isEmpty ? rows : rows.filter { !stored.contains($0.sequence) }
  }

  /// Which rows a mixed answer refuses. It names entities; where some rows of one were taken, the hub is asked which.
  private func failures(_ answer: Answer, _ rows: [OutgoingRow]) async throws -> [Int: String] {
    guard let body = try? JSONParser.parse(answer.body), let errors = body["errors"]?.array else {
      throw IngestError("the hub at \(settings.base) answers 207 without a list of errors")
    }
    var reasons: [String: [String]] = [:]
    for error in errors {
      guard let id = error["entityId"]?.string else { continue }
      let detail = error["error"]?["detail"]?.string ?? error["error"]?["title"]?.string ?? "refused by the hub"
      reasons[id, default: []].append(detail)
    }
    var refused: [Int: String] = [:]
    for (id, reasons) in reasons {
      let own = rows.filter { $0.entity.id == id }
      let stored = own.count == reasons.count ? [] : try await stored(own)
      for (index, row) in own.filter({ !stored.contains($0.sequence) }).enumerated() {
        refused[row.sequence] = reasons[min(index, reasons.count - 1)]
      }
    }
    return refused
  }
}

// MARK: - Requests

extension HubDoor {
  private func headers(_ rows: [OutgoingRow]) -> HTTPHeaders {
    var headers = common
    if rows.contains(where: \.entity.hasContext) {
      headers.add(name: "Content-Type", value: "application/ld+json")
    } else {
      headers.add(name: "Content-Type", value: "application/json")
    }
    return headers
  }

  private var common: HTTPHeaders {
    var headers = HTTPHeaders([("Accept", "application/json")])
    if let tenant = settings.tenant { headers.add(name: "NGSILD-Tenant", value: tenant) }
    if let context = settings.context {
      headers.add(
        name: "Link",
        value: "<\(context)>; rel=\"http://www.w3.org/ns/json-ld#context\"; type=\"application/ld+json\"")
    }
    return headers
  }

  private func post(_ rows: [OutgoingRow]) async throws -> Answer {
    var buffer = ByteBuffer()
    buffer.reserveCapacity(rows.reduce(2) { $0 + $1.entity.json.count + 1 })
    buffer.writeInteger(UInt8(ascii: "["))
    for (index, row) in rows.enumerated() {
      if index > 0 { buffer.writeInteger(UInt8(ascii: ",")) }
      buffer.writeBytes(row.entity.json)
    }
    buffer.writeInteger(UInt8(ascii: "]"))
    var request = HTTPClientRequest(url: settings.base + "/ngsi-ld/v1/entityOperations/upsert?options=update")
    request.method = .POST
    request.headers = headers(rows)
    request.body = .bytes(buffer)
    return try await send(request)
  }

  private func send(_ request: HTTPClientRequest) async throws -> Answer {
    let response = try await client.execute(request, timeout: Self.requestTimeout)
    let body = try await response.body.collect(upTo: Self.maxAnswerBytes)
    return Answer(
      status: Int(response.status.code), body: Array(body.readableBytesView),
      retryAfter: response.headers.first(name: "Retry-After").flatMap(Double.init))
  }

  /// Which rows the hub's history has: those for whose instant it holds a value of one of the row's attributes.
  func stored(_ rows: [OutgoingRow]) async throws -> Set<Int> {
    var byEntity: [String: [OutgoingRow]] = [:]
    for row in rows where row.entity.observedAt != nil && row.entity.probe != nil {
      byEntity[row.entity.id, default: []].append(row)
    }
    var found: Set<Int> = []
    for id in byEntity.keys.sorted() {
      var waiting: [ArraySlice<OutgoingRow>] = []
      let own = (byEntity[id] ?? []).sorted { $0.time < $1.time }
      for start in stride(from: 0, to: own.count, by: Self.lookUpRows) {
        waiting.append(own[start..<min(start + Self.lookUpRows, own.count)])
      }
      while let part = waiting.popLast() {
        let (times, isWhole) = try await history(id, part)
        for row in part where times.contains(row.time) { found.insert(row.sequence) }
        guard !isWhole, part.count > 1 else { continue }
        let middle = part.startIndex + part.count / 2
        waiting += [part[..<middle], part[middle...]]
      }
    }
    return found
  }

  /// Instants of an entity's history over the span of the rows, and whether the answer was whole.
  private func history(_ id: String, _ rows: ArraySlice<OutgoingRow>) async throws -> (Set<Int64>, isWhole: Bool) {
    let from = DateTime(microseconds: (rows.first?.time ?? 0) - 1_000_000)
    let to = DateTime(microseconds: (rows.last?.time ?? 0) + 1_000_000)
    let attributes = Set(rows.compactMap(\.entity.probe)).sorted().joined(separator: ",")
    var unreserved = CharacterSet.alphanumerics
    unreserved.insert(charactersIn: "-._~:")
    let path = id.addingPercentEncoding(withAllowedCharacters: unreserved) ?? id
    var request = HTTPClientRequest(
      url: settings.base
        + "/ngsi-ld/v1/temporal/entities/\(path)?timerel=between&timeAt=\(from)&endTimeAt=\(to)&attrs=\(attributes)&options=temporalValues"
    )
    request.headers = common
    var pauses = Pauses(patience: settings.patience)
    while true {
      let answer: Answer
      do {
        answer = try await send(request)
      } catch let error as CancellationError {
        throw error
      } catch {
        try await pauses.wait(
          for: "the hub at \(settings.base) does not answer (\(Self.short(error)))", after: nil, settings.notice)
        continue
      }
      switch answer.status {
      case 200, 206: return (Self.times(answer.body), answer.status == 200)
      case 429, 500...599:
        try await pauses.wait(
          for: "the hub at \(settings.base) answers \(answer.status) to a look-up", after: answer.retryAfter,
          settings.notice)
      case 404: return ([], true)
      default:
        throw IngestError(
          "the hub at \(settings.base) answers \(answer.status) when asked which rows it has: \(Self.reason(answer))")
      }
    }
  }

  /// Times in `{"pm25": {"type": "Property", "values": [[17, "2018-01-01T…Z"], …]}}`.
  private static func times(_ body: [UInt8]) -> Set<Int64> {
    var times: Set<Int64> = []
    for member in (try? JSONParser.parse(body))?.object ?? JSONObject() {
      for set in member.value.items {
        for pair in set["values"]?.array ?? [] {
          if let text = pair.array?.dropFirst().first?.string, let time = DateTime(text) {
            times.insert(time.microseconds)
          }
        }
      }
    }
    return times
  }

  private static func reason(_ answer: Answer) -> String {
    let body = try? JSONParser.parse(answer.body)
    let text = body?["detail"]?.string ?? body?["title"]?.string
    return text ?? String(decoding: answer.body.prefix(200), as: UTF8.self)
  }

  private static func short(_ error: any Error) -> String { String("\(error)".prefix(160)) }
}

extension OutgoingRow {
  var time: Int64 { entity.observedAt?.microseconds ?? 0 }
}

/// Growing pauses between attempts, up to the end of one's patience.
struct Pauses {
  let patience: Duration
  private var next = 0.1
  private var startedAt: ContinuousClock.Instant?
  private var lastNotice: ContinuousClock.Instant?

  init(patience: Duration) { self.patience = patience }

  mutating func wait(for reason: String, after: Double?, _ notice: @Sendable (String) -> Void) async throws {
    let now = ContinuousClock.now
    let started = startedAt ?? now
    startedAt = started
    guard now - started < patience else {
      throw IngestError("\(reason); given up after \(patience.components.seconds) s. Start again to go on from here.")
    }
    let pause = min(max(after ?? 0, next), 30)
    if lastNotice.map({ now - $0 > .seconds(5) }) ?? true {
      notice("\(reason); trying again in \((pause * 10).rounded() / 10) s")
      lastNotice = now
    }
    next = min(next * 2, 5)
    try await Task.sleep(for: .seconds(pause))
  }
}
