import Logging
import NGSI
import Store
import Synchronization
import TransparencyLog

/// The city's evidence: what was done is written beside the act itself, and others watch that nothing is taken back.
///
/// ``record(_:_:)`` adds statements in the transaction of the act. ``run()`` lets the tree over them grow, signs its
/// checkpoints and has the treaty's witnesses cosign them. A witness that is away stops nothing: entries are kept, the
/// checkpoint is published with the cosignatures that there are, an alarm says what is missing, and the next round
/// makes up for it.
public final class EvidenceLog: Sendable {
  /// A checkpoint with the signatures it has.
  struct Published: Sendable {
    var note: SignedNote
    var size: UInt64
  }

  struct State: Sendable {
    var tree = GrowingTree()
    var published: Published?
    /// In the round that runs: what is being cosigned.
    var candidate: Published?
    /// The newest that enough witnesses have seen.
    var proved: Published?
    var lastRound = DateTime(microseconds: .min)
    /// When each witness cosigned last, or the log began to wait for it.
    var heard: [String: DateTime] = [:]
    var inFlight: Set<String> = []
    /// By how many seconds the clock of each witness was ahead when it cosigned last.
    var clocks: [String: Int64] = [:]
    /// By name of the witness: signs of tampering that it gave, and until when they are shown.
    var grave: [EvidenceAlarm: DateTime] = [:]
    var damage: String?
    var isBehindSince: DateTime?
    /// How long the last rounds waited for their quorum, in seconds.
    var quorumTimes: [Double] = []
  }

  public struct Limits: Sendable, Hashable {
    /// Longest that the publication of a checkpoint waits for a quorum, in seconds.
    public var quorumWait = 0.5
    /// Time between two rounds, in seconds: what comes meanwhile goes into one checkpoint.
    public var pace = 0.05
    /// Without new entries the newest checkpoint is cosigned anew so often, in seconds.
    public var heartbeat = 60.0
    /// A witness that did not cosign for so long is silent; a quorum that is missing for so long is an alarm.
    public var silence = 180.0
    /// A witness whose clock differs by more than so many seconds is an alarm: one of the two is wrong.
    public var clockDifference = 300.0
    /// How long a sign of tampering is shown after it was seen last, in seconds.
    public var graveShown = 86_400.0
    /// Entries that are read at once.
    public var step: UInt64 = 1024

    public init() {}
  }

  public let key: VerifierKey
  /// The treaty, this log's own key in it.
  public let policy: WitnessPolicy
  /// The policy file's text.
  public let policyText: String
  /// Keys of those who may add statements of their own.
  public let submitters: [VerifierKey]
  let limits: Limits
  let store: any Store
  let signer: SignerKey
  let lanes: [WitnessLane]
  let state = Mutex(State())
  let repeated = RepeatedActs()
  let now: @Sendable () -> DateTime
  let log: Logger
  private let wakes: AsyncStream<Void>
  private let waking: AsyncStream<Void>.Continuation

  /// - Parameters:
  ///   - signer: key of kind ``SignatureKind/ed25519``; its name is the log's origin.
  ///   - treaty: text of the policy file of witnesses and quorum; the log's own line is added where it is missing.
  /// - Throws: ``EvidenceError/refused(_:)`` when the treaty cannot be read or names another key for this log.
  public init(
    store: any Store, signer: SignerKey, treaty: String? = nil, submitters: [VerifierKey] = [],
    caller: any WitnessCalling = NoWitnesses(),
    limits: Limits = Limits(), now: @escaping @Sendable () -> DateTime, log: Logger = Logger(label: "madang.evidence")
  ) throws(EvidenceError) {
    guard signer.verifier.kind == .ed25519 else { throw .refused("the key of a log is one for checkpoints") }
    self.store = store
    self.signer = signer
    self.limits = limits
    self.submitters = submitters
    self.now = now
    self.log = log
    key = signer.verifier
    (policy, policyText) = try Self.policy(treaty, key: signer.verifier)
    lanes = policy.witnesses.map { WitnessLane($0, caller: caller) }
    (wakes, waking) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  }

  private static func policy(_ treaty: String?, key: VerifierKey) throws(EvidenceError) -> (WitnessPolicy, String) {
    do throws(PolicyError) {
      guard let treaty else {
        let text = "log \(key.text)\nquorum none\n"
        return (try WitnessPolicy(parsing: Array(text.utf8)), text)
      }
      let found = try WitnessPolicy(parsing: Array(treaty.utf8))
      if found.logs.contains(where: { $0.key == key }) { return (found, treaty) }
      guard !found.logs.contains(where: { $0.key.name == key.name }) else {
        throw PolicyError(
          line: 0, problem: "it names another key for the log \(key.name) than this city's, \(key.text)")
      }
      let text = "log \(key.text)\n" + treaty
      return (try WitnessPolicy(parsing: Array(text.utf8)), text)
    } catch { throw .refused("the treaty of witnesses: line \(error.line): \(error.problem)") }
  }

