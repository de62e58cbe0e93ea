import CLibcrypto

/// ARIA with a key of 256 bits, block by block, by libcrypto's default provider.
enum Aria {
  /// - Parameters:
  ///   - bytes: whole blocks of 16.
  ///   - key: 32 bytes.
  static func run(_ bytes: [UInt8], key: [UInt8], encrypts: Bool) throws(BodyCipher.CipherUnavailable) -> [UInt8] {
    guard key.count == BodyCipher.keySize, bytes.count % BodyCipher.blockSize == 0, bytes.count <= Int(Int32.max),
      let cipher = EVP_CIPHER_fetch(nil, "ARIA-256-ECB", nil)
    else { throw BodyCipher.CipherUnavailable() }
    defer { EVP_CIPHER_free(cipher) }
    guard let context = EVP_CIPHER_CTX_new() else { throw BodyCipher.CipherUnavailable() }
    defer { EVP_CIPHER_CTX_free(context) }
    var result = [UInt8](repeating: 0, count: bytes.count + BodyCipher.blockSize)
    var count: Int32 = 0
    // Filling is the caller's: libcrypto knows another one.
    guard EVP_CipherInit_ex(context, cipher, nil, key, nil, encrypts ? 1 : 0) == 1,
      EVP_CIPHER_CTX_set_padding(context, 0) == 1,
      EVP_CipherUpdate(context, &result, &count, bytes, Int32(bytes.count)) == 1, Int(count) == bytes.count
    else { throw BodyCipher.CipherUnavailable() }
    return Array(result.prefix(Int(count)))
  }
}

/// RFC 4648 section 4, with its filling, and nothing else in the text.
enum Base64 {
  private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func encode(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let part = bytes[start..<min(start + 3, bytes.count)]
      let word = part.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - part.count))
      for place in 0..<4 {
        text.append(place <= part.count ? digits[word >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// `nil` for what no encoder writes.
  static func decode(_ text: String) -> [UInt8]? {
    let units = Array(text.utf8)
    guard units.count % 4 == 0 else { return nil }
    let filling = units.suffix(2).count { $0 == UInt8(ascii: "=") }
    var bytes: [UInt8] = []
    var word = 0
    for (index, unit) in units.enumerated() {
      let isFilling = index >= units.count - filling
      guard let digit = isFilling && unit == UInt8(ascii: "=") ? 0 : value(unit) else { return nil }
      word = word << 6 | digit
      guard index % 4 == 3 else { continue }
      bytes += [UInt8(word >> 16 & 255), UInt8(word >> 8 & 255), UInt8(word & 255)]
      word = 0
    }
    bytes.removeLast(filling)
    return encode(bytes) == text ? bytes : nil
  }

  private static func value(_ unit: UInt8) -> Int? {
    switch unit {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): Int(unit) - 65
    case UInt8(ascii: "a")...UInt8(ascii: "z"): Int(unit) - 71
    case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(unit) + 4
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }
}
