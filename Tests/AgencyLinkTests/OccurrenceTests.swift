import NGSI
import Testing

@testable import AgencyLink

@Suite struct OccurrenceTests {
  /// Takes messages one after another; a refusal is said in words.
  private func taken(_ bodies: [EventBody]) -> [String] {
    var occurrence: Occurrence?
    return bodies.map { body in
      guard var known = occurrence else {
        let (first, taking) = Occurrence.first(body)
        occurrence = first
        return "\(taking)"
      }
      do {
        let taking = try known.take(body)
        occurrence = known
        return "\(taking) \(known.status.rawValue)"
      } catch { return "\(error)" }
    }
  }

  @Test func anOccurrenceGoesItsWay() {
    let bodies = [
      Samples.body(), Samples.body(.updated, at: 10), Samples.body(.updated, at: 20), Samples.body(.cleared, at: 30),
      Samples.body(.updated, at: 40), Samples.body(.cleared, at: 50), Samples.body(.completed, at: 60),
    ]
    #expect(
      taken(bodies) == [
        "opened", "changed 40", "changed 40", "changed 50", "changed 40", "changed 50", "ended 91",
      ])
  }

  @Test func theSameIsTakenOnce() {
    let bodies = [
      Samples.body(), Samples.body(), Samples.body(.updated, at: 10), Samples.body(), Samples.body(.updated, at: 10),
      Samples.body(.completed, at: 20), Samples.body(.completed, at: 20), Samples.body(.updated, at: 10),
    ]
    #expect(
      taken(bodies) == [
        "opened", "duplicate 10", "changed 40", "duplicate 40", "duplicate 40", "ended 91", "duplicate 91",
        "duplicate 91",
      ])
  }

  @Test func twoBeginningsThatDifferLoseNothing() {
    var other = Samples.body(at: 1)
    other.content = "3층"
    #expect(taken([Samples.body(), other]) == ["opened", "changed 10"])
  }

  /// Times have no parts of seconds.
  @Test func twoChangesInOneSecondAreBothTaken() {
    var second = Samples.body(.updated, at: 10)
    second.content = "3층"
    #expect(
      taken([Samples.body(at: 10), Samples.body(.updated, at: 10), second]) == ["opened", "changed 40", "changed 40"])
  }

  @Test func lateMessagesAreKnownByTheirTime() {
    #expect(
      taken([Samples.body(.updated, at: 10), Samples.body(), Samples.body(.updated, at: 5)])
        == ["openedLate", "stale 40", "stale 40"])
    #expect(taken([Samples.body(.completed, at: 10), Samples.body(.updated, at: 5)]) == ["ended", "stale 91"])
    var timeless = Samples.body()
    timeless.statusAt = nil
    #expect(taken([Samples.body(.cleared, at: 10), timeless]) == ["openedLate", "stale 50"])
  }

  @Test func nothingFollowsAnEnd() {
    for end in [OccurrenceStatus.cancelled, .completed] {
      for next in OccurrenceStatus.allCases where next != .occurred {
        let said = taken([Samples.body(), Samples.body(end, at: 10), Samples.body(next, at: 20)])
        #expect(said.last == "'body.ocrSts' \(next.rawValue) may not follow \(end.rawValue)")
      }
    }
  }

  @Test func aRefusalChangesNothing() throws {
    var (occurrence, _) = Occurrence.first(Samples.body(.completed, at: 0))
    let before = occurrence
    #expect(throws: Occurrence.Refusal.mayNotFollow(.updated, after: .completed)) {
      _ = try occurrence.take(Samples.body(.updated, at: 1))
    }
    #expect(occurrence == before)
  }

  @Test func whatIsRememberedHasABound() throws {
    var (occurrence, _) = Occurrence.first(Samples.body())
    for step in 1...200 { _ = try occurrence.take(Samples.body(.updated, at: Double(step))) }
    #expect(occurrence.heard.count == Occurrence.remembered)
    // Forgotten, and still not taken twice: its time says what it is.
    #expect(try occurrence.take(Samples.body(.updated, at: 3)) == .stale)
  }

  @Test func keysTellSendersApart() {
    let one = OccurrenceKey(Samples.envelope(), Samples.body())
    #expect(one == OccurrenceKey(Samples.envelope(), Samples.body(.completed, at: 9)))
    #expect(one != OccurrenceKey(Samples.envelope(sender: "OTHER"), Samples.body()))
    #expect(one != OccurrenceKey(Samples.envelope(), Samples.body(number: "8")))
  }
}

