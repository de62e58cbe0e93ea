import NGSI
import NIOCore
import NIOPosix
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
}