  // MARK: Recording

  /// Adds statements of acts to the log, in the transaction of the acts; gives their positions.
  public func record(_ acts: [Act], _ writer: any StoreWriter) throws -> Range<UInt64> {
    let at = now()
    var records: [EvidenceRecord] = []
    records.reserveCapacity(acts.count)
    var keys = Register.Keys()
    for act in acts {
      try act.requireBounds()
      let nonce = Array(CommitmentKey.random().bytes.prefix(16))
      let actor = try act.account.map { try keys.key(of: $0, writer) }
      let subject = try act.concerned.map { try keys.key(of: $0, writer) }
      records.append(
        EvidenceRecord(
          entry: Statement.bytes(of: act, at: at, nonce: nonce, actor: actor?.key, subject: subject?.key), time: at,
          subject: subject?.key.index,
          register: try Register.sealed(act, nonce: nonce, actor: actor, subject: subject)))
    }
    return try append(records, writer)
  }

  /// Adds entries that are made elsewhere; gives their positions.
  ///
  /// - Throws: ``EvidenceError/refused(_:)`` for an entry that is too long.
  public func append(_ records: [EvidenceRecord], _ writer: any StoreWriter) throws -> Range<UInt64> {
    guard records.allSatisfy({ $0.entry.count <= EntryBundle.maxEntry }) else {
      throw EvidenceError.refused("an entry of the log has at most \(EntryBundle.maxEntry) bytes")
    }
    let first = try writer.appendEvidence(records)
    writer.afterCommit { [waking] in waking.yield() }
    return first..<(first + UInt64(records.count))
  }

  /// Destroys the key of an account: commitments to it, and what the register says of it, can never be read again.
  ///
  /// - Parameter kind: as ``Act/actorKind``.
  /// - Returns: whether there was anything.
  public func forget(account name: String, kind: String? = nil) async throws -> Bool {
    try await store.write { try Register.destroyKey(of: RegisterName(.actor, name, of: kind), $0) }
  }

  /// Destroys the key of a subject, as ``forget(account:kind:)`` does that of an account.
  public func forget(subject name: String, tenant: String? = nil) async throws -> Bool {
    try await store.write { try Register.destroyKey(of: RegisterName(.subject, name, of: tenant), $0) }
  }

  // MARK: Running

  /// Takes up the log as it is stored. Call it before ``run()``.
  ///
  /// Entries that do not give the root that was published are damage: nothing more is published then, and an alarm says
  /// so; new entries are kept all the same.
  public func resume() throws {
    var damage: String?
    let view: (GrowingTree, Published?) = try store.read { reader in
      do {
        let view = try EvidenceView(reader)
        try judge(view)
        return (view.tree, view.proved)
      } catch let error as EvidenceError {
        damage = error.sentence
      } catch let error as LogError { damage = "\(error)" }
      return (GrowingTree(), nil)
    }
    let at = now()
    state.withLock { state in
      state.tree = view.0
      (state.published, state.proved) = (view.1, view.1)
      for witness in policy.witnesses { state.heard[witness.name] = at }
      state.damage = damage
    }
  }

  /// Holds the checkpoint that was published against what is stored.
  private func judge(_ view: EvidenceView) throws {
    guard let proved = view.proved else { return }
    guard (try? proved.note.verified(by: [key]))?[key] != nil else {
      throw EvidenceError.damaged("the last checkpoint is not signed with this log's key")
    }
    guard proved.size <= view.count else {
      throw EvidenceError.damaged("\(proved.size) entries were published and there are \(view.count)")
    }
    guard let checkpoint = try? Checkpoint(parsing: proved.note.text), try view.root(of: proved.size) == checkpoint.root
    else { throw EvidenceError.damaged("the first \(proved.size) entries are not those that were published") }
  }

  /// Lets the log grow and be watched until cancelled.
  public func run() async {
    await withDiscardingTaskGroup { group in
      group.addTask { [waking] in
        while !Task.isCancelled {
          waking.yield()
          try? await Task.sleep(for: .seconds(1))
        }
        waking.finish()
      }
      for await _ in wakes {
        do {
          try await recordCounted()
          if try await publish(&group) { try? await Task.sleep(for: .seconds(limits.pace)) }
        } catch {
          log.warning("the evidence log was not published", metadata: ["error": "\(error)"])
        }
      }
      group.cancelAll()
    }
    do { try await recordCounted(isLast: true) } catch {
      log.warning("counts of repeated acts were not recorded", metadata: ["error": "\(error)"])
    }
  }
}
