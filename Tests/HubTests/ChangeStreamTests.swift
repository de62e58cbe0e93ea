import NGSI
import Store
import Testing

@testable import Hub

// Clauses: none: the change stream is our own
@Suite struct ChangeStreamTests {
  private func change(_ id: String) -> EntityChange {
    EntityChange(
      tenant: .default, entityId: id, old: nil, new: Entity(id: id, types: ["T"]), attributes: [],
      at: DateTime(microseconds: 0))
  }

  @Test func changesComeInOrderWithoutGaps() async throws {
    let stream = ChangeStream(buffer: 8, maxListeners: 2)
    let changes = try #require(stream.listen { $0.entityId != "b" })
    stream.publish([change("a"), change("b"), change("c")])
    stream.finish()
    var seen: [String] = []
    for await case .change(let change) in changes { seen.append("\(change.sequence)\(change.entityId)") }
    #expect(seen == ["1a", "3c"])
    #expect(stream.listen() == nil)
  }

  @Test func whatIsUpsetIsReadAnew() async throws {
    let stream = ChangeStream(buffer: 8, maxListeners: 2)
    let changes = try #require(stream.listen())
    stream.publish([change("a")])
    stream.upset()
    stream.upset()
    var iterator = changes.makeAsyncIterator()
    guard case .change? = await iterator.next(), case .missed(2)? = await iterator.next() else {
      Issue.record("a change, and then that all has to be read")
      return
    }
    // One that waits is woken.
    let waiting = Task { await changes.first { _ in true } }
    for _ in 0..<1000 where !waiting.isCancelled {
      stream.upset()
      try await Task.sleep(for: .milliseconds(2))
      if stream.figures.listeners == 0 { break }
    }
    guard case .missed? = await waiting.value else {
      Issue.record("nobody was woken")
      return
    }
  }

  @Test func aListenerThatLagsIsToldRightAfterWhatItGot() async throws {
    let stream = ChangeStream(buffer: 2, maxListeners: 2)
    let changes = try #require(stream.listen())
    stream.publish((0..<5).map { change("\($0)") })
    #expect(stream.figures.missed == 3)
    var iterator = changes.makeAsyncIterator()
    var seen: [String] = []
    for _ in 0..<3 {
      switch await iterator.next() {
      case .change(let change): seen.append(change.entityId)
      case .missed(let count): seen.append("missed \(count)")
      case nil: seen.append("end")
      }
    }
    #expect(seen == ["0", "1", "missed 3"])
    stream.publish([change("5")])
    if case .change(let change) = await iterator.next() {
      #expect(change.entityId == "5")
    } else {
      Issue.record("no change")
    }
  }

  @Test func listenersAreBoundedAndLetGo() async throws {
    let stream = ChangeStream(buffer: 2, maxListeners: 1)
    var held = stream.listen()
    #expect(held != nil && stream.listen() == nil)
    held = nil
    #expect(stream.figures.listeners == 0)
    let task = Task { [changes = stream.listen()] in
      guard let changes else { return }
      for await _ in changes {}
    }
    task.cancel()
    await task.value
  }
}
