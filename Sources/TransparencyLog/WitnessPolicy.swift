/// Which logs are believed, and which witnesses have to have seen a checkpoint: the treaty between agencies, in one text
/// file (C2SP tlog-policy).
public struct WitnessPolicy: Sendable, Hashable {
  public struct Log: Sendable, Hashable {
    public var key: VerifierKey
    public var url: String?
  }

  public struct Witness: Sendable, Hashable {
    /// Name within the policy.
    public var name: String
    public var key: VerifierKey
    public var url: String?
  }

  /// Witnesses or groups of which at least `threshold` must have seen a checkpoint.
  public struct Group: Sendable, Hashable {
    public var name: String
    public var threshold: Int
    public var members: [String]
  }

  /// Lines that a policy has at most.
  public static let maxLines = 4096

  public private(set) var logs: [Log] = []
  public private(set) var witnesses: [Witness] = []
  /// Each after those that it names.
  public private(set) var groups: [Group] = []
  /// Name of the witness or group that decides; `nil` where none is asked.
  public private(set) var quorum: String?

  /// - Throws: the line and what is wrong with it.
  public init(parsing bytes: some Collection<UInt8>) throws(PolicyError) {
    guard bytes.allSatisfy({ $0 == 0x09 || $0 == 0x0A || $0 >= 0x20 && $0 != 0x7F }) else {
      throw PolicyError(line: 0, problem: "a policy has no control characters but tabs and line breaks")
    }
    guard bytes.isEmpty || Array(bytes).last == 0x0A else {
      throw PolicyError(line: 0, problem: "the last line of a policy ends with a line break")
    }
    // Names are octets to the policy; a text that is no UTF-8 cannot be shown to people and is refused.
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw PolicyError(line: 0, problem: "the policy is not UTF-8")
    }
    let lines = text.octetLines.dropLast()
    guard lines.count <= Self.maxLines else {
      throw PolicyError(line: Self.maxLines + 1, problem: "a policy has at most \(Self.maxLines) lines")
    }
    var reading = Reading()
    for (number, line) in lines.enumerated() {
      do throws(NoteError) { try reading.take(line, into: &self) } catch {
        throw PolicyError(line: number + 1, problem: error.sentence)
      }
    }
    guard reading.hasQuorum else { throw PolicyError(line: lines.count, problem: "a policy has a quorum line") }
  }

  private init() {}

  /// What is known of a policy while its lines are read.
  private struct Reading {
    /// Names that stand for something, and whether they are a member of a group already.
    var names: [ExactName: Bool] = [:]
    var keys: Set<[UInt8]> = []
    var hasQuorum = false

    mutating func take(_ line: Substring, into policy: inout WitnessPolicy) throws(NoteError) {
      let words = line.utf8.split { $0 == 0x20 || $0 == 0x09 }.map { String(Substring($0)) }
      guard let first = words.first, first.utf8.first != 0x23 else { return }
      switch first {
      case "log":
        guard (2...3).contains(words.count) else { throw .malformed("expected: log KEY [URL]") }
        let key = try newKey(words[1], .ed25519, among: "log")
        policy.logs.append(Log(key: key, url: words.count > 2 ? words[2] : nil))
      case "witness":
        guard (3...4).contains(words.count) else { throw .malformed("expected: witness NAME KEY [URL]") }
        try define(words[1])
        let key = try newKey(words[2], .cosignature, among: "witness")
        policy.witnesses.append(Witness(name: words[1], key: key, url: words.count > 3 ? words[3] : nil))
      case "group":
        guard words.count >= 4 else { throw .malformed("expected: group NAME all|any|COUNT MEMBER…") }
        let members = Array(words[3...])
        let threshold: Int
        switch words[2] {
        case "all": threshold = members.count
        case "any": threshold = 1
        default:
          guard let count = Decimal.number(words[2]), (1...UInt64(members.count)).contains(count) else {
            throw .malformed("a group asks for 1 to \(members.count) of its members, not \(words[2].prefix(40))")
          }
          threshold = Int(count)
        }
        for member in members {
          switch names[ExactName(member)] {
          case nil: throw .malformed("\(member.prefix(100)) is not defined before this line")
          case true?: throw .malformed("\(member.prefix(100)) is a member of a group already")
          case false?: names[ExactName(member)] = true
          }
        }
        try define(words[1])
        policy.groups.append(Group(name: words[1], threshold: threshold, members: members))
      case "quorum":
        guard words.count == 2 else { throw .malformed("expected: quorum NAME") }
        guard !hasQuorum else { throw .malformed("a policy has one quorum line") }
        hasQuorum = true
        guard words[1] != "none" else { return }
        guard names[ExactName(words[1])] != nil else {
          throw .malformed("\(words[1].prefix(100)) is not defined before this line")
        }
        policy.quorum = words[1]
      default: throw .malformed("a line begins with log, witness, group or quorum, not \(first.prefix(40))")
      }
    }

    private mutating func define(_ name: String) throws(NoteError) {
      guard name != "none", names[ExactName(name)] == nil else {
        throw .malformed("the name \(name.prefix(100)) stands for something already")
      }
      names[ExactName(name)] = false
    }

    private mutating func newKey(
      _ text: String, _ kind: SignatureKind, among role: String
    ) throws(NoteError) -> VerifierKey {
      let key = try VerifierKey(parsing: text)
      guard key.kind == kind else { throw .malformed("this kind of key is not one of a \(role)") }
      guard keys.insert([kind.rawValue] + key.publicKey).inserted else {
        throw .malformed("the key of \(key.name) is listed already")
      }
      return key
    }
  }
}

