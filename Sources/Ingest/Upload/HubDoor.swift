import AsyncHTTPClient
import Foundation
import NGSI
import NIOCore
import NIOHTTP1

/// A hub's own way in: `POST /ngsi-ld/v1/entityOperations/upsert?options=update` (ETSI GS CIM 009 clause 6.15).
///
/// Answers that may pass (no connection, 429, 5xx) are tried again with growing pauses until the patience is over.
/// After an answer that leaves open whether rows were stored, the hub is let come to rest and asked which it has, so
/// that none is stored twice. A batch that is refused whole is halved until the rows at fault are found.
struct HubDoor: Door {
  struct Settings: Sendable {
    /// Scheme, host and port.
    var base: String
    var tenant: String?
    /// URL of the @context of the rows' names.
    var context: String?
    var patience: Duration
    /// Longer than the hub takes to read a batch: so long it may go on with a request whose sender is gone.
    var grace: Duration = .seconds(1)
    /// Hears what people should know, one sentence a call.
    var notice: @Sendable (String) -> Void
  }

  static let maxAnswerBytes = 64 << 20
  static let requestTimeout = TimeAmount.seconds(120)
  let client: HTTPClient
  let settings: Settings

  struct Answer {
    var status: Int
    var body: [UInt8]
    var retryAfter: Double?
  }

  func deliver(_ rows: [OutgoingRow], inDoubt: Bool) async throws -> Delivery {
    var delivery = Delivery()
    var rows = rows
    if inDoubt { rows = try await without(stored(rows), rows) }
    guard !rows.isEmpty else { return delivery }
    var pauses = Pauses(patience: settings.patience)
    while true {
      let answer: Answer
      let sentAt = ContinuousClock.now
      do {
        answer = try await post(rows)
        delivery.longest = max(delivery.longest, ContinuousClock.now - sentAt)
      } catch let error as CancellationError {
        throw error
      } catch {
        try await pauses.wait(
          for: "the hub at \(settings.base) does not answer (\(Self.short(error)))", after: nil, settings.notice)
        try await rest()
        rows = try await without(stored(rows), rows)
        if rows.isEmpty { return delivery }
        continue
      }
      switch answer.status {
      case 200, 201, 204: return delivery
      case 207:
        delivery.refused.merge(try await failures(answer, rows)) { first, _ in first }
        return delivery
      case 400, 413, 422:
        guard rows.count > 1 else {
          delivery.refused[rows[0].sequence] = Self.reason(answer)
          return delivery
        }
        let middle = rows.count / 2
        for half in [Array(rows[..<middle]), Array(rows[middle...])] {
          delivery.add(try await deliver(half, inDoubt: false))
        }
        return delivery
      case 429, 500...599:
        try await pauses.wait(
          for: "the hub at \(settings.base) answers \(answer.status) (\(Self.reason(answer)))",
          after: answer.retryAfter, settings.notice)
        if answer.status != 429 { rows = try await without(stored(rows), rows) }
        if rows.isEmpty { return delivery }
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

  var common: HTTPHeaders {
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

  func send(_ request: HTTPClientRequest) async throws -> Answer {
    let response = try await client.execute(request, timeout: Self.requestTimeout)
    let body = try await response.body.collect(upTo: Self.maxAnswerBytes)
    return Answer(
      status: Int(response.status.code), body: Array(body.readableBytesView),
      retryAfter: response.headers.first(name: "Retry-After").flatMap(Double.init))
  }

  static func reason(_ answer: Answer) -> String {
    let body = try? JSONParser.parse(answer.body)
    let text = body?["detail"]?.string ?? body?["title"]?.string
    return text ?? String(decoding: answer.body.prefix(200), as: UTF8.self)
  }

  static func short(_ error: any Error) -> String { String("\(error)".prefix(160)) }
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
