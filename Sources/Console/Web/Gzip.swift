import CZlib

/// Packs answers (RFC 1952).
enum Gzip {
  /// The fastest level: a map of 10,000 entities (1 MB) shrinks to a quarter in some 10 ms of one core; the usual
  /// level takes three to four times as long for an eighth less.
  private static let level: Int32 = 1

  /// `nil` when zlib refuses; the answer then goes as it is.
  static func pack(_ bytes: [UInt8]) -> [UInt8]? {
    var stream = z_stream()
    let format: Int32 = 15 + 16
    let size = Int32(MemoryLayout<z_stream>.size)
    guard deflateInit2_(&stream, level, Z_DEFLATED, format, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size) == Z_OK else {
      return nil
    }
    defer { deflateEnd(&stream) }
    let room = Int(deflateBound(&stream, UInt(bytes.count)))
    var status = Z_OK
    let packed = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
      bytes.withUnsafeBufferPointer { input in
        // zlib only reads through this pointer.
        stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
        stream.avail_in = UInt32(input.count)
        stream.next_out = buffer.baseAddress
        stream.avail_out = UInt32(room)
        status = deflate(&stream, Z_FINISH)
      }
      count = Int(stream.total_out)
    }
    return status == Z_STREAM_END ? packed : nil
  }

  /// Whether an `Accept-Encoding` takes gzip (RFC 9110 section 12.5.3).
  static func isAccepted(_ header: String?) -> Bool {
    for range in (header ?? "").split(separator: ",").prefix(32) {
      let parts = range.split(separator: ";").map { $0.trimming().lowercased() }
      guard parts.first == "gzip" || parts.first == "x-gzip" else { continue }
      let quality = parts.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
      return quality > 0
    }
    return false
  }
}
