import NGSI
import Testing

@testable import AgencyLink

@Suite struct LinkTests {
  private let start = Samples.start
  private func after(_ seconds: Double) -> DateTime { start.adding(seconds: seconds) }

  private func message(_ number: String, _ status: OccurrenceStatus = .occurred) -> Message {
    Message(Samples.envelope(), .event(Samples.body(status, number: number)))
  }

  /// What is to be done, in a word.
  private func said(_ step: Link.Step) -> String {
    switch step {
    case .logIn: return "log in"
    case .wait(nil): return "wait"
    case .wait(let until?): return "wait \(until.secondsSince1970 - start.secondsSince1970)"
    case .send(let entry, let key): return "send \(entry.id) \(key)"
    }
  }

  private func opened(_ numbers: [String], parallel: Int = 4) throws -> Link {
    var link = Link(parallel: parallel)
    for number in numbers { _ = try link.outbox.put(message(number), at: start) }
    guard !numbers.isEmpty else { return link }
    #expect(said(link.step(at: start)) == "log in")
    link.loggedIn(.answer(.success("k1")), at: start)
    return link
  }

  @Test func oneLoginServesAllMessages() throws {
    var link = try opened(["1", "2", "3"], parallel: 2)
    #expect(said(link.step(at: start)) == "send 1 k1")
    #expect(said(link.step(at: start)) == "send 2 k1")
    #expect(said(link.step(at: start)) == "wait")
    link.took(.answer(.success("")), for: 2, at: after(1))
    #expect(said(link.step(at: after(1))) == "send 3 k1")
    link.took(.answer(.success("")), for: 1, at: after(1))
    link.took(.answer(.success("")), for: 3, at: after(1))
    #expect(link.outbox.isEmpty && said(link.step(at: after(1))) == "wait")
  }

  @Test func nobodyLogsInTwiceAtOnce() throws {
    var link = Link()
    _ = try link.outbox.put(message("1"), at: start)
    #expect(said(link.step(at: start)) == "log in")
    #expect(said(link.step(at: after(1))) == "wait 30.0")
    // Nobody answered: it is asked again.
    #expect(said(link.step(at: after(30))) == "log in")
  }

  @Test func loginsWaitLongerEachTime() throws {
    var link = Link()
    _ = try link.outbox.put(message("1"), at: start)
    var time = start
    var waits: [Double] = []
    for reply in [Reply.unreachable("refused"), .answer(.failure("no")), .answer(.success("")), .garbled("HTTP 500")] {
      #expect(said(link.step(at: time)) == "log in")
      link.loggedIn(reply, at: time)
      guard case .wait(let until?) = link.step(at: time) else { throw MessageError("step", .unknown) }
      waits.append(until.secondsSince1970 - time.secondsSince1970)
      time = until
    }
    #expect(waits == [1, 2, 4, 8])
    #expect(link.session.lastFailure == "not understood: HTTP 500" && link.session.failures == 4)
    #expect(link.outbox.count == 1)
  }

  @Test func aSessionIsRenewedBeforeItEnds() throws {
    var link = try opened(["1"])
    #expect(said(link.step(at: after(1_799))) == "send 1 k1")
    link.took(.answer(.success("")), for: 1, at: after(1_799))
    _ = try link.outbox.put(message("2"), at: after(1_800))
    #expect(said(link.step(at: after(1_800))) == "log in")
  }

  @Test func aRefusalUnderAnOldKeyIsTriedUnderANewOne() throws {
    var link = try opened(["1"])
    #expect(said(link.step(at: after(100))) == "send 1 k1")
    link.took(Reply(status: 401, body: []), for: 1, at: after(101))
    #expect(said(link.step(at: after(101))) == "log in")
    link.loggedIn(.answer(.success("k2")), at: after(101))
    #expect(said(link.step(at: after(101))) == "send 1 k2")
    link.took(.answer(.failure("evtId")), for: 1, at: after(102))
    #expect(link.outbox.setAside.map(\.lastFailure) == ["refused: evtId"])
    // The new session is not given up for it.
    _ = try link.outbox.put(message("2"), at: after(200))
    #expect(said(link.step(at: after(102))) == "wait 200.0")
    #expect(said(link.step(at: after(200))) == "send 2 k2")
  }

