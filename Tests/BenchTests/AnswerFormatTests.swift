import NIOCore
import Testing

@testable import Bench

@Suite struct AnswerFormatTests {
  private static let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ncontent-LENGTH: 5\r\n\r\nhello"

  /// However an answer is cut, it is taken whole and once, and what follows stays.
  @Test func takesAnswersInPieces() throws {
    let bytes = Array(Self.answer.utf8)
    for cut in 0..<bytes.count {
      var buffer = ByteBuffer(bytes: bytes[..<cut])
      guard case .incomplete(let atLeast) = try AnswerFormat.http.take(from: &buffer, keepsHead: false) else {
        Issue.record("an answer cut at \(cut) is taken for whole")
        continue
      }
      #expect(atLeast > cut && atLeast <= bytes.count)
      buffer.writeBytes(bytes[cut...] + Array("HTTP".utf8))
      #expect(try AnswerFormat.http.take(from: &buffer, keepsHead: false) == .answer(isSuccess: true, head: nil))
      #expect(buffer.readableBytes == 4)
    }
  }

  @Test(arguments: [
    ("204 No Content", true), ("201 Created", true), ("207 Multi-Status", false), ("404 Not Found", false),
  ])
  func successIsDone(status: String, isSuccess: Bool) throws {
    var buffer = ByteBuffer(string: "HTTP/1.1 \(status)\r\nX: 1\r\n\r\n")
    guard case .answer(isSuccess, let head) = try AnswerFormat.http.take(from: &buffer, keepsHead: false) else {
      Issue.record("\(status) is not told as \(isSuccess)")
      return
    }
    #expect((head != nil) == !isSuccess)
  }

  @Test(arguments: ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "\r\n\r\n"])
  func whatCannotBeReadIsRefused(text: String) {
    #expect(throws: BenchError.self) {
      var buffer = ByteBuffer(string: text)
      _ = try AnswerFormat.http.take(from: &buffer, keepsHead: false)
    }
  }

  @Test func headsHaveABound() {
    #expect(throws: BenchError.self) {
      var buffer = ByteBuffer(string: "HTTP/1.1 200 OK\r\n" + String(repeating: "x", count: 70_000))
      _ = try AnswerFormat.http.take(from: &buffer, keepsHead: false)
    }
  }

  @Test func takesTextsOfRedis() throws {
    var buffer = ByteBuffer(string: "$4\r\nab\r")
    #expect(try AnswerFormat.redis.take(from: &buffer, keepsHead: false) == .incomplete(atLeast: 10))
    buffer.writeString("\n\r\n$0")
    #expect(try AnswerFormat.redis.take(from: &buffer, keepsHead: false) == .answer(isSuccess: true, head: nil))
    #expect(buffer.readableBytes == 2)
    buffer = ByteBuffer(string: "$-1\r\n")
    #expect(throws: BenchError.self) { _ = try AnswerFormat.redis.take(from: &buffer, keepsHead: false) }
  }
}
