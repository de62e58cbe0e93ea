/// A proof that an entry stands in a log, in one file that can be checked without asking anybody (C2SP tlog-proof).
public struct InclusionFile: Sendable, Hashable {
  static let header = "c2sp.org/tlog-proof@v1"

  /// Opaque bytes that go with it; nothing proves them.
  public var extra: [UInt8]?
  public var index: UInt64
  public var path: [TreeHash]
  public var checkpoint: SignedNote

  public init(extra: [UInt8]? = nil, index: UInt64, path: [TreeHash], checkpoint: SignedNote) {
    self.extra = extra
    self.index = index
    self.path = path
    self.checkpoint = checkpoint
  }

  public init(parsing bytes: [UInt8]) throws(NoteError) {
    guard bytes.count <= SignedNote.maxBytes else {
      throw .malformed("a proof has at most \(SignedNote.maxBytes) bytes")
    }
    guard let text = String(validating: bytes, as: UTF8.self), let (head, note) = EmptyLine.first.split(text) else {
      throw .malformed("a proof is text with an empty line before its checkpoint")
    }
    var lines = head.octetLines[...]
    guard let header = lines.popFirst(), header.isSpelled(like: Self.header) else {
      throw .malformed("a proof begins with \(Self.header)")
    }
    if let line = lines.first?.after(octets: "extra ") {
      guard let bytes = Base64.bytes(line) else { throw .malformed("what is extra is Base 64") }
      extra = bytes
      lines.removeFirst()
    }
    guard let line = lines.popFirst()?.after(octets: "index "), let index = Decimal.number(line) else {
      throw .malformed("a proof names the index of its entry")
    }
    self.index = index
    guard lines.count <= MerkleProof.maxHashes else {
      throw .malformed("a proof has at most \(MerkleProof.maxHashes) hashes")
    }
    path = []
    for line in lines {
      guard let hash = Base64.bytes(line).flatMap({ TreeHash($0) }) else {
        throw .malformed("a line of the proof is no hash: \(line.prefix(100))")
      }
      path.append(hash)
    }
    checkpoint = try SignedNote(parsing: Array(note.utf8))
  }

  /// The file's text.
  public var text: String {
    var text = Self.header + "\n"
    if let extra { text += "extra \(Base64.text(extra))\n" }
    text += "index \(index)\n"
    for hash in path { text += "\(hash)\n" }
    return text + "\n" + checkpoint.description
  }

  /// Whether the entry with this hash is proved under a policy; what it was proved with.
  ///
  /// - Throws: why it is not.
  public func verify(_ leaf: TreeHash, under policy: WitnessPolicy) throws(ProofRefusal) -> ProvedInclusion {
    let trusted = try policy.verify(checkpoint)
    guard MerkleProof.proves(leaf, at: index, in: trusted.checkpoint.root, size: trusted.checkpoint.size, path: path)
    else {
      throw .entryIsNotThere
    }
    return ProvedInclusion(index: index, checkpoint: trusted)
  }
}

/// An entry that is proved.
public struct ProvedInclusion: Sendable, Hashable {
  public var index: UInt64
  public var checkpoint: TrustedCheckpoint
}

/// Why a checkpoint or a proof is not believed.
public enum ProofRefusal: Error, Sendable, Hashable {
  /// The note or its text has not the form that it must have.
  case malformed(String)
  /// A line names a trusted key and is not its signature.
  case wrongSignature(String)
  /// No log of the policy signed it.
  case unknownLog(String)
  /// Too few witnesses of the policy cosigned it; those that did.
  case tooFewWitnesses([String])
  /// The entry does not stand at that place under that root.
  case entryIsNotThere

  init(_ error: NoteError) {
    self =
      switch error {
      case .malformed(let why): .malformed(why)
      case .wrongSignature(let name): .wrongSignature(name)
      }
  }
}