/// What is wrong with a policy file.
public struct PolicyError: Error, Sendable, Hashable {
  /// From 1; 0 for the file as a whole.
  public var line: Int
  public var problem: String

  public init(line: Int, problem: String) {
    self.line = line
    self.problem = problem
  }
}

extension NoteError {
  var sentence: String {
    switch self {
    case .malformed(let why): why
    case .wrongSignature(let name): "the signature of \(name) is wrong"
    }
  }
}

// MARK: - Deciding

/// A checkpoint that a policy believes.
public struct TrustedCheckpoint: Sendable, Hashable {
  public var checkpoint: Checkpoint
  public var log: VerifierKey
  /// Names of the witnesses that cosigned it, and when, in seconds since 1970.
  public var witnesses: [String: UInt64]
}

extension WitnessPolicy {
  /// Whether the witnesses that have seen a checkpoint are enough.
  public func isQuorum(_ hasSeen: (Witness) -> Bool) -> Bool {
    guard let quorum else { return true }
    var seen = Set(witnesses.filter(hasSeen).map { ExactName($0.name) })
    for group in groups where group.members.count(where: { seen.contains(ExactName($0)) }) >= group.threshold {
      seen.insert(ExactName(group.name))
    }
    return seen.contains(ExactName(quorum))
  }

  /// - Throws: why the checkpoint is not believed.
  public func verify(_ note: SignedNote) throws(ProofRefusal) -> TrustedCheckpoint {
    let checkpoint: Checkpoint
    let signed: [VerifierKey: VerifiedSignature]
    do throws(NoteError) {
      checkpoint = try Checkpoint(parsing: note.text)
      signed = try note.verified(by: logs.map(\.key) + witnesses.map(\.key))
    } catch { throw ProofRefusal(error) }
    guard let log = logs.first(where: { $0.key.isNamed(checkpoint.origin) && signed[$0.key] != nil })
    else {
      throw .unknownLog(checkpoint.origin)
    }
    var times: [String: UInt64] = [:]
    for witness in witnesses { times[witness.name] = signed[witness.key]?.time }
    guard isQuorum({ signed[$0.key] != nil }) else { throw .tooFewWitnesses(times.keys.sorted()) }
    return TrustedCheckpoint(checkpoint: checkpoint, log: log.key, witnesses: times)
  }
}
