import NIOCore
import NIOPosix

/// A closed loop: each client sends its next request when its answer is there.
struct Load: Sendable {
  enum Extent: Sendable {
    /// Measures for `seconds` after a warm-up, and up to ten times as long while there are too few answers to judge by.
    case time(warmup: Double, seconds: Double)
    /// Sends so many requests and measures all of them.
    case requests(Int)
  }

  let address: SocketAddress
  let format: AnswerFormat
  let clients: Int
  let extent: Extent
  /// The server's clock of processor time.
  var clock: ProcessClock?
  /// Seconds after which an answer no longer comes.
  var patience = 60.0
  /// Keep the head of the last answer.
  var keepsHead = false
  /// The request with this number.
  let request: @Sendable (Int) -> ByteBuffer

  struct Outcome: Sendable {
    var seconds = 0.0
    var latencies = Latencies([])
    /// Requests sent, those of the warm-up too.
    var sent = 0
    /// Processor time of the server, in nanoseconds; `nil` without a clock.
    var processorTime: Int64?
    /// Answers other than success, those of the warm-up too.
    var failures = 0
    var firstFailure: String?
    var lastHead: String?
  }

  /// Runs on one thread of the group, so that the client takes little of the machine.
  func run(on group: MultiThreadedEventLoopGroup) async throws -> Outcome {
    let loop = group.next()
    return try await loop.flatSubmit { LoadRun(self, on: loop).start() }.get()
  }
}

/// One run of a ``Load``. Lives on one event loop.
final class LoadRun {
  /// Answers that a point should have.
  private static let fewest = 20

  private enum Phase { case connecting, warmup, measuring, draining, ended }

  let load: Load
  private let loop: any EventLoop
  private let promise: EventLoopPromise<Load.Outcome>
  private var channels: [any Channel] = []
  private var phase = Phase.connecting
  private var outcome = Load.Outcome()
  private var samples: [Int64] = []
  private var begin = NIODeadline.now()
  private var processorBegin: Int64?
  private var underWay = 0
  private var watch: Scheduled<Void>?

  init(_ load: Load, on loop: any EventLoop) {
    self.load = load
    self.loop = loop
    promise = loop.makePromise()
  }

  func start() -> EventLoopFuture<Load.Outcome> {
    let run = NIOLoopBound(self, eventLoop: loop)
    let bootstrap = ClientBootstrap(group: loop)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .connectTimeout(.seconds(10))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(ClientHandler(run.value))
        }
      }
    let connections = (0..<load.clients).map { _ in bootstrap.connect(to: load.address) }
    EventLoopFuture.whenAllSucceed(connections, on: loop).assumeIsolated().whenComplete { result in
      switch result {
      case .success(let channels): self.connected(channels)
      case .failure(let error): self.fail(BenchError("\(self.load.address) cannot be reached: \(error)"))
      }
    }
    return promise.futureResult
  }

  private func connected(_ channels: [any Channel]) {
    self.channels = channels
    switch load.extent {
    case .time(let warmup, let seconds):
      phase = .warmup
      later(warmup) { $0.beginMeasuring() }
      later(warmup + seconds) { $0.endWhenEnough(after: seconds) }
      watch = later(warmup + 10 * seconds + load.patience) { $0.fail(BenchError("an answer does not come")) }
    case .requests:
      beginMeasuring()
    }
    for channel in channels { channel.pipeline.fireUserInboundEventTriggered(ClientHandler.Begin()) }
  }

  @discardableResult
  private func later(_ seconds: Double, _ body: @escaping (LoadRun) -> Void) -> Scheduled<Void> {
    loop.assumeIsolated().scheduleTask(in: .nanoseconds(Int64(seconds * 1e9))) { body(self) }
  }

  private func beginMeasuring() {
    guard phase != .ended else { return }
    phase = .measuring
    begin = .now()
    processorBegin = load.clock?.nanoseconds()
  }

  private func endWhenEnough(after seconds: Double) {
    let elapsed = Double((NIODeadline.now() - begin).nanoseconds) / 1e9
    if samples.count < Self.fewest, elapsed < 10 * seconds {
      later(seconds / 4) { $0.endWhenEnough(after: seconds) }
    } else {
      endMeasuring()
    }
  }

  private func endMeasuring() {
    guard phase == .measuring else { return }
    outcome.seconds = Double((NIODeadline.now() - begin).nanoseconds) / 1e9
    if let start = processorBegin, let end = load.clock?.nanoseconds() { outcome.processorTime = end - start }
    phase = .draining
    if underWay == 0 { end() }
  }

  /// The next request to send; `nil` when there is none.
  func next() -> ByteBuffer? {
    switch phase {
    case .warmup, .measuring: break
    case .connecting, .draining, .ended: return nil
    }
    if case .requests(let count) = load.extent, outcome.sent >= count { return nil }
    defer {
      outcome.sent += 1
      underWay += 1
    }
    return load.request(outcome.sent)
  }

  func answered(after time: Int64, isSuccess: Bool, head: String?) {
    underWay -= 1
    if phase == .measuring { samples.append(time) }
    if !isSuccess {
      outcome.failures += 1
      if outcome.firstFailure == nil { outcome.firstFailure = head }
    }
    if load.keepsHead { outcome.lastHead = head }
    if case .requests(let count) = load.extent, outcome.sent >= count, underWay == 0 { endMeasuring() }
    if phase == .draining, underWay == 0 { end() }
  }

  func fail(_ error: BenchError) {
    guard phase != .ended else { return }
    end(error)
  }

  private func end(_ error: BenchError? = nil) {
    phase = .ended
    watch?.cancel()
    for channel in channels { channel.close(promise: nil) }
    channels = []
    outcome.latencies = Latencies(samples)
    if let error { promise.fail(error) } else { promise.succeed(outcome) }
  }
}

/// One client: one connection with one request under way.
final class ClientHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// Says that all clients are connected.
  struct Begin: Sendable {}

  private let run: LoadRun
  private var received = ByteBuffer()
  /// Bytes that must be there before it is worth looking for an answer.
  private var needed = 1
  private var sentAt = NIODeadline.now()
  private var waits = false

  init(_ run: LoadRun) { self.run = run }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is Begin { send(context) }
  }

  private func send(_ context: ChannelHandlerContext) {
    guard let request = run.next() else { return }
    waits = true
    sentAt = .now()
    context.writeAndFlush(wrapOutboundOut(request), promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var part = unwrapInboundIn(data)
    if received.readableBytes == 0 { received = part } else { received.writeBuffer(&part) }
    guard received.readableBytes >= needed else { return }
    do throws(BenchError) {
      switch try run.load.format.take(from: &received, keepsHead: run.load.keepsHead) {
      case .incomplete(let atLeast): needed = atLeast
      case .answer(let isSuccess, let head):
        needed = 1
        if received.readableBytes == 0 { received = ByteBuffer() }
        waits = false
        run.answered(after: (NIODeadline.now() - sentAt).nanoseconds, isSuccess: isSuccess, head: head)
        send(context)
      }
    } catch { run.fail(error) }
  }

  func channelInactive(context: ChannelHandlerContext) {
    if waits { run.fail(BenchError("the server closed a connection while a request was under way")) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    run.fail(BenchError("a connection broke: \(error)"))
  }
}