  @Test func twoRefusalsUnderOneOldKeyLogInOnce() throws {
    var link = try opened(["1", "2"])
    #expect(said(link.step(at: after(100))) == "send 1 k1")
    #expect(said(link.step(at: after(100))) == "send 2 k1")
    link.took(.answer(.failure("x")), for: 1, at: after(101))
    #expect(said(link.step(at: after(101))) == "log in")
    link.loggedIn(.answer(.success("k2")), at: after(101))
    link.took(.answer(.failure("x")), for: 2, at: after(102))
    #expect(said(link.step(at: after(102))) == "send 1 k2")
    #expect(said(link.step(at: after(102))) == "send 2 k2")
  }

  @Test func aRefusalUnderAYoungKeyIsARefusal() throws {
    var link = try opened(["1"])
    #expect(said(link.step(at: start)) == "send 1 k1")
    link.took(.answer(.failure("no")), for: 1, at: after(1))
    #expect(link.outbox.setAside.map(\.id) == [1])
  }

  @Test func anEventsFailureBlocksNoOther() throws {
    var link = Link()
    for (number, status) in [("a", OccurrenceStatus.occurred), ("a", .updated), ("b", .occurred), ("a", .completed)] {
      _ = try link.outbox.put(message(number, status), at: start)
    }
    _ = link.step(at: start)
    link.loggedIn(.answer(.success("k1")), at: start)
    #expect(said(link.step(at: start)) == "send 1 k1")
    // The second of the same event waits for the first; the other event does not.
    #expect(said(link.step(at: start)) == "send 3 k1")
    #expect(said(link.step(at: start)) == "wait")
    link.took(.unreachable("timeout"), for: 1, at: start)
    link.took(.answer(.success("")), for: 3, at: start)
    #expect(said(link.step(at: start)) == "wait 1.0")
    for expected in [2, 4, 8, 16, 32, 64, 128, 256, 300, 300] as [Double] {
      let next = link.outbox.nextDue
      let due = try #require(next)
      guard case .logIn = link.session.step(at: due) else {
        #expect(said(link.step(at: due)) == "send 1 k1")
        link.took(.garbled("HTTP 503"), for: 1, at: due)
        let then = link.outbox.nextDue
        #expect(then == due.adding(seconds: expected))
        continue
      }
      Issue.record("the session ended")
    }
    #expect(link.outbox.count == 3)
  }

  @Test func anAgencyThatIsDownForADayLosesNothing() throws {
    var link = Link()
    let statuses: [OccurrenceStatus] = [.occurred, .updated, .completed]
    for number in 0..<50 { for status in statuses { _ = try link.outbox.put(message("\(number)", status), at: start) } }
    var time = start
    var tries = 0
    var order: [OccurrenceKey: [OccurrenceStatus]] = [:]
    for _ in 0..<100_000 where !link.outbox.isEmpty {
      let isUp = time > after(86_400)
      switch link.step(at: time) {
      case .logIn:
        tries += 1
        link.loggedIn(isUp ? .answer(.success("k")) : .unreachable("down"), at: time)
      case .send(let entry, _):
        tries += 1
        if isUp, case .event(let body) = entry.message.body { order[entry.key, default: []].append(body.status) }
        link.took(isUp ? .answer(.success("")) : .unreachable("down"), for: entry.id, at: time)
      case .wait(let until): time = try #require(until)
      }
    }
    #expect(link.outbox.isEmpty && order.count == 50 && order.values.allSatisfy { $0 == statuses })
    #expect(time < after(86_400 + 301), "it is noticed within the longest wait that it is back")
    #expect(tries < 86_400 / 300 + 20 + 150)
  }

