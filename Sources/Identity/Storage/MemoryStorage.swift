public import NGSI
import Synchronization

/// Keeps everything in memory, for tests.
public final class MemoryStorage: IdentityStorage {
  private let state = Mutex<[IdentityCollection: Shelf]>([:])
  private let events = Mutex<[IdentityEvent]>([])

  /// What was noted, in order.
  public var noted: [IdentityEvent] { events.withLock { $0 } }

  public init() {}

  public func read<Value>(_ body: (any IdentityReader) throws -> Value) throws -> Value {
    try body(Session(shelves: state.withLock { $0 }))
  }

  public func write<Value: Sendable>(
    _ body: @escaping @Sendable (any IdentityWriter) throws -> Value
  ) async throws -> Value {
    try state.withLock { shelves in
      let session = Session(shelves: shelves)
      let value = try body(session)
      shelves = session.shelves
      events.withLock { $0 += session.events }
      return value
    }
  }

  public func tell(_ event: IdentityEvent) async { events.withLock { $0.append(event) } }

  struct Shelf: Sendable {
    var ids: [String] = []
    var bodies: [String: JSON] = [:]
  }

  private final class Session: IdentityWriter {
    var shelves: [IdentityCollection: Shelf]
    var events: [IdentityEvent] = []

    init(shelves: [IdentityCollection: Shelf]) { self.shelves = shelves }

    func document(_ id: String, in collection: IdentityCollection) -> JSON? { shelves[collection]?.bodies[id] }

    func documents(in collection: IdentityCollection, offset: Int, limit: Int) -> [(id: String, body: JSON)] {
      guard let shelf = shelves[collection] else { return [] }
      return shelf.ids.dropFirst(offset).prefix(limit).compactMap { id in shelf.bodies[id].map { (id, $0) } }
    }

    func count(in collection: IdentityCollection) -> Int { shelves[collection]?.ids.count ?? 0 }

    func put(_ body: JSON, id: String, in collection: IdentityCollection) {
      var shelf = shelves[collection] ?? Shelf()
      if shelf.bodies.updateValue(body, forKey: id) == nil { shelf.ids.append(id) }
      shelves[collection] = shelf
    }

    func note(_ event: IdentityEvent) { events.append(event) }

    func delete(_ id: String, in collection: IdentityCollection) -> Bool {
      guard shelves[collection]?.bodies.removeValue(forKey: id) != nil else { return false }
      shelves[collection]?.ids.removeAll { $0 == id }
      return true
    }
  }
}
