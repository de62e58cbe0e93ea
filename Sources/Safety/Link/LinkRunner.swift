import AgencyLink
import Hub
import Incidents
import NGSI
import Store

/// Brings out what waits for one far side.
protocol LinkRunning: Actor {
  func run() async
  /// Somebody decides about a message that was set aside; the incident's record says so.
  func decide(_ serial: String, _ decision: LinkDecision, because reason: String) async throws(Problem)
}

enum LinkDecision: String, CaseIterable { case retry, discard }

/// One far side's session and lanes, on its footing: what stands on the other is never taken out of the store.
actor LinkRunner<On: Footing>: LinkRunning {
  /// Messages that are at hand; the others wait in the store.
  static var bound: Int { 10_000 }
  /// Seconds for an exchange.
  static var patience: Double { 15 }

  private let link: ServiceLink
  private let desk: LinkDesk
  private let outlet: any LinkOutlet
  private let secrets: LinkDesk.Secrets
  private let bell: LinkBell
  private var state = AgencyLink.Link(outbox: Outbox(bound: LinkRunner.bound))
  /// What is at hand, by the outbox's number for it.
  private var messages: [Int: (serial: String, outgoing: Outgoing<On>, since: DateTime)] = [:]
  private var unfit: Set<String> = []
  /// The last message that was taken out of the store.
  private var lastSerial = 0
  /// Whether there may be messages in the store that are not at hand.
  private var hasMore = true
  private var published = ContinuousClock.now
  /// Messages that may be gone from the store and are still at hand.
  private var settling = 0

  init(link: ServiceLink, desk: LinkDesk, outlet: any LinkOutlet, secrets: @escaping LinkDesk.Secrets) {
    (self.link, self.desk, self.outlet, self.secrets) = (link, desk, outlet, secrets)
    bell = desk.plan.links.bells[link.id] ?? LinkBell()
  }

  func run() async {
    await withDiscardingTaskGroup { group in
      while !Task.isCancelled {
        if bell.takeNews() { hasMore = true }
        if hasMore { takeUp() }
        let step = state.step(at: desk.hub.time)
        switch step {
        case .logIn: group.addTask { await self.logIn() }
        case .send(let entry, let key): group.addTask { await self.send(entry, under: key) }
        case .wait(let until):
          let isSaid = publish()
          let seconds = until.map { $0.secondsSince1970 - desk.hub.time.secondsSince1970 } ?? 3_600
          await bell.wait(seconds: min(isSaid ? 3_600 : 0.3, max(0.01, seconds)))
        }
      }
    }
  }

  // MARK: - What waits

  /// Takes what is new out of the store, in its order.
  private func takeUp() {
    while state.outbox.count < Self.bound {
      // Those at hand are the first in the store, but for those that are gone from it just now.
      let offset = max(0, messages.count + unfit.count - settling)
      guard
        let kept = try? desk.hub.documents(
          of: SafetyService.name, in: LinkShelf.outbox(of: link.id), from: offset, limit: 500, of: .default)
      else { return }
      let news = kept.filter { (Int($0.id) ?? 0) > lastSerial }
      guard !news.isEmpty else {
        hasMore = false
        return
      }
      for (serial, body) in news {
        guard state.outbox.count < Self.bound else { return }
        lastSerial = Int(serial) ?? lastSerial
        put(serial, body)
      }
    }
  }

  private func put(_ serial: String, _ kept: JSON) {
    guard let outgoing = Outgoing<On>(kept: kept) else {
      unfit.insert(serial)
      return
    }
    let since = outgoing.body.statusAt ?? desk.hub.time
    let message = Message(link.wire.envelope(.event, at: since), .event(outgoing.body))
    let entry =
      outgoing.setAside.map { reason in
        try? state.outbox.putAside(message, because: reason, at: since)
      } ?? (try? state.outbox.put(message, at: since))
    if let entry { messages[entry.id] = (serial, outgoing, since) }
  }

  /// - Returns: false where it is to be said a little later: with many at hand it is not said after each of them.
  private func publish() -> Bool {
    guard messages.count < 200 || published.duration(to: .now) > .milliseconds(250) else { return false }
    published = .now
    let (waiting, aside) = (state.outbox.count - state.outbox.setAside.count, state.outbox.setAside.count)
    let asideIds = Set(state.outbox.setAside.map(\.id))
    let oldest = messages.lazy.filter { !asideIds.contains($0.key) }.map(\.value.since).min()
    let unfit = unfit.count
    let hasSession = if case .open = state.session.state { true } else { false }
    desk.note(link.id) { fare in
      (fare.waiting, fare.setAside, fare.unfit) = (waiting, aside, unfit)
      (fare.oldest, fare.hasSession) = (oldest, hasSession)
    }
    return true
  }

  // MARK: - Exchanges

  private func logIn() async {
    let reply: Reply
    do {
      guard let place = link.loginKey else { throw MessageError("apiKey", .missing) }
      let message = Message(
        link.wire.envelope(.authentication, at: desk.hub.time), .authentication(apiKey: try secrets(place)))
      reply = await post(try message.request(.json, link.wire.dialect), to: link.wire.loginPath)
    } catch { reply = .unreachable("no login could be written: \(error)") }
    state.loggedIn(reply, at: desk.hub.time)
    note(state.session.lastFailure.map { "login: " + $0 })
    if state.session.lastFailure != nil { desk.count(.failed, of: link.id) }
    bell.ring()
  }

  private func send(_ entry: Outbox.Entry, under key: String) async {
    let begun = ContinuousClock.now
    var reply: Reply
    do {
      var message = entry.message
      message.envelope = link.wire.envelope(.event, at: desk.hub.time, session: key)
      if case .aria(let encoding) = link.wire.encryption, let place = link.bodyKey {
        message = try BodyCipher(key: try secrets(place), encoding: encoding).seal(message, link.wire.dialect)
      }
      reply = await post(try message.request(link.wire.format, link.wire.dialect), to: link.wire.eventPath)
    } catch let error as MessageError {
      // No later try would write it.
      reply = .answer(.failure("it cannot be written: \(error)"))
    } catch { reply = .unreachable("it cannot be written: \(error)") }
    let seconds =
      Double((ContinuousClock.now - begun).components.attoseconds) / 1e18
      + Double((ContinuousClock.now - begun).components.seconds)
    if case .answer = reply { desk.note(link.id) { $0.answered(in: seconds) } }
    await settle(reply, entry.id)
    bell.ring()
  }

  private func post(_ request: WireRequest, to path: String) async -> Reply {
    guard let peer = link.peer else { return .unreachable("the link has no far side") }
    return await outlet.post(request, to: peer + path, seconds: Self.patience)
  }

  /// What came of a message. The store lets go of it first: what is sent twice is known there, what is lost is not.
  private func settle(_ reply: Reply, _ id: Int) async {
    guard let (serial, outgoing, _) = messages[id] else { return }
    if reply.failure == nil {
      settling += 1
      defer { settling -= 1 }
      do throws(Problem) {
        try await keep(outgoing, .sent, "전달됨/taken") { try $0.drop(serial, in: LinkShelf.outbox(of: self.link.id)) }
      } catch {
        state.took(.garbled("taken there, and not kept here: \(error.detail)"), for: id, at: desk.hub.time)
        return
      }
      state.took(reply, for: id, at: desk.hub.time)
      messages[id] = nil
      note(nil)
      return
    }
    state.took(reply, for: id, at: desk.hub.time)
    note(reply.failure)
    guard let aside = state.outbox.setAside.first(where: { $0.id == id }) else {
      desk.count(.failed, of: link.id)
      return
    }
    var refused = outgoing
    refused.setAside = aside.lastFailure ?? "refused"
    messages[id]?.outgoing = refused
    let kept = refused.json
    // Where it cannot be kept that it was refused, it is tried again after a restart.
    try? await keep(refused, .refused, "거부됨/refused") {
      try $0.keep(kept, as: serial, in: LinkShelf.outbox(of: self.link.id))
    }
  }

  private func note(_ failure: String?) {
    let time = desk.hub.time
    desk.note(link.id) { fare in
      if let failure {
        fare.lastFailure = failure
        fare.failingSince = fare.failingSince ?? time
      } else {
        fare.failingSince = nil
        fare.lastTaken = time
      }
    }
  }

  /// Keeps what came of a message, counts it, and says in the incident's record what people have to know of it.
  private func keep(
    _ outgoing: Outgoing<On>, _ act: Usage.Act, _ words: String,
    _ body: @escaping @Sendable (ServiceTransaction) throws -> Void
  ) async throws(Problem) {
    let (link, desk) = (link, desk)
    try await desk.hub.transact(as: SafetyService.name, in: .default) { transaction in
      try body(transaction)
      try LinkShelf.count(act, of: link.id, transaction)
      guard act == .refused || outgoing.body.status != .updated else { return }
      let status = outgoing.body.status
      let reason = outgoing.setAside.map { ": " + $0.wired(to: 300) } ?? ""
      let text = "[\(link.wire.names["ko"] ?? link.id)] \(status.rawValue) \(status.name) \(words)\(reason)"
      try desk.note(text, on: outgoing.incident, by: .city, asCity: true, &transaction)
    }
  }

  // MARK: - Decisions

  func decide(_ serial: String, _ decision: LinkDecision, because reason: String) async throws(Problem) {
    if unfit.contains(serial), decision == .discard { return try await discardUnfit(serial, because: reason) }
    let found = messages.first { $0.value.serial == serial }
    guard let (id, message) = found, state.outbox.setAside.contains(where: { $0.id == id }) else {
      throw .notFound("there is no message '\(serial.prefix(60))' that was set aside")
    }
    var outgoing = message.outgoing
    outgoing.setAside = nil
    let (link, desk, kept, party) = (link, desk, outgoing.json, Party(Caller.current))
    let (incident, status) = (outgoing.incident, outgoing.body.status)
    if decision == .discard { settling += 1 }
    defer { if decision == .discard { settling -= 1 } }
    try await desk.hub.transact(as: SafetyService.name, in: .default) { transaction in
      // Who decides has to be one who may do something about the incident.
      let word = decision == .retry ? "다시 보냄/retry" : "보내지 않음/discard"
      let text = "[\(link.wire.names["ko"] ?? link.id)] \(status.rawValue) \(status.name) \(word): \(reason)"
      try desk.note(text, on: incident, by: party, asCity: false, &transaction)
      let shelf = LinkShelf.outbox(of: link.id)
      if decision == .retry {
        try transaction.keep(kept, as: serial, in: shelf)
      } else {
        try transaction.drop(serial, in: shelf)
      }
    }
    switch decision {
    case .retry:
      state.outbox.retry(id, at: desk.hub.time)
      messages[id]?.outgoing = outgoing
    case .discard:
      _ = state.outbox.discard(id)
      messages[id] = nil
    }
    bell.ring()
  }

  /// Somebody lets go of a message that stands on the other footing: it could never leave.
  private func discardUnfit(_ serial: String, because reason: String) async throws(Problem) {
    let (link, desk, party, shelf) = (link, desk, Party(Caller.current), LinkShelf.outbox(of: link.id))
    settling += 1
    defer { settling -= 1 }
    try await desk.hub.transact(as: SafetyService.name, in: .default) { transaction in
      if let incident = try transaction.document(serial, in: shelf)?["incident"]?.string {
        let text = "[\(link.wire.names["ko"] ?? link.id)] 보내지 않음/discard: \(reason)"
        try desk.note(text, on: incident, by: party, asCity: false, &transaction)
      }
      try transaction.drop(serial, in: shelf)
    }
    unfit.remove(serial)
    bell.ring()
  }
}

extension LinkDesk {
  /// Writes a line into an incident's record, where there is room.
  func note(
    _ text: String, on incident: String, by party: Party, asCity: Bool, _ transaction: inout ServiceTransaction
  ) throws {
    var record = try RecordShelf.record(incident, book.record(incident, in: .default), transaction)
    let first = record.incident.sequence + 1
    guard first < Incident.Bounds.entries / 2 else { return }
    try SafetyService.carryOut(
      .note(text.bounded(to: Incident.Bounds.text), audience: []), SafetyService.ownId("link", "note \(first)"), party,
      on: &record, at: transaction.time)
    try RecordShelf.keep(record, from: first, plan, asCity: asCity, &transaction)
    book.put(record, in: .default, with: transaction)
  }
}
