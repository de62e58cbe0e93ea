import NGSI
import Testing

@testable import Incidents

@Suite struct RecordTests {
  /// Random commands, many of them refused: what is kept folds to what is known, and what must never be never is.
  @Test(arguments: 1...8) func whatIsKeptFoldsToWhatIsKnown(seed: UInt64) throws {
    var random = Chance(seed)
    var record = Samples.record()
    var given = 0
    var refused = 0
    for number in 0..<600 {
      let command = try Self.command(&random)
      let before = record
      let party = random.below(3) == 0 ? Samples.lee : Samples.kim
      do throws(CommandRefusal) {
        try record.give(
          command, id: "c\(random.below(900))", by: party,
          at: Samples.start.adding(seconds: Double(number) * 7 - Double(random.below(20))))
        given += 1
      } catch {
        refused += 1
        #expect(record == before, "what is refused leaves no trace")
      }
      let incident = record.incident
      #expect(incident.sequence == record.entries.count)
      if before.incident.isAlarming, !incident.isAlarming {
        #expect([.acknowledge, .merge(into: "urn:other")].contains(record.entries.last?.command))
      }
      if incident.status == .closed {
        #expect(!incident.isAlarming && incident.outcome != nil && incident.dispatches.allSatisfy { !$0.status.isOut })
      }
    }
    #expect(given > 50 && refused > 50)
    #expect(
      zip(record.entries, record.entries.dropFirst()).allSatisfy { $0.at <= $1.at && $0.sequence + 1 == $1.sequence })
    let folded = try Record(id: record.incident.id, exercise: nil, folding: record.entries)
    #expect(folded == record)
    // Also by way of the text in which it is kept.
    let read = try record.entries.map { try Entry(json: try JSONParser.parse(Array(JSONWriter.text($0.json).utf8))) }
    #expect(read == record.entries)
    for entry in record.entries.indices.filter({ $0 % 37 == 0 }) {
      let prefix = try Record(id: record.incident.id, exercise: nil, folding: Array(record.entries[...entry]))
      let at = record.entries[entry].at
      if entry + 1 == record.entries.count || record.entries[entry + 1].at > at {
        #expect(record.incident(at: at) == prefix.incident)
      }
    }
    #expect(record.incident(at: Samples.start.adding(seconds: -1)) == nil)
  }

  @Test func aDamagedRecordIsNotTakenForAnother() throws {
    var told = Telling()
    try told.give(.acknowledge)
    try told.give(.note("x", audience: ["fire"]))
    let entries = told.record.entries
    func folds(_ entries: [Entry]) -> Bool {
      (try? Record(id: "urn:ngsi-ld:Incident:1", exercise: nil, folding: entries)) != nil
    }
    #expect(folds(entries))
    #expect(!folds([]) && !folds(Array(entries.dropFirst())) && !folds([entries[0], entries[2]]))
    #expect(!folds(entries + [entries[1]]))
  }

  @Test(arguments: [
    (#"{"command": "fly"}"#, "there is no command 'fly'"), (#"{}"#, "'command' names"), (#"[]"#, "'command' names"),
    (#"{"command": "note"}"#, "'text' is missing"), (#"{"command": "note", "text": ""}"#, "'text' is a text"),
    (#"{"command": "note", "text": "a\u0000b"}"#, "'text' is a text"),
    (#"{"command": "note", "text": "a", "to": 1}"#, "no member 'to'"),
    (#"{"command": "locate", "position": {"longitude": 200, "latitude": 0}}"#, "'position.longitude' is a number"),
    (#"{"command": "unit", "unit": "u", "status": "gone"}"#, "'status' is one of requested"),
    (#"{"command": "step", "step": "a", "action": "skip"}"#, "'reason' is missing"),
    (
      #"{"command": "report", "report": {"source": "s", "number": "1", "channel": "page", "category": "fire", "observedAt": "yesterday"}}"#,
      "'report.observedAt' is a time"
    ),
    (#"{"command": "assign", "to": {"kind": "King", "id": "x"}}"#, "'to.kind' is one of"),
    (#"{"command": "repeated", "source": "s", "number": "1", "times": 0}"#, "'times' is a whole number"),
  ]) func whatIsNoCommandIsSaid(text: String, expected: String) throws {
    let json = try JSONParser.parse(Array(text.utf8))
    do throws(Problem) {
      let command = try Command(json: json)
      Issue.record("\(command)")
    } catch { #expect(error.kind == .badRequestData && error.detail.contains(expected), "\(error.detail)") }
  }

  private static func command(_ random: inout Chance) throws -> Command {
    func text() -> String { ["서울 \"따옴표\"", "line\nbreak", "x", "émile 🚒"][random.below(4)] }
    let unit = "unit-\(random.below(4))"
    switch random.below(19) {
    case 0: return .report(Samples.report("\(random.below(50))", severity: Severity.allCases[random.below(5)]))
    case 1: return .repeated(Samples.report().key, times: 1 + random.below(5))
    case 2: return random.below(60) == 0 ? .merge(into: "urn:other") : .note(text(), audience: ["fire", "police"])
    case 3:
      return .absorb(
        Command.Absorbed(
          incident: "urn:a\(random.below(5))", reports: [Samples.report("z")],
          units: [
            Dispatch.State(
              dispatch: Dispatch(unit: unit, agency: "fire", task: "x"), times: [.requested: Samples.start])
          ],
          agencies: ["rescue"], severity: .minor, isAlarming: random.below(2) == 0))
    case 4, 5: return .acknowledge
    case 6: return .assign(random.below(2) == 0 ? nil : Samples.lee)
    case 7:
      return .classify(
        category: random.below(2) == 0 ? "gas" : nil, severity: random.below(2) == 0 ? .extreme : nil, reason: text())
    case 8:
      let place = Position(
        longitude: Double(random.below(360)) - 180, latitude: Double(random.below(180)) - 90, uncertainty: 12.5,
        confidence: 68)
      return .locate(try #require(place), address: random.below(2) == 0 ? text() : nil)
    case 9: return .involve(agency: "agency-\(random.below(60))")
    case 10: return .begin(try Samples.procedure())
    case 11, 12:
      let actions: [Command.StepAction] = [
        .start, .done(note: text()), .done(note: nil), .skip(reason: text()), .undo(reason: text()),
      ]
      return .step(id: ["look", "warn", "call", "tell", "none"][random.below(5)], actions[random.below(5)])
    case 13: return .dispatch(Dispatch(unit: unit, agency: "fire", task: text()))
    case 14, 15:
      return .unit(id: unit, Dispatch.Status.allCases[random.below(7)], reason: random.below(2) == 0 ? text() : nil)
    case 16: return .grant(id: "urn:ngsi-ld:Grant:\(random.below(9))")
    case 17: return .resolve(.init(Command.Outcome.Kind.allCases[random.below(4)], text: text()))
    default:
      return [.close(summary: text()), .reopen(reason: text()), .handOver(to: Samples.lee, summary: text())][
        random.below(3)]
    }
  }
}

/// Numbers that are the same for the same seed (SplitMix64).
struct Chance {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func below(_ bound: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return Int((z ^ (z >> 31)) % UInt64(bound))
  }
}
