import NGSI
import Store
import TransparencyLog

extension EvidenceLog {
  /// Signs and publishes what came, where anything came or the time for a new round is there.
  ///
  /// - Returns: whether there was a round.
  func publish(_ group: inout DiscardingTaskGroup) async throws -> Bool {
    guard let size = try await takeIn() else { return false }
    let at = now()
    let (published, lastRound, isProved, root) = state.withLock { state in
      state.forgetTimes(after: at)
      return (state.published, state.lastRound, state.proved?.size == size, state.tree.root)
    }
    let isNew = published?.size != size
    guard size > 0, isNew || !lanes.isEmpty && lastRound.adding(seconds: isProved ? limits.heartbeat : 1) <= at else {
      return false
    }
    let note: SignedNote
    if let published, !isNew {
      note = SignedNote(text: published.note.text, signatures: Array(published.note.signatures.prefix(1)))
    } else {
      let text = Checkpoint(origin: key.name, size: size, root: root).text
      note = SignedNote(text: text, signatures: [try signer.sign(text, at: Self.seconds(at))])
    }
    state.withLock { state in
      state.lastRound = at
      state.candidate = Published(note: note, size: size)
    }
    await cosign(note, size: size, &group)
    try await settle(at: at)
    return true
  }

  /// Adds stored entries to the tree and keeps the tiles that are full; gives the size, `nil` where the log is damaged.
  ///
  /// Those that are there when it begins, and no later ones: where many come all the time it would never end.
  private func takeIn() async throws -> UInt64? {
    let count = try store.read { try $0.evidenceCount() }
    while true {
      let (tree, isDamaged) = state.withLock { ($0.tree, $0.damage != nil) }
      guard !isDamaged else { return nil }
      guard tree.size < count || !tree.unkept.isEmpty else { return tree.size }
      var grown = tree
      try store.read { try grown.grow(to: min(count, tree.size + limits.step * 16), step: limits.step, $0) }
      if !grown.unkept.isEmpty {
        // Lowest places first, so that those that are kept have no gaps.
        let tiles = grown.unkept.sorted { ($0.key.level, $0.key.index) < ($1.key.level, $1.key.index) }
        try await store.write { writer in
          for (tile, hashes) in tiles {
            try writer.putEvidenceTile(hashes.flatMap(\.bytes), level: tile.level, index: tile.index)
          }
        }
        grown.tilesAreKept()
      }
      // Only who runs the log lets the tree grow.
      state.withLock { $0.tree = grown }
    }
  }

  /// Asks the witnesses, all at once; returns when a quorum has answered, all have, or the wait is over. Who answers
  /// later is heard all the same.
  private func cosign(_ note: SignedNote, size: UInt64, _ group: inout DiscardingTaskGroup) async {
    let asked = state.withLock { state in
      let free = lanes.filter { $0.witness.url != nil && !state.inFlight.contains($0.witness.name) }
      state.inFlight.formUnion(free.map(\.witness.name))
      return free
    }
    guard !asked.isEmpty else { return }
    let start = ContinuousClock.now
    let (answers, answering) = AsyncStream.makeStream(of: Bool.self)
    for lane in asked {
      group.addTask {
        let outcome = await lane.cosign(note, size: size) { old in
          try self.read { try $0.consistency(from: old, to: size) }
        }
        self.hear(outcome, from: lane.witness.name, on: note)
        answering.yield(true)
      }
    }
    group.addTask { [wait = limits.quorumWait] in
      try? await Task.sleep(for: .seconds(wait))
      answering.yield(false)
    }
    var waiting = asked.count
    for await isAnswer in answers {
      waiting -= 1
      let isProved = state.withLock { state in
        guard let candidate = state.candidate, self.isProved(candidate) else { return state.candidate == nil }
        state.note(quorumTime: ContinuousClock.now - start)
        return true
      }
      if !isAnswer || waiting == 0 || isProved { break }
    }
  }

  /// Notes what a witness said to a checkpoint.
  private func hear(_ outcome: WitnessLane.Outcome, from witness: String, on note: SignedNote) {
    let at = now()
    let until = at.adding(seconds: limits.graveShown)
    state.withLock { state in
      state.inFlight.remove(witness)
      switch outcome {
      case .cosigned(let signature, let forgot):
        state.heard[witness] = at
        let clock = Int64(clamping: signature.cosignatureTime ?? 0)
        state.clocks[witness] = clock.subtractingReportingOverflow(Int64(Self.seconds(at))).partialValue
        if forgot { state.grave[.forgot(witness: witness)] = until }
        func add(_ published: inout Published?) {
          guard published?.note.text == note.text else { return }
          // A witness's later signature of the same text takes the place of its earlier one.
          published?.note.signatures.removeAll { $0.name == signature.name && $0.keyId == signature.keyId }
          published?.note.signatures.append(signature)
        }
        add(&state.candidate)
        add(&state.published)
        if let published = state.published, isProved(published), published.size >= state.proved?.size ?? 0 {
          state.proved = published
        }
      case .failed(let alarm):
        if let alarm { state.grave[alarm] = until }
      }
    }
  }

