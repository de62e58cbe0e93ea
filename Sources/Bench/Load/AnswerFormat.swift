import NIOCore

/// How answers are told apart on a connection.
enum AnswerFormat: Sendable {
  /// HTTP/1.1 with `Content-Length` (RFC 9112, clause 6).
  case http
  /// A bulk string of the Redis protocol (RESP2).
  case redis

  enum Outcome: Equatable {
    /// At least this many bytes must be there before it is worth looking again.
    case incomplete(atLeast: Int)
    case answer(isSuccess: Bool, head: String?)
  }

  /// Takes one answer off the buffer.
  /// - Parameter keepsHead: give the head as text even of a success.
  func take(from buffer: inout ByteBuffer, keepsHead: Bool) throws(BenchError) -> Outcome {
    switch self {
    case .http: try takeHTTP(&buffer, keepsHead)
    case .redis: try takeRedis(&buffer)
    }
  }

  private func takeHTTP(_ buffer: inout ByteBuffer, _ keepsHead: Bool) throws(BenchError) -> Outcome {
    let head = buffer.withUnsafeReadableBytes { HTTPHead($0) }
    guard let head else {
      guard buffer.readableBytes < 65_536 else { throw BenchError("the server sends a head without an end") }
      return .incomplete(atLeast: buffer.readableBytes + 1)
    }
    guard head.status != 0, !head.isChunked else {
      throw BenchError("the server answers in a way that this client cannot read (no HTTP/1.1, or chunked)")
    }
    let total = head.length + head.bodyLength
    guard buffer.readableBytes >= total else { return .incomplete(atLeast: total) }
    // 207 tells that a part of a batch was refused.
    let isSuccess = (200..<300).contains(head.status) && head.status != 207
    var text: String?
    if keepsHead || !isSuccess {
      text = buffer.getString(at: buffer.readerIndex, length: min(total, isSuccess ? head.length : head.length + 500))
    }
    buffer.moveReaderIndex(forwardBy: total)
    return .answer(isSuccess: isSuccess, head: text)
  }

  private func takeRedis(_ buffer: inout ByteBuffer) throws(BenchError) -> Outcome {
    let view = buffer.readableBytesView
    guard let end = view.firstIndex(of: 0x0A) else { return .incomplete(atLeast: view.count + 1) }
    let line = String(decoding: view[view.startIndex..<end].dropLast(), as: UTF8.self)
    guard line.first == "$", let length = Int(line.dropFirst()), length >= 0 else {
      throw BenchError("Redis answers '\(line.prefix(80))', not a text")
    }
    let total = end - view.startIndex + 1 + length + 2
    guard view.count >= total else { return .incomplete(atLeast: total) }
    buffer.moveReaderIndex(forwardBy: total)
    return .answer(isSuccess: true, head: nil)
  }
}

/// What this client needs to know of an answer's head.
struct HTTPHead {
  /// Bytes up to and with the empty line.
  var length = 0
  /// 0 when the first line is not that of an answer.
  var status = 0
  var bodyLength = 0
  var isChunked = false

  /// `nil` while the empty line is not there yet.
  init?(_ bytes: UnsafeRawBufferPointer) {
    var lineStart = 0
    var position = 0
    while position + 1 < bytes.count {
      guard bytes[position] == 13, bytes[position + 1] == 10 else {
        position += 1
        continue
      }
      if position == lineStart {
        length = position + 2
        return
      }
      read(UnsafeRawBufferPointer(rebasing: bytes[lineStart..<position]), isFirst: lineStart == 0)
      position += 2
      lineStart = position
    }
    return nil
  }

  private mutating func read(_ line: UnsafeRawBufferPointer, isFirst: Bool) {
    if isFirst {
      if line.count >= 12, Self.name(line, is: "http/1.1 ") { status = Self.number(line[9..<12]) ?? 0 }
    } else if Self.name(line, is: "content-length:") {
      bodyLength = Self.number(line[15...]) ?? 0
    } else if Self.name(line, is: "transfer-encoding:") {
      isChunked = true
    }
  }

  private static func name(_ line: UnsafeRawBufferPointer, is name: StaticString) -> Bool {
    guard line.count >= name.utf8CodeUnitCount else { return false }
    for index in 0..<name.utf8CodeUnitCount {
      let byte = line[index]
      let lower = (65...90).contains(byte) ? byte | 0x20 : byte
      if lower != name.utf8Start[index] { return false }
    }
    return true
  }

  private static func number(_ bytes: Slice<UnsafeRawBufferPointer>) -> Int? {
    var number = 0
    var digits = 0
    for byte in bytes where byte != 0x20 {
      guard (48...57).contains(byte), digits < 12 else { return nil }
      number = number * 10 + Int(byte - 48)
      digits += 1
    }
    return digits > 0 ? number : nil
  }
}
