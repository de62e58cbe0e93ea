import Glibc

/// Text of other character sets as UTF-8, by the C library's iconv.
enum Charset {
  /// - Parameter most: bytes that the text may have as UTF-8.
  /// - Throws: ``IngestError`` that says at which byte the text is not of that set.
  static func utf8(_ bytes: [UInt8], from charset: String, most: Int) throws(IngestError) -> [UInt8] {
    guard let converter = iconv_open("UTF-8", charset), Int(bitPattern: converter) != -1 else {
      throw IngestError("the character set '\(charset)' is not known on this machine")
    }
    defer { iconv_close(converter) }
    var output: [UInt8] = []
    output.reserveCapacity(min(most, bytes.count + bytes.count / 2))
    var input = bytes.map { CChar(bitPattern: $0) }
    var chunk = [CChar](repeating: 0, count: 64 << 10)
    var taken = 0
    while taken < input.count {
      let (left, room, failure) = input.withUnsafeMutableBufferPointer { source in
        chunk.withUnsafeMutableBufferPointer { target -> (Int, Int, Int32) in
          var from = source.baseAddress.map { $0 + taken }
          var left = source.count - taken
          var to = target.baseAddress
          var room = target.count
          let result = iconv(converter, &from, &left, &to, &room)
          return (left, room, result == -1 ? errno : 0)
        }
      }
      output += chunk[..<(chunk.count - room)].lazy.map { UInt8(bitPattern: $0) }
      guard output.count <= most else { throw IngestError("the body has more than \(most) bytes as UTF-8") }
      taken = input.count - left
      guard failure == 0 || failure == E2BIG else {
        throw IngestError("byte \(taken + 1) is not of the character set \(charset)")
      }
    }
    return output
  }
}