  private func isProved(_ published: Published) -> Bool {
    policy.isQuorum { witness in
      published.note.signatures.contains { $0.claims(witness.key) }
    }
  }

  /// Publishes what was signed in the round that ended.
  private func settle(at: DateTime) async throws {
    let proved: String? = state.withLock { state in
      guard var candidate = state.candidate else { return nil }
      state.candidate = nil
      if let published = state.published, published.note.text == candidate.note.text {
        // Signatures of an earlier round stand until their witness gives a new one.
        for signature in published.note.signatures
        where !candidate.note.signatures.contains(where: { $0.name == signature.name && $0.keyId == signature.keyId }) {
          candidate.note.signatures.append(signature)
        }
      }
      state.published = candidate
      guard isProved(candidate) else {
        if state.isBehindSince == nil { state.isBehindSince = at }
        return nil
      }
      state.isBehindSince = nil
      state.proved = candidate
      return candidate.note.description
    }
    guard let proved else { return }
    try await store.write { writer in
      try writer.put(
        StoredDocument(id: Self.checkpointId, body: .string(proved)), collection: Self.collection, in: .default)
    }
  }

  /// How long each of the last rounds that got a quorum waited for it, in seconds.
  public var quorumTimes: [Double] { state.withLock { $0.quorumTimes } }

  /// Entries under the checkpoint that was published last.
  public var publishedSize: UInt64 { state.withLock { $0.published?.size ?? 0 } }

  static func seconds(_ time: DateTime) -> UInt64 { UInt64(max(0, time.microseconds / 1_000_000)) }

  // MARK: Alarms

  /// What is wrong now.
  public var alarms: [EvidenceAlarm] {
    let at = now()
    let grave = limits
    return state.withLock { state in
      var alarms: [EvidenceAlarm] = state.damage.map { [.damaged($0)] } ?? []
      state.grave = state.grave.filter { $0.value > at }
      alarms += state.grave.keys
      for witness in policy.witnesses where witness.url != nil {
        if let heard = state.heard[witness.name], heard.adding(seconds: grave.silence) < at {
          alarms.append(.silent(witness: witness.name))
        }
        if let ahead = state.clocks[witness.name], ahead.magnitude > UInt64(grave.clockDifference) {
          alarms.append(.clockDiffers(witness: witness.name, seconds: ahead))
        }
      }
      if let since = state.isBehindSince, since.adding(seconds: grave.silence) < at { alarms.append(.noQuorum) }
      return alarms.sorted { $0.id < $1.id }
    }
  }

  /// Figures for the health page.
  public var health: JSON {
    let (published, proved, size, heard) = state.withLock {
      ($0.published?.size ?? 0, $0.proved?.size ?? 0, $0.tree.size, $0.heard)
    }
    return [
      "origin": .string(key.name), "entries": .integer(Int64(clamping: size)),
      "published": .integer(Int64(clamping: published)), "witnessed": .integer(Int64(clamping: proved)),
      "witnesses": .object(
        JSONObject(
          uniqueMembers: policy.witnesses.map {
            JSONObject.Member(key: $0.name, value: heard[$0.name].map { .string($0.description) } ?? .null)
          })),
      "counting": ["value": .integer(Int64(repeated.count)), "bound": .integer(Int64(repeated.most))],
      "alarms": .array(alarms.map { .string($0.sentence) }),
    ]
  }
}

extension EvidenceLog.State {
  /// Rounds whose times are kept.
  private static let rounds = 1000

  /// Times that lie ahead of the clock, which was set back, are now: nothing waits for them to come again.
  mutating func forgetTimes(after now: DateTime) {
    lastRound = min(lastRound, now)
    heard = heard.mapValues { min($0, now) }
    isBehindSince = isBehindSince.map { min($0, now) }
  }

  mutating func note(quorumTime time: Duration) {
    if quorumTimes.count == Self.rounds { quorumTimes.removeFirst() }
    quorumTimes.append(time / .seconds(1))
  }
}
