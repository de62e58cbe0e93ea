import Hub
import NGSI
import NIOHTTP1
import Store

/// A way in for messages of another standard: `POST /city/v1/ingest/{id}`.
///
/// Whoever makes the door says how a message is read; the hub takes what it says as it takes a batch upsert, within the
/// same bounds, and what is refused goes into the history of refused input.
public struct IngestDoor: Sendable {
  /// What a message says.
  public struct Reading: Sendable {
    /// NGSI-LD entities in normalized form with short names, in the order they are to be carried out.
    public var entities: [JSON]
    /// Parts that say nothing that can be taken: the entity they would be about, the part as it came, and why.
    public var refused: [(entityId: String?, part: String, problem: Problem)]

    public init(entities: [JSON], refused: [(entityId: String?, part: String, problem: Problem)]) {
      self.entities = entities
      self.refused = refused
    }
  }

  public var id: String
  /// Media types of its messages; others are refused, `text/plain` above all, which any web page could post.
  public var mediaTypes: [String]
  /// JSON-LD context that the names of the entities are read with.
  public var context: JSON
  public var read: @Sendable (JSON, DateTime) throws(Problem) -> Reading

  public init(
    id: String, mediaTypes: [String], context: JSON,
    read: @escaping @Sendable (JSON, DateTime) throws(Problem) -> Reading
  ) {
    self.id = id
    self.mediaTypes = mediaTypes
    self.context = context
    self.read = read
  }
}

extension CityAPI {
  /// 204 when all was taken, 207 with the errors when some was, 400 when nothing was.
  func ingest(_ exchange: Exchange, _ id: String) async throws(Problem) -> APIResponse {
    guard let door = doors[id] else { throw .notFound("there is no adapter '\(id.prefix(60))'") }
    guard exchange.request.method == .POST else { throw API.notAllowed(exchange) }
    do throws(Problem) {
      try exchange.takes(Parameters.none)
      return try await take(exchange, door)
    } catch {
      if error.status < 500 { note(error, nil, Self.beginning(of: exchange), exchange, door) }
      throw error
    }
  }

  private func take(_ exchange: Exchange, _ door: IngestDoor) async throws(Problem) -> APIResponse {
    let type = exchange.request.headers[first: HeaderName.contentType] ?? ""
    let essence = type.split(separator: ";").first.map { String($0).trimmingSpaces.lowercased() } ?? ""
    guard door.mediaTypes.contains(essence) else {
      throw Problem(.unsupportedMediaType, "the body must be \(door.mediaTypes.joined(separator: " or "))")
    }
    let reading = try door.read(try exchange.json(), hub.time)
    guard reading.entities.count <= hub.limits.batchEntities else {
      throw Problem(.payloadTooLarge, "a message may say at most \(hub.limits.batchEntities) readings")
    }
    for refused in reading.refused { note(refused.problem, refused.entityId, refused.part, exchange, door) }
    let reader = EntityReader(context: try await hub.context(door.context))
    let items = reading.entities.map { json -> BatchItem in
      do throws(Problem) {
        return BatchItem(id: json["id"]?.string ?? "", content: .success(try reader.entity(json)))
      } catch {
        return BatchItem(id: json["id"]?.string ?? "", content: .failure(error))
      }
    }
    let result = try await hub.batch(.upsertUpdate, items, in: exchange.tenant)
    for error in result.errors where error.problem.status < 500 {
      let part = reading.entities.first { $0["id"]?.string == error.id }
      note(error.problem, error.id, part.map(JSONWriter.text) ?? "", exchange, door)
    }
    let errors =
      reading.refused.map { ($0.entityId ?? "", $0.problem) } + result.errors.map { ($0.id, $0.problem) }
    guard !errors.isEmpty else { return .noContent }
    let success = result.created.count + result.updated.count
    return Self.json(
      [
        "taken": .integer(Int64(success)),
        "errors": .array(errors.prefix(100).map { ["entityId": .string($0.0), "error": $0.1.json] }),
        "errorCount": .integer(Int64(errors.count)),
      ], status: success > 0 ? 207 : 400)
  }

  private func note(
    _ problem: Problem, _ entityId: String?, _ part: String, _ exchange: Exchange, _ door: IngestDoor
  ) {
    hub.noteRefused(
      RefusedInput(
        door: "ingest " + door.id, source: exchange.request.remote ?? "", tenant: exchange.tenant, problem: problem,
        entityId: entityId, sample: String(part.prefix(512))))
  }

  private static func beginning(of exchange: Exchange) -> String {
    let body = exchange.request.body
    let bytes = body.getBytes(at: body.readerIndex, length: min(512, body.readableBytes)) ?? []
    return String(decoding: bytes, as: UTF8.self)
  }
}
