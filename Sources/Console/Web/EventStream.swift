import Hummingbird
import NGSI
import Synchronization

/// How many browsers may listen at once.
final class EventClients: Sendable {
  static let bound = 256
  private let open = Mutex(0)

  var count: Int { open.withLock { $0 } }

  /// A place among the listeners until the value goes away; `nil` when all are taken.
  func seat() -> Seat? {
    let free = open.withLock { count in
      guard count < Self.bound else { return false }
      count += 1
      return true
    }
    return free ? Seat(clients: self) : nil
  }

  final class Seat: Sendable {
    private let clients: EventClients

    fileprivate init(clients: EventClients) { self.clients = clients }

    deinit { clients.open.withLock { $0 -= 1 } }
  }
}

/// Server-sent events of one browser (HTML Living Standard, section 9.2).
///
/// Nothing is kept for a client but a sequence number: it is sent what the change log has after it, at most four
/// times a second; when that is more than ``mostChanges``, or no longer known, the event is `refresh`.
struct EventStream: Sendable {
  static let pause = Duration.milliseconds(250)
  static let mostChanges = 1000
  /// Pauses between two ticks, which carry the city's clock and show that the line is alive.
  static let tickEvery = 20

  let board: Board
  let source: any CitySource
  private let epoch: String
  private(set) var sequence: UInt64

  /// - Parameter cursor: `epoch-sequence` as an event or the map's document gave it; anything else begins with
  ///   `refresh`.
  init(board: Board, source: any CitySource, cursor: String?) async {
    self.board = board
    self.source = source
    let log = await board.log
    epoch = log.epoch
    let parts = (cursor ?? "").split(separator: "-")
    if parts.count == 2, parts[0] == epoch, let number = UInt64(parts[1]) {
      sequence = number
    } else {
      sequence = .max
    }
  }

  /// The next event to send; `nil` when nothing has changed.
  mutating func next() async -> [UInt8]? {
    let (answer, summaries, removed) = await board.changes(since: sequence, most: Self.mostChanges)
    switch answer {
    case .refresh(let upTo):
      sequence = upTo
      return event("refresh", ["now": now])
    case .changes(let ids, let upTo):
      sequence = upTo
      guard !ids.isEmpty else { return nil }
      let data: JSON = [
        "now": now, "changed": .array(summaries.map(MapDocument.change)),
        "removed": .array(removed.map(JSON.string)),
      ]
      return event("changes", data)
    }
  }

  func tick() -> [UInt8] { event("tick", ["now": now]) }

  private var now: JSON { .integer(source.now().microseconds / 1000) }

  private func event(_ name: String, _ data: JSON) -> [UInt8] {
    Array("id: \(epoch)-\(sequence)\nevent: \(name)\ndata: ".utf8) + JSONWriter.bytes(data) + Array("\n\n".utf8)
  }
}
