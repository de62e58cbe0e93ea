import CZlib
import Foundation

/// Bytes that come in chunks, so that a file of any size takes little memory.
protocol ByteSource: AnyObject {
  /// The next bytes; `nil` at the end.
  func next() throws(IngestError) -> [UInt8]?
  /// Share of the file that has been taken, 0 to 1.
  var progress: Double { get }
}

/// A file as it lies on disk.
final class FileSource: ByteSource {
  private let handle: FileHandle
  private let path: String
  private let size: UInt64
  private var taken: UInt64 = 0
  static let chunk = 32 * 1024

  init(path: String) throws(IngestError) {
    guard let handle = FileHandle(forReadingAtPath: path) else {
      throw IngestError("\(path): no such file, or it may not be read")
    }
    self.handle = handle
    self.path = path
    size = (try? handle.seekToEnd()) ?? 0
    do { try handle.seek(toOffset: 0) } catch { throw IngestError("\(path): \(error)") }
  }

  deinit { try? handle.close() }

  var progress: Double { size == 0 ? 1 : Double(taken) / Double(size) }

  func next() throws(IngestError) -> [UInt8]? {
    do {
      guard let data = try handle.read(upToCount: Self.chunk), !data.isEmpty else { return nil }
      taken += UInt64(data.count)
      return [UInt8](data)
    } catch {
      throw IngestError("\(path): reading failed: \(error)")
    }
  }
}

/// Unpacks gzip (RFC 1952, several members in a row too) or raw deflate (RFC 1951) from another source.
final class InflateSource: ByteSource {
  enum Format {
    case gzip
    case deflate
  }

  private let source: any ByteSource
  private let name: String
  private let format: Format
  private let stream: UnsafeMutablePointer<z_stream>
  private var input: [UInt8] = []
  private var inputPosition = 0
  private var isEnded = false
  private var output = [UInt8](repeating: 0, count: 256 * 1024)

  init(_ source: any ByteSource, name: String, format: Format = .gzip) throws(IngestError) {
    self.source = source
    self.name = name
    self.format = format
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    let windowBits: Int32 = format == .gzip ? 15 + 16 : -15
    guard inflateInit2_(stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      stream.deallocate()
      throw IngestError("\(name): zlib does not start")
    }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  var progress: Double { source.progress }

  func next() throws(IngestError) -> [UInt8]? {
    while true {
      if inputPosition == input.count {
        guard let more = try source.next() else {
          guard isEnded || (input.isEmpty && format == .gzip) else {
            throw IngestError("\(name): the packed data ends too early")
          }
          return nil
        }
        input = more
        inputPosition = 0
      }
      if isEnded {
        // Zeros may pad the end; anything else must be a further member.
        guard format == .gzip else { return nil }
        while inputPosition < input.count, input[inputPosition] == 0 { inputPosition += 1 }
        if inputPosition == input.count { continue }
        inflateReset(stream)
        isEnded = false
      }
      let produced = try step()
      if produced > 0 { return Array(output[0..<produced]) }
    }
  }

  private func step() throws(IngestError) -> Int {
    var status = Z_OK
    let room = output.count
    let taken = input.withUnsafeMutableBufferPointer { buffer -> Int in
      output.withUnsafeMutableBufferPointer { out -> Int in
        let available = buffer.count - inputPosition
        stream.pointee.next_in = buffer.baseAddress.map { $0 + inputPosition }
        stream.pointee.avail_in = UInt32(available)
        stream.pointee.next_out = out.baseAddress
        stream.pointee.avail_out = UInt32(room)
        status = inflate(stream, Z_NO_FLUSH)
        return available - Int(stream.pointee.avail_in)
      }
    }
    inputPosition += taken
    let produced = room - Int(stream.pointee.avail_out)
    switch status {
    case Z_STREAM_END: isEnded = true
    case Z_OK: break
    case Z_BUF_ERROR where taken > 0 || produced > 0 || inputPosition == input.count: break
    default:
      let message = stream.pointee.msg.map { String(cString: $0) } ?? "code \(status)"
      throw IngestError("\(name): the packed data is damaged (\(message))")
    }
    return produced
  }
}

enum ByteSources {
  /// A file, unpacked where its first bytes are those of gzip.
  static func open(_ path: String) throws(IngestError) -> any ByteSource {
    let probe = FileHandle(forReadingAtPath: path)
    let start = (try? probe?.read(upToCount: 2)) ?? nil
    try? probe?.close()
    let file = try FileSource(path: path)
    guard let start, start.elementsEqual([0x1F, 0x8B]) else { return file }
    return try InflateSource(file, name: path)
  }

  /// All bytes of a source, up to a bound.
  static func readAll(_ source: any ByteSource, name: String, most: Int) throws(IngestError) -> [UInt8] {
    var bytes: [UInt8] = []
    while let chunk = try source.next() {
      guard bytes.count + chunk.count <= most else { throw IngestError("\(name): larger than \(most) bytes") }
      bytes += chunk
    }
    return bytes
  }
}
