import NGSI
import Testing

@testable import Console

@Suite("Live changes")
struct EventStreamTests {
  @Test("the log gives each id once, and says refresh when it has not got everything")
  func log() {
    var log = ChangeLog(epoch: "e", capacity: 4)
    #expect(log.since(0, most: 10) == .changes(ids: [], upTo: 0))
    for id in ["a", "b", "a"] { log.append(id) }
    #expect(log.since(0, most: 10) == .changes(ids: ["a", "b"], upTo: 3))
    #expect(log.since(2, most: 10) == .changes(ids: ["a"], upTo: 3))
    #expect(log.since(0, most: 1) == .refresh(upTo: 3))
    for id in ["c", "d"] { log.append(id) }
    #expect(log.since(0, most: 10) == .refresh(upTo: 5), "the first has been overwritten")
    #expect(log.since(1, most: 10) == .changes(ids: ["b", "a", "c", "d"], upTo: 5))
    #expect(log.since(99, most: 10) == .refresh(upTo: 5), "a number of another run")
    log.forget()
    #expect(log.since(5, most: 10) == .refresh(upTo: log.last))
    log.append("z")
    #expect(log.since(log.last - 1, most: 10) == .changes(ids: ["z"], upTo: log.last))
  }

  private func board(_ city: FixtureCity, capacity: Int = 100, logCapacity: Int = 8192) async throws -> Board {
    let resources = try Resources(folder: nil)
    let rules = try StateRules(try resources.json("data/rules.json"))
    let board = Board(
      source: city, summarizer: Summarizer(rules: rules, names: try Names(resources)), capacity: capacity,
      logCapacity: logCapacity)
    await board.start()
    while await city.store.listenerCount == 0 { try await Task.sleep(for: .milliseconds(2)) }
    while await board.phase != .ready { try await Task.sleep(for: .milliseconds(2)) }
    return board
  }

  private func settle(_ board: Board, _ condition: (Board) async -> Bool) async throws {
    for _ in 0..<1000 where await !condition(board) { try await Task.sleep(for: .milliseconds(5)) }
    #expect(await condition(board))
  }

  @Test("a change reaches the client once; a client that fell behind is told to read anew")
  func client() async throws {
    let city = FixtureCity()
    await city.store.put(FixtureCity.station(1, pm25: 10))
    let board = try await board(city, logCapacity: 64)
    let log = await board.log
    var stream = await EventStream(board: board, source: city, cursor: "\(log.epoch)-\(log.last)")
    #expect(await stream.next() == nil)
    await city.store.send([.updated(FixtureCity.station(1, pm25: 90)), .updated(FixtureCity.station(2, pm25: 10))])
    try await settle(board) { await $0.items.count == 2 }
    let event = String(decoding: await stream.next() ?? [], as: UTF8.self)
    #expect(event.contains("event: changes"))
    #expect(event.contains(#"["urn:ngsi-ld:AirQualityObserved:1","AirQualityObserved",129.1,35.1,0,"#))
    #expect(await stream.next() == nil)
    await city.store.send([.removed(id: "urn:ngsi-ld:AirQualityObserved:2")])
    try await settle(board) { await $0.items.count == 1 }
    #expect(String(decoding: await stream.next() ?? [], as: UTF8.self).contains(#""removed":["urn:ngsi-ld:AirQ"#))
    await city.store.send((10..<80).map { .updated(FixtureCity.station($0, pm25: 10)) })
    try await settle(board) { await $0.items.count == 71 }
    #expect(String(decoding: await stream.next() ?? [], as: UTF8.self).contains("event: refresh"))
    var stranger = await EventStream(board: board, source: city, cursor: "another-5")
    #expect(String(decoding: await stranger.next() ?? [], as: UTF8.self).contains("event: refresh"))
  }

  @Test("the board is bounded and counts what it leaves out")
  func bounded() async throws {
    let city = FixtureCity()
    for number in 0..<150 { await city.store.put(FixtureCity.station(number, pm25: 10)) }
    let board = try await board(city, capacity: 100)
    #expect(await board.items.count == 100)
    #expect(await board.leftOut == 50)
  }

  @Test("lost changes make the board read everything again")
  func lost() async throws {
    let city = FixtureCity()
    let board = try await board(city)
    await city.store.put(FixtureCity.station(5, pm25: 10))
    #expect(await board.items.isEmpty)
    await city.store.send([.lost])
    try await settle(board) { await $0.items.count == 1 }
  }

  @Test("seats are given back")
  func seats() {
    let clients = EventClients()
    var seats: [EventClients.Seat] = []
    while let seat = clients.seat() { seats.append(seat) }
    #expect(seats.count == EventClients.bound)
    seats.removeAll()
    #expect(clients.count == 0)
  }
}
