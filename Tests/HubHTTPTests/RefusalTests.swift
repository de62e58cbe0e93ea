import NGSI
import NIOCore
import NIOHTTP1
import Store
import Testing

@testable import Hub
@testable import HubHTTP

@Suite("Refused input")
struct RefusalTests {
  @Test("what, why, from whom, how often")
  func history() async throws {
    try await withHub { hub in
      for number in 1...3 {
        hub.clock.move(10)
        let bad = #"{"id": "urn:x:\#(number)", "type": "Room", "t": {"type": "Property"}}"#
        #expect(await hub.post("entities", bad).status == 400)
      }
      let batch = "[\(room(1)), \(#"{"id": "urn:x:9", "type": "Room", "t": {"type": "Property"}}"#)]"
      #expect(await hub.post("entityOperations/upsert", batch).status == 207)
      #expect(await hub.post("entities", "{").status == 400)
      // Questions are no input.
      #expect(await hub.get("entities?q=((").status == 400)
      #expect(await hub.post("entityOperations/query", #"{"type": "Wrong"}"#).status == 400)

      let all = await hub.city(.GET, "refusals?count=true")
      #expect(all.header("NGSILD-Results-Count") == "3")
      let single = await hub.city(.GET, "refusals?door=POST%20%2Fentities&problem=BadRequestData").json.array ?? []
      #expect(single.count == 1)
      #expect(single.first?["count"] == 3)
      #expect(single.first?["entityIds"] == [] && single.first?["sample"]?.string?.contains("urn:x:3") == true)
      #expect(
        single.first?["firstAt"] == "2026-03-01T12:00:10.000Z" || single.first?["firstAt"] == "2026-03-01T12:00:10Z")
      let item = await hub.city(.GET, "refusals?door=POST%20%2FentityOperations%2Fupsert").json.array?.first
      #expect(item?["entityIds"] == ["urn:x:9"] && item?["sample"]?.string?.hasPrefix(#"{"id": "urn:x:9""#) == true)
      #expect(await hub.city(.GET, "refusals", tenant: "other").json == [])

      let id = item?["id"]?.string ?? ""
      #expect(await hub.city(.POST, "refusals/discard", #"{"ids": ["\#(id)"]}"#).json["discarded"] == 1)
      #expect(await hub.city(.POST, "refusals/discard", #"{"all": true}"#).json["discarded"] == 2)
      #expect(await hub.city(.GET, "refusals").json == [])
    }
  }

  @Test("it outlives a restart and goes on counting")
  func restart() async throws {
    let first = try await TestHub()
    for _ in 0..<5 { _ = await first.post("entities", "{") }
    while await first.hub.flushRefusals() {}
    await first.stop()
    let again = try await TestHub(folder: first.folder)
    _ = await again.post("entities", "{")
    let lines = await again.city(.GET, "refusals").json.array ?? []
    #expect(lines.count == 1 && lines.first?["count"] == 6)
    #expect(again.hub.refusals.figures.total == 6)
    await again.remove()
  }

  @Test("a flood is counted, not kept", arguments: [true, false])
  func flood(fromOneSource: Bool) {
    var limits = Limits()
    limits.refusals = 300
    let book = RefusalBook(limits: limits)
    let start = DateTime(microseconds: 1_800_000_000_000_000)
    for number in 0..<20_000 {
      let reason = String(number, radix: 36).map { $0.isNumber ? Character("q") : $0 }
      let input = RefusedInput(
        door: "POST /entities", source: fromOneSource ? "10.0.0.1" : "source \(number)", tenant: .default,
        problem: .badRequest("wrong \(String(reason))"), sample: String(repeating: "x", count: 5_000))
      book.note(input, at: start.adding(seconds: Double(number) / 100))
    }
    let (lines, total) = book.lines(in: .default, where: { _ in true }, page: Page(limit: 10_000))
    #expect(book.figures.total == 20_000)
    #expect(lines.reduce(0) { $0 + $1.count } == 20_000)
    #expect(total <= (fromOneSource ? limits.refusalsOfSource + 1 : limits.refusals + 1))
    #expect(lines.allSatisfy { $0.sample.utf8.count <= 512 })
    #expect(lines.contains { $0.source == RefusalBook.others })
    var written = 0
    while let changes = book.takeChanges() {
      #expect(changes.put.count <= RefusalBook.flushStep)
      written += changes.put.count
      book.hasWritten(changes, successfully: true)
    }
    #expect(written == total)
  }

  @Test("lines that rest make room, and their counts stay")
  func rest() {
    var limits = Limits()
    limits.refusals = 3
    let book = RefusalBook(limits: limits)
    let start = DateTime(microseconds: 1_800_000_000_000_000)
    for (number, word) in ["one", "two", "three", "four", "five"].enumerated() {
      for _ in 0...number {
        book.note(
          RefusedInput(door: "d", source: "s", tenant: .default, problem: .badRequest(word)),
          at: start.adding(seconds: Double(number) * 4_000))
      }
    }
    let lines = book.lines(in: .default, where: { _ in true }, page: Page(limit: 10)).lines
    #expect(lines.contains { $0.detail == "five" && $0.count == 5 } && !lines.contains { $0.detail == "one" })
    #expect(lines.reduce(0) { $0 + $1.count } == 15)
  }

  @Test("one reason in other words is one line")
  func reasons() {
    #expect(
      Refusal.reason("'/no2': expected number, found \"41\"") == Refusal.reason("'/pm10': expected number, found \"x\"")
    )
    #expect(Refusal.reason("there is no entity urn:a:1") == Refusal.reason("there is no entity urn:b:22"))
    #expect(Refusal.reason("byte 17") == Refusal.reason("byte 4"))
    #expect(Refusal.reason("expected number") != Refusal.reason("expected text"))
  }
}
