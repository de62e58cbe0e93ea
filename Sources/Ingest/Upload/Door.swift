import City
import NGSI

/// A row on its way, with its number in the series.
struct OutgoingRow: Sendable {
  /// From 1, counted over all files in the order they are merged.
  var sequence: Int
  var record: Record
  var entity: MappedEntity
}

/// Where rows go.
protocol Door: Sendable {
  /// Delivers rows in order; returns when each is stored durably or refused for good.
  /// - Parameter inDoubt: whether some may be there already, from a run that was cut off.
  /// - Returns: reasons by sequence of the rows that were refused.
  func deliver(_ rows: [OutgoingRow], inDoubt: Bool) async throws -> [Int: String]
  /// Which of the rows are there already, as far as that can be known.
  func stored(_ rows: [OutgoingRow]) async throws -> Set<Int>
}

/// The way in of a city in the same process, used at boot.
struct SinkDoor: Door {
  let sink: any EntitySink

  func deliver(_ rows: [OutgoingRow], inDoubt: Bool) async throws -> [Int: String] {
    let reader = EntityReader(context: .core)
    var refused: [Int: String] = [:]
    var entities: [Entity] = []
    for row in rows {
      do { entities.append(try reader.entity(JSONParser.parse(row.entity.json)).entity()) } catch {
        refused[row.sequence] = (error as? Problem)?.detail ?? "\(error)"
      }
    }
    if !entities.isEmpty { try await sink.upsert(entities) }
    return refused
  }

  func stored(_ rows: [OutgoingRow]) async throws -> Set<Int> { [] }
}