  /// A day's messages: looking at all of them for each would take minutes.
  @Test(.timeLimit(.minutes(1))) func aDayOfMessagesGoesQuickly() throws {
    var outbox = Outbox()
    let count = 20_000
    for number in 0..<count {
      _ = try outbox.put(message("\(number)"), at: start.adding(seconds: Double(number)))
    }
    let late = after(100_000)
    var order: [Int] = []
    while let entry = outbox.due(at: late) {
      outbox.sent(entry.id)
      outbox.done(entry.id)
      order.append(entry.id)
    }
    #expect(order == Array(1...count) && outbox.isEmpty)
  }

  @Test func aRefusedBeginningHoldsItsOwnLaneOnly() throws {
    var link = Link()
    for (number, status) in [("a", OccurrenceStatus.occurred), ("a", .completed), ("b", .occurred), ("b", .updated)] {
      _ = try link.outbox.put(message(number, status), at: start)
    }
    _ = link.step(at: start)
    link.loggedIn(.answer(.success("k1")), at: start)
    #expect(said(link.step(at: start)) == "send 1 k1")
    link.took(.answer(.failure("no")), for: 1, at: start)
    #expect(said(link.step(at: start)) == "send 3 k1")
    link.took(.answer(.success("")), for: 3, at: start)
    #expect(said(link.step(at: start)) == "send 4 k1")
    // A change that is refused lets its lane go on.
    link.took(.answer(.failure("no")), for: 4, at: start)
    _ = try link.outbox.put(message("b", .completed), at: start)
    #expect(said(link.step(at: start)) == "send 5 k1")
    link.took(.answer(.success("")), for: 5, at: start)
    #expect(said(link.step(at: start)) == "wait" && link.outbox.count == 3)
    // What comes later of an event whose beginning was refused waits as well.
    var alone = try opened(["c"])
    _ = alone.step(at: start)
    alone.took(.answer(.failure("no")), for: 1, at: start)
    _ = try alone.outbox.put(message("c", .updated), at: start)
    #expect(said(alone.step(at: start)) == "wait" && alone.outbox.count == 2)
    // Until a person gives the beginning up.
    #expect(alone.outbox.discard(1)?.id == 1)
    #expect(said(alone.step(at: start)) == "send 2 k1")
    // Or tries it again.
    link.outbox.retry(1, at: start)
    #expect(said(link.step(at: start)) == "send 1 k1")
    link.took(.answer(.success("")), for: 1, at: start)
    #expect(said(link.step(at: start)) == "send 2 k1")
    #expect(link.outbox.discard(4)?.id == 4)
    #expect(link.outbox.discard(4) == nil)
  }

  @Test func aFullOutboxSaysSo() throws {
    var outbox = Outbox(bound: 2)
    _ = try outbox.put(message("1"), at: start)
    _ = try outbox.put(message("1", .updated), at: start)
    #expect(throws: Outbox.Failure.full(bound: 2)) { try outbox.put(message("2"), at: start) }
    #expect(throws: Outbox.Failure.notEvent) {
      try outbox.put(Message(Samples.envelope(.authentication), .authentication(apiKey: "k")), at: start)
    }
    // What was set aside counts, as it is kept.
    outbox.sent(1)
    outbox.refused(1, because: "no")
    #expect(outbox.count == 2)
  }

  @Test func whatWasUnderWayWaitsAfterARestart() throws {
    var outbox = Outbox()
    for number in ["1", "2"] { _ = try outbox.put(message(number), at: start) }
    outbox.sent(1)
    var restored = Outbox(bound: 10, backoff: Backoff(), restoring: outbox.lanes.values.flatMap(\.self), setAside: [])
    let due = restored.due(at: start)
    #expect(due?.id == 1 && restored.count == 2)
    let third = try restored.put(message("3"), at: start)
    #expect(third.id == 3)
  }

  @Test func repliesOfHTTP() {
    #expect(Reply(status: 200, body: Answer.success("").bytes) == .answer(.success("")))
    #expect(Reply(status: 403, body: []) == .answer(.failure("HTTP 403")))
    #expect(Reply(status: 500, body: Answer.success("").bytes) == .garbled("HTTP 500"))
    #expect(Reply(status: 200, body: []) == .garbled("'answer' is no JSON"))
    #expect(Backoff(first: 1, most: 300).delay(after: 10_000) == 300)
  }
}
