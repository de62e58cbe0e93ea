/// Text with the signatures of one or more keys (C2SP signed-note).
///
/// Reading one checks its form and nothing else: a note says nothing until ``verified(by:)`` has found a signature of a
/// key that is trusted.
public struct SignedNote: Sendable, Hashable {
  /// Bytes of a note at most, and signatures that it may have.
  public static let maxBytes = 1 << 20
  public static let maxSignatures = 100

  /// Ends with a line break.
  public var text: String
  public var signatures: [NoteSignature]

  public init(text: String, signatures: [NoteSignature]) {
    self.text = text
    self.signatures = signatures
  }

  /// The note as it is written.
  public var description: String { text + "\n" + signatures.map(\.line).joined() }

  /// - Throws: what is wrong with the form.
  public init(parsing bytes: some Collection<UInt8>) throws(NoteError) {
    guard bytes.count <= Self.maxBytes else { throw .malformed("a note has at most \(Self.maxBytes) bytes") }
    guard let whole = String(validating: bytes, as: UTF8.self) else { throw .malformed("a note is UTF-8") }
    guard whole.utf8.allSatisfy({ $0 >= 0x20 || $0 == 0x0A }) else {
      throw .malformed("a note has no control characters but line breaks")
    }
    guard let (head, lines) = EmptyLine.last.split(whole) else {
      throw .malformed("a note has an empty line before its signatures")
    }
    guard lines.utf8.last == 0x0A else { throw .malformed("a note ends with a line break") }
    var signatures: [NoteSignature] = []
    for line in lines.octetLines.dropLast() {
      guard signatures.count < Self.maxSignatures else {
        throw .malformed("a note has at most \(Self.maxSignatures) signatures")
      }
      guard let signature = NoteSignature(line: line) else {
        throw .malformed("a line is no signature: \(line.prefix(100))")
      }
      signatures.append(signature)
    }
    self.init(text: head + "\n", signatures: signatures)
  }

  /// The keys among those trusted that signed this text.
  ///
  /// - Throws: ``NoteError/wrongSignature(_:)`` when a line names a trusted key and is not its signature: such a note is
  ///   not believed at all.
  public func verified(by keys: some Sequence<VerifierKey>) throws(NoteError) -> [VerifierKey: VerifiedSignature] {
    var found: [VerifierKey: VerifiedSignature] = [:]
    for key in keys {
      for signature in signatures where signature.claims(key) {
        guard let verified = key.verify(signature, text: text) else { throw .wrongSignature(key.name) }
        if found[key] == nil { found[key] = verified }
      }
    }
    return found
  }
}

/// What is wrong with a note, a key or a proof.
public enum NoteError: Error, Sendable, Hashable {
  case malformed(String)
  /// A line names this trusted key and is not its signature.
  case wrongSignature(String)
}

/// One signature line of a note.
public struct NoteSignature: Sendable, Hashable {
  public var name: String
  public var keyId: UInt32
  public var bytes: [UInt8]

  public init(name: String, keyId: UInt32, bytes: [UInt8]) {
    self.name = name
    self.keyId = keyId
    self.bytes = bytes
  }

  init?(line: Substring) {
    guard let parts = line.after(octets: "— ")?.octetSplit(at: 0x20), parts.count == 2, VerifierKey.isName(parts[0]),
      let bytes = Base64.bytes(parts[1]), bytes.count > 4
    else {
      return nil
    }
    name = String(parts[0])
    keyId = UInt32(bigEndianBytes: bytes.prefix(4))
    self.bytes = Array(bytes.dropFirst(4))
  }

  /// The time that a cosignature states, in seconds since 1970; it is not checked here.
  public var cosignatureTime: UInt64? { bytes.count == 72 ? UInt64(bigEndianBytes: bytes.prefix(8)) : nil }

  /// Whether the line says that it is of this key; it need not be.
  public func claims(_ key: VerifierKey) -> Bool { keyId == key.id && key.isNamed(name) }

  /// With its line break.
  public var line: String { "— \(name) \(Base64.text(keyId.bigEndianBytes + bytes))\n" }
}

extension FixedWidthInteger {
  init(bigEndianBytes bytes: some Sequence<UInt8>) { self = bytes.reduce(0) { $0 << 8 | Self($1) } }

  var bigEndianBytes: [UInt8] { Swift.withUnsafeBytes(of: bigEndian) { Array($0) } }
}
