import NGSI

/// Encrypts and decrypts bodies with ARIA-256 (RFC 5794) as the published module does: each block for itself (ECB, no
/// IV), the last one filled up with zeros and their count where it is not full (ANSI X9.23; a full one gets no filling).
///
/// Neither hides that two blocks are the same, nor that somebody exchanged whole blocks: the wire asks for it, so the
/// link belongs into TLS besides.
public struct BodyCipher: Sendable {
  /// How bytes become the text that stands in the message. The published module takes the bytes for characters of the
  /// Java machine's own set, which no UTF-8 machine can read again; so both sides have to agree.
  public enum Encoding: String, Sendable, Hashable, CaseIterable {
    /// Each byte a character (ISO 8859-1).
    case characters
    case base64
    case hex
  }

  public enum KeyError: Error, Sendable, Hashable {
    /// A key is 1 to 32 ASCII characters; of a longer one the first 32 count.
    case notASCII
    case empty
  }

  /// libcrypto has no ARIA, or no memory.
  public struct CipherUnavailable: Error, Sendable, Hashable {}

  static let blockSize = 16
  static let keySize = 32

  private let key: [UInt8]
  public let encoding: Encoding

  /// - Parameter key: as agreed with the far side, filled up like a block where it is shorter than 32 characters.
  public init(key: String, encoding: Encoding) throws(KeyError) {
    guard !key.isEmpty else { throw .empty }
    guard key.utf8.allSatisfy({ $0 < 0x80 }) else { throw .notASCII }
    self.key = Self.filled(Array(key.utf8.prefix(Self.keySize)), to: Self.keySize)
    self.encoding = encoding
  }

  /// The message with its body encrypted.
  public func seal(_ message: Message, _ dialect: Message.Dialect = .module) throws(CipherUnavailable) -> Message {
    if case .sealed = message.body { return message }
    var message = message
    let text = JSONWriter.bytes(message.body.json(dialect))
    message.body = .sealed(encode(try Aria.run(Self.filled(text, to: Self.blockSize), key: key, encrypts: true)))
    message.envelope.isEncrypted = true
    message.envelope.bodyLength = nil
    return message
  }

  /// The message with its body decrypted; a plain one as it is.
  ///
  /// - Throws: ``MessageError`` with `unreadable` whatever is wrong with the body: its encoding, its length, its filling,
  ///   its text or a field of it. More would help to guess the key or the text.
  public func open(_ message: Message, bounds: Bounds = Bounds()) throws(MessageError) -> Message {
    guard case .sealed(let text) = message.body else { return message }
    let unreadable = MessageError("body", .unreadable)
    guard let bytes = decode(text), !bytes.isEmpty, bytes.count % Self.blockSize == 0,
      let plain = try? Aria.run(bytes, key: key, encrypts: false), let plain = Self.emptied(plain),
      let json = try? Message.parse(plain, "body", bounds),
      let body = try? Message.Body(json, "body", of: message.envelope.service, bounds)
    else { throw unreadable }
    return Message(message.envelope, body)
  }

  // MARK: - Filling

  static func filled(_ bytes: [UInt8], to size: Int) -> [UInt8] {
    let missing = (size - bytes.count % size) % size
    guard missing > 0 else { return bytes }
    return bytes + [UInt8](repeating: 0, count: missing - 1) + [UInt8(missing)]
  }

  /// `nil` for a filling that is none. A text of JSON may end with a full block, and then with no byte below 16 but a
  /// blank; before a blank stands no zero, and before a count as large as a blank there does.
  static func emptied(_ bytes: [UInt8]) -> [UInt8]? {
    guard let last = bytes.last, last < blockSize else { return bytes }
    let isBlank = last == UInt8(ascii: "\t") || last == UInt8(ascii: "\n") || last == UInt8(ascii: "\r")
    if isBlank, bytes.dropLast().last != 0 { return bytes }
    guard last > 0, last <= bytes.count, bytes.suffix(Int(last)).dropLast().allSatisfy({ $0 == 0 }) else { return nil }
    return bytes.dropLast(Int(last))
  }

  // MARK: - Text

  private func encode(_ bytes: [UInt8]) -> String {
    switch encoding {
    case .characters: String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    case .base64: Base64.encode(bytes)
    case .hex: bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
  }

  private func decode(_ text: String) -> [UInt8]? {
    switch encoding {
    case .characters:
      var bytes: [UInt8] = []
      for scalar in text.unicodeScalars {
        guard let byte = UInt8(exactly: scalar.value) else { return nil }
        bytes.append(byte)
      }
      return bytes
    case .base64: return Base64.decode(text)
    case .hex:
      let digits = text.utf8.map(Self.digit)
      guard digits.count % 2 == 0, digits.allSatisfy({ $0 < 16 }) else { return nil }
      return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
  }

  /// The value of a hexadecimal digit; 255 for what is none.
  private static func digit(_ unit: UInt8) -> UInt8 {
    switch unit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): unit - 48
    case UInt8(ascii: "a")...UInt8(ascii: "f"): unit - 87
    case UInt8(ascii: "A")...UInt8(ascii: "F"): unit - 55
    default: 255
    }
  }
}
