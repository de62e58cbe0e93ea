import Foundation
import Hummingbird
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import Testing

import Federation
import TestSupport
@testable import Hub
@testable import HubHTTP

// Clauses: none: what the tests of the server share
/// A server on loopback with some pages beside the API.
struct TestServer {
  /// Threads for clients, so that none of the server's own is taken.
  private static let clients: NIOThreadPool = {
    let threads = NIOThreadPool(numberOfThreads: 4)
    threads.start()
    return threads
  }()

  let port: Int
  /// Asks the server to stop, and waits until it has.
  let stop: @Sendable () async -> Void

  /// Runs a client that waits, on a thread that may.
  ///
  /// - Parameter window: bytes that it takes before it reads; what the system gives where there is none.
  func talk<Value: Sendable>(
    window: Int32? = nil, _ body: @escaping @Sendable (Wire) throws -> Value
  ) async throws -> Value {
    try await Self.clients.runIfActive {
      let wire = try Wire(port: port, window: window)
      defer { wire.close() }
      return try body(wire)
    }
  }
}

/// Event loops of servers that were stopped stay: a server ends in a task of its own, which may still need them.
private enum EventLoops {
  private static let made = Mutex<[MultiThreadedEventLoopGroup]>([])

  static func make(_ threads: Int) -> MultiThreadedEventLoopGroup {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
    made.withLock { $0.append(group) }
    return group
  }
}

/// Runs a body beside a server of its own.
func withServer(
  limits: Limits = Limits(), idle: TimeAmount = .seconds(20), farewell: TimeAmount = .seconds(8), loops: Int = 2,
  _ body: @escaping @Sendable (TestServer) async throws -> Void
) async throws {
  try await withHub(limits: limits) { hub in
    let router = Router()
    router.get("/page") { _, _ in "page" }
    router.get("/slow") { _, _ in
      try await Task.sleep(for: .milliseconds(50))
      return "slow"
    }
    router.get("/slower") { _, _ in
      try await Task.sleep(for: .milliseconds(1200))
      return "slower"
    }
    router.post("/early") { _, _ in "early" }
    router.get("/big") { _, _ in
      Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(repeating: 0x78, count: 64 << 20)))
    }
    router.get("/long") { _, _ in
      Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(repeating: 0x78, count: 12 << 20)))
    }
    let (ports, port) = AsyncStream.makeStream(of: Int.self)
    var log = Logger(label: "test")
    log.logLevel = .critical
    let eventLoops = EventLoops.make(loops)
    let app = Application(
      responder: router.buildResponder(),
      server: .api(of: Federation(hub: hub.hub), idleTimeout: idle, farewell: farewell),
      configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
      onServerRunning: { channel in port.yield(channel.localAddress?.port ?? 0) },
      eventLoopGroupProvider: .shared(eventLoops), logger: log)
    let services = ServiceGroup(services: [app], logger: log)
    let run = Task { try await services.run() }
    let stop: @Sendable () async -> Void = {
      await services.triggerGracefulShutdown()
      _ = await run.result
    }
    var failure: (any Error)?
    for await port in ports {
      do { try await body(TestServer(port: port, stop: stop)) } catch { failure = error }
      break
    }
    run.cancel()
    _ = await run.result
    if let failure { throw failure }
  }
}

/// A client's end of a connection, byte by byte.
final class Wire {
  struct Answer {
    var status = 0
    var headers: [String: String] = [:]
    var body = ""
  }

  private let socket: Int32
  private var received: [UInt8] = []

  init(port: Int, window: Int32? = nil) throws {
    socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    if var window { setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &window, socklen_t(MemoryLayout<Int32>.size)) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    try #require(connected == 0)
    var patience = timeval(tv_sec: 15, tv_usec: 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
  }

  func close() { _ = Glibc.close(socket) }

  func send(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let sent = rest.withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard sent > 0 else { return }
      rest = rest.dropFirst(sent)
    }
  }

  func sendsNoMore() { _ = shutdown(socket, Int32(SHUT_WR)) }

  /// Waits until the first bytes are there.
  var hasBegun: Bool { !received.isEmpty || receive() }

  /// Whether the server ends the connection next, within the patience of the socket.
  var isAtEnd: Bool { received.isEmpty && !receive(expectsEnd: true) }

  private func receive(expectsEnd: Bool = false) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = recv(socket, &buffer, buffer.count, 0)
    guard count > 0 else { return expectsEnd && count < 0 && errno == EAGAIN }
    received += buffer[..<count]
    return true
  }

  /// Bytes that come within this many seconds, read a piece at a time with a pause after each.
  func reads(for seconds: Double, pausing pause: Double) -> Int {
    let end = ContinuousClock.now + .seconds(seconds)
    var count = 0
    while ContinuousClock.now < end {
      guard receive() else { break }
      count += received.count
      received.removeAll()
      usleep(UInt32(pause * 1_000_000))
    }
    return count
  }

  /// The next answer; status 0 when there is none.
  func answer(hasBody: Bool = true) -> Answer {
    let blank = Array("\r\n\r\n".utf8)
    var end: Int?
    while end == nil {
      end = received.indices.dropLast(3).first { received[$0] == 13 && Array(received[$0..<$0 + 4]) == blank }
      if end == nil, !receive() { return Answer() }
    }
    guard let end else { return Answer() }
    let lines = String(decoding: received[..<end], as: UTF8.self).components(separatedBy: "\r\n")
    received.removeFirst(end + 4)
    var answer = Answer(status: lines[0].split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0)
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
      if parts.count == 2 { answer.headers[parts[0].lowercased()] = parts[1] }
    }
    guard hasBody, let length = answer.headers["content-length"].flatMap({ Int($0) }) else { return answer }
    while received.count < length { if !receive() { return Answer() } }
    answer.body = String(decoding: received[..<length], as: UTF8.self)
    received.removeFirst(length)
    return answer
  }
}