@Suite struct TellingTests {
  private func steps(_ commands: [(String, String?)]) throws -> [String] {
    var telling = Telling(isExercise: false)
    return try commands.map { command, outcome in
      guard let happening = Telling.Happening(command: command, outcome: outcome) else { return "in the house" }
      switch try telling.hear(happening) {
      case .send(let status): return status.rawValue
      case .sendAnew: return "anew"
      case .nothing: return "nothing"
      }
    }
  }

  @Test func commandsBecomeMessages() throws {
    #expect(
      try steps([
        ("dispatch", nil), ("acknowledge", nil), ("unit", nil), ("dispatch", nil), ("note", nil), ("grant", nil),
        ("resolve", "handled"), ("unit", nil), ("close", nil), ("close", nil),
      ]) == [
        "10", "in the house", "40", "40", "in the house", "in the house", "50", "nothing", "91", "nothing",
      ])
  }

  @Test func aFalseAlarmIsCancelled() throws {
    #expect(try steps([("involve", nil), ("resolve", "false-alarm"), ("close", nil)]) == ["10", "90", "nothing"])
    #expect(try steps([("involve", nil), ("merge", nil)]) == ["10", "90"])
    #expect(try steps([("involve", nil), ("resolve", "handled"), ("merge", nil)]) == ["10", "50", "90"])
  }

  @Test func whatIsOpenedAgainIsToldAgain() throws {
    #expect(try steps([("dispatch", nil), ("resolve", "handled"), ("reopen", nil)]) == ["10", "50", "40"])
    #expect(
      try steps([("dispatch", nil), ("resolve", "handled"), ("close", nil), ("reopen", nil), ("unit", nil)])
        == ["10", "50", "91", "anew", "40"])
  }

  @Test func onlyATellingBegins() {
    var telling = Telling(isExercise: false)
    #expect(throws: Telling.Refusal.notTold) { try telling.hear(.changed) }
    #expect(throws: Telling.Refusal.notTold) { try telling.hear(.closed) }
    #expect(telling.status == nil)
  }

  @Test func anExerciseNeverLeaves() {
    for happening in [Telling.Happening.told, .changed, .resolved, .cancelled, .closed, .reopened] {
      var telling = Telling(isExercise: true)
      #expect(throws: Telling.Refusal.exercise) { try telling.hear(happening) }
    }
  }

  /// Whatever happens in whatever order, what is sent may follow what was sent.
  @Test func whatIsToldIsAlwaysTaken() throws {
    let happenings = [Telling.Happening.told, .changed, .resolved, .cancelled, .closed, .reopened]
    var sequences: [[Telling.Happening]] = [[.told]]
    for _ in 0..<4 { sequences = sequences.flatMap { known in happenings.map { known + [$0] } } }
    for sequence in sequences {
      var telling = Telling(isExercise: false)
      var occurrence: Occurrence?
      var numbers = 0
      for (index, happening) in sequence.enumerated() {
        let status: OccurrenceStatus
        switch try telling.hear(happening) {
        case .nothing: continue
        case .sendAnew:
          numbers += 1
          occurrence = nil
          status = .occurred
        case .send(let next): status = next
        }
        let body = Samples.body(status, number: "\(numbers)", at: Double(index))
        if var known = occurrence {
          let taking = try known.take(body)
          #expect(taking == .changed || taking == .ended)
          occurrence = known
        } else {
          occurrence = Occurrence.first(body).0
          #expect(status == .occurred)
        }
      }
    }
  }
}
