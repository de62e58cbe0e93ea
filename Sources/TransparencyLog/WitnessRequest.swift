/// What a log asks of a witness: to cosign a checkpoint, with the proof that it continues the last one that this witness
/// cosigned (C2SP tlog-witness, `add-checkpoint`).
public struct WitnessRequest: Sendable, Hashable {
  /// Size of the checkpoint that the witness cosigned last; 0 before the first.
  public var oldSize: UInt64
  public var path: [TreeHash]
  public var checkpoint: SignedNote

  public init(oldSize: UInt64, path: [TreeHash], checkpoint: SignedNote) {
    self.oldSize = oldSize
    self.path = path
    self.checkpoint = checkpoint
  }

  public init(parsing bytes: [UInt8]) throws(NoteError) {
    guard bytes.count <= SignedNote.maxBytes else {
      throw .malformed("a request has at most \(SignedNote.maxBytes) bytes")
    }
    guard let text = String(validating: bytes, as: UTF8.self), let (head, note) = EmptyLine.first.split(text) else {
      throw .malformed("a request has an empty line before its checkpoint")
    }
    let lines = head.octetLines
    guard let first = lines.first?.after(octets: "old "), let size = Decimal.number(first) else {
      throw .malformed("a request begins with the line: old SIZE")
    }
    guard lines.count - 1 <= MerkleProof.maxHashes else {
      throw .malformed("a request has at most \(MerkleProof.maxHashes) hashes")
    }
    oldSize = size
    path = []
    for line in lines.dropFirst() {
      guard let hash = Base64.bytes(line).flatMap({ TreeHash($0) }) else {
        throw .malformed("a line of the proof is no hash: \(line.prefix(100))")
      }
      path.append(hash)
    }
    checkpoint = try SignedNote(parsing: Array(note.utf8))
  }

  /// The body of the request.
  public var text: String {
    "old \(oldSize)\n" + path.map { "\($0)\n" }.joined() + "\n" + checkpoint.description
  }
}

/// What a witness remembers of a log.
public struct WitnessedTree: Sendable, Hashable {
  public var size: UInt64
  public var root: TreeHash

  public init(size: UInt64, root: TreeHash) {
    self.size = size
    self.root = root
  }

  public static let none = WitnessedTree(size: 0, root: .empty)
}

/// Why a witness does not cosign.
public enum WitnessRefusal: Error, Sendable, Hashable {
  /// The request cannot be read, or its old size lies above the new one (400).
  case malformed(String)
  /// No trusted key of that log signed it (403).
  case untrusted
  /// The log is none of this witness's (404).
  case unknownLog
  /// The witness stands at another size (409).
  case otherSize(UInt64)
  /// The proof does not show that the log only grew (422). With a good signature this is evidence against the log.
  case inconsistent

  /// Status of the HTTP answer.
  public var status: Int {
    switch self {
    case .malformed: 400
    case .untrusted: 403
    case .unknownLog: 404
    case .otherSize: 409
    case .inconsistent: 422
    }
  }
}

extension WitnessRequest {
  /// Judges the request; gives the checkpoint that the witness may cosign once it remembers it.
  ///
  /// - Parameters:
  ///   - logs: keys that the witness trusts; their names are the origins of their logs.
  ///   - latest: what the witness remembers of the log with this origin.
  public func judged(
    trusting logs: [VerifierKey], latest: (_ origin: String) -> WitnessedTree
  ) throws(WitnessRefusal) -> Checkpoint {
    let new: Checkpoint
    do throws(NoteError) {
      // A root that is wrong for a tree of size 0 is inconsistent, not malformed; it is judged below.
      new = try Checkpoint(parsing: checkpoint.text, judgesRoot: false)
    } catch { throw .malformed(error.sentence) }
    let keys = logs.filter { $0.isNamed(new.origin) }
    guard !keys.isEmpty else { throw .unknownLog }
    guard let signed = try? checkpoint.verified(by: keys), !signed.isEmpty else { throw .untrusted }
    guard oldSize <= new.size else { throw .malformed("the old size lies above that of the checkpoint") }
    let old = latest(new.origin)
    guard oldSize == old.size else { throw .otherSize(old.size) }
    guard new.size > 0 || new.root == .empty else { throw .inconsistent }
    if old.size == 0 {
      guard path.isEmpty else { throw .inconsistent }
    } else {
      let grew = MerkleProof.proves(old.root, size: old.size, isBeginningOf: new.root, size: new.size, path: path)
      guard grew else { throw .inconsistent }
    }
    return new
  }
}

extension WitnessRefusal {
  /// For people.
  public var sentence: String {
    switch self {
    case .malformed(let why): why
    case .untrusted: "no key that this witness trusts for the log signed the checkpoint"
    case .unknownLog: "this witness does not know the log"
    case .otherSize(let size): "the witness stands at \(size) entries"
    case .inconsistent: "the checkpoint does not continue the last one that this witness cosigned"
    }
  }
}
