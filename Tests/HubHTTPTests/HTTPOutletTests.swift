import NGSI
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import Testing

@testable import Hub
@testable import HubHTTP

@Suite struct HTTPOutletTests {
  // Clauses: 5.8.5, 5.8.6, 5.11.7
  /// A receiver that is away ends the attempt, so that the hub looks at the subscription before the next one. The
  /// connection pool, left to itself, goes on for three seconds and reaches whoever listens there next.
  @Test func aReceiverThatIsAwayEndsTheAttempt() async throws {
    let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
    let listener = try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
    let port = try #require(listener.localAddress?.port)
    try await listener.close().get()
    let outlet = HTTPOutlet()
    let message = NotificationMessage(url: "http://127.0.0.1:\(port)/n", headers: [], body: [], timeout: 10)
    var quickest = Duration.seconds(60)
    // Other tests may have all the cores: one quick failure is proof.
    for _ in 0..<5 where quickest > .seconds(2) {
      let began = ContinuousClock.now
      #expect(await outlet.send(message) != nil)
      quickest = min(quickest, began.duration(to: .now))
    }
    #expect(quickest < .milliseconds(2500))
    await outlet.shutdown()
  }

  // Clauses: none: keys of other providers of identity
  /// Where no redirect is to be followed the answer that redirects is a failure, and its target is asked for nothing.
  @Test func noRedirectIsFollowedWhereNoneMayBe() async throws {
    let (target, outlet) = (try await Pointing(to: nil), HTTPOutlet())
    for status in [HTTPResponseStatus.movedPermanently, .found, .temporaryRedirect, .permanentRedirect] {
      let first = try await Pointing(to: target.url, status: status)
      await #expect(throws: Problem.self) { try await outlet.fetch(first.url, redirects: 0) }
      #expect(first.asked == 1 && target.asked == 0, "\(status)")
      try await first.close()
    }
    // The target is there, and one redirect is followed where one may be.
    let other = try await Pointing(to: target.url)
    #expect(try await outlet.fetch(other.url, redirects: 1).bytes == Array("{}".utf8))
    #expect(target.asked == 1)
    let third = try await Pointing(to: other.url)
    await #expect(throws: Problem.self) { try await outlet.fetch(third.url, redirects: 1) }
    #expect(target.asked == 1)
    for server in [target, other, third] { try await server.close() }
    await outlet.shutdown()
  }
}

/// A server that sends everybody elsewhere, or answers `{}` where there is nowhere to send to; counts who asks.
private final class Pointing: Sendable {
  private let channel: any Channel
  private let count: Count

  private final class Count: Sendable {
    let value = Atomic(0)
  }

  var url: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)/keys" }
  var asked: Int { count.value.load(ordering: .relaxed) }

  init(to location: String?, status: HTTPResponseStatus = .found) async throws {
    let count = Count()
    self.count = count
    channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.pipeline.configureHTTPServerPipeline().flatMapThrowing {
          try channel.pipeline.syncOperations.addHandler(Handler(count: count, location: location, status: status))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
  }

  func close() async throws { try await channel.close() }

  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    let count: Count
    let location: String?
    let status: HTTPResponseStatus

    init(count: Count, location: String?, status: HTTPResponseStatus) {
      self.count = count
      self.location = location
      self.status = status
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      guard case .end = unwrapInboundIn(data) else { return }
      count.value.add(1, ordering: .relaxed)
      var headers = HTTPHeaders([("Content-Length", "2")])
      if let location { headers.add(name: "Location", value: location) }
      let head = HTTPResponseHead(version: .http1_1, status: location == nil ? .ok : status, headers: headers)
      context.write(wrapOutboundOut(.head(head)), promise: nil)
      context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: "{}")))), promise: nil)
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
  }
}
