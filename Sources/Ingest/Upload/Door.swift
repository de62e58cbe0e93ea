import City
import NGSI

/// A row on its way, with its number in the series.
struct OutgoingRow: Sendable {
  /// From 1, counted over all files in the order they are merged.
  var sequence: Int
  var record: Record
  var entity: MappedEntity
}

/// What came of a delivery.
struct Delivery: Sendable {
  /// Reasons by sequence of the rows that were refused.
  var refused: [Int: String] = [:]
  /// How long the slowest request took that was answered.
  var longest: Duration = .zero

  mutating func add(_ other: Delivery) {
    refused.merge(other.refused) { first, _ in first }
    longest = max(longest, other.longest)
  }
}

/// Where rows go.
protocol Door: Sendable {
  /// Delivers rows in order; returns when each is stored durably or refused for good.
  /// - Parameter inDoubt: whether some may be there already, from a run that was cut off.
  func deliver(_ rows: [OutgoingRow], inDoubt: Bool) async throws -> Delivery
  /// Which of the rows are there already, as far as that can be known.
  func stored(_ rows: [OutgoingRow]) async throws -> Set<Int>
  /// Returns when nothing is under way any more that an earlier run may have left.
  func rest() async throws
}

/// The way in of a city in the same process, used at boot.
struct SinkDoor: Door {
  let sink: any EntitySink

  func deliver(_ rows: [OutgoingRow], inDoubt: Bool) async throws -> Delivery {
    let reader = EntityReader(context: .core)
    var delivery = Delivery()
    var entities: [Entity] = []
    for row in rows {
      do { entities.append(try reader.entity(JSONParser.parse(row.entity.json)).entity()) } catch {
        delivery.refused[row.sequence] = (error as? Problem)?.detail ?? "\(error)"
      }
    }
    if !entities.isEmpty { try await sink.upsert(entities) }
    return delivery
  }

  func stored(_ rows: [OutgoingRow]) async throws -> Set<Int> { [] }

  func rest() async throws {}
}
