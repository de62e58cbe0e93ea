import NIOCore
import NIOHTTP1

extension APIResponse {
  /// The whole answer as it goes over the wire (RFC 9112), head and body in one buffer.
  func message(keepsAlive: Bool, _ channel: any Channel) -> ByteBuffer {
    let status = HTTPResponseStatus(statusCode: self.status)
    // More than the fixed texts and numbers below take.
    var most = 256 + status.reasonPhrase.utf8.count + body.count
    for (name, value) in headers { most += name.utf8.count + value.utf8.count + 4 }
    var buffer = channel.allocator.buffer(capacity: most)
    buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: most) { room in
      var message = Message(room)
      message.write("HTTP/1.1 ")
      message.write(number: self.status)
      message.write(" ")
      message.write(value: status.reasonPhrase)
      message.write("\r\n")
      for (name, value) in headers {
        message.write(value: name)
        message.write(": ")
        message.write(value: value)
        message.write("\r\n")
      }
      // Clause 6.3.6: no length with 204. HEAD keeps the length of the body that it leaves out.
      if self.status != 204, !headers.contains(name: "Content-Length") {
        message.write("Content-Length: ")
        message.write(number: body.count)
        message.write("\r\n")
      }
      message.write("Date: ")
      message.write(value: HTTPDate.now)
      message.write("\r\nServer: madang\r\n")
      message.write(keepsAlive ? "\r\n" : "Connection: close\r\n\r\n")
      body.withUnsafeBytes { message.write($0) }
      return message.count
    }
    return buffer
  }
}

/// A message that grows in memory with room enough.
private struct Message {
  private let room: UnsafeMutableRawBufferPointer
  private(set) var count = 0

  init(_ room: UnsafeMutableRawBufferPointer) { self.room = room }

  mutating func write(_ bytes: UnsafeRawBufferPointer) {
    UnsafeMutableRawBufferPointer(rebasing: room[count...]).copyMemory(from: bytes)
    count += bytes.count
  }

  mutating func write(_ text: StaticString) {
    write(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Writes what may stand in a header; what could end the line becomes a space.
  mutating func write(value: String) {
    var value = value
    value.withUTF8 { text in
      for (offset, byte) in text.enumerated() {
        room[count + offset] = byte >= 0x20 && byte != 0x7F ? byte : 0x20
      }
      count += text.count
    }
  }

  mutating func write(number: Int) {
    var digits = 1
    var rest = number
    while rest >= 10 {
      digits += 1
      rest /= 10
    }
    rest = number
    for position in stride(from: count + digits - 1, through: count, by: -1) {
      room[position] = UInt8(ascii: "0") + UInt8(rest % 10)
      rest /= 10
    }
    count += digits
  }
}
