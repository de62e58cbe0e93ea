import Hub
import NGSI
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// Answers the NGSI-LD requests of one connection and passes all others on.
///
/// One request is worked on at a time, in the order they came (RFC 9112 section 9.3.2); while one is, little more is
/// read from the connection.
final class APIHandler: ChannelInboundHandler, ChannelOutboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = HTTPServerRequestPart
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  typealias Pages = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

  /// What a request line with its headers may have.
  static let headerLimits: NIOHTTPDecoderLimitConfiguration = {
    var limits = NIOHTTPDecoderLimitConfiguration()
    limits.maxHeaderFieldSize = 80 << 10
    limits.maxHeaderListSize = 96 << 10
    limits.maxHeaderFieldCount = 200
    return limits
  }()
  /// Bytes of a refused body that are read, so that the client reads its answer, before the connection is cut.
  private static let mostDiscarded = 256 << 20
  /// Reading a body longer than this takes long enough to hold up the other connections of the event loop.
  private static let longBody = 32 << 10

  private let doors: HubDoors
  private let executor: EventLoopExecutor
  private let idleTimeout: TimeAmount
  /// Fulfilled with the first request that is not the API's, or with `nil` when the connection ends.
  private let pages: EventLoopPromise<Pages?>
  private var hasPages = false

  private enum State {
    /// Between requests.
    case waiting
    case receiving(HTTPRequestHead, HubDoors.Door, ByteBuffer)
    /// Answered already; the rest of the body, of which so many bytes came, is thrown away.
    case discarding(Int)
    case answering
    /// Hummingbird works on a request; either side may end first.
    case passing(isAsked: Bool, isAnswered: Bool)
  }

  private var state = State.waiting
  /// Parts of requests that came before an earlier one was answered.
  private var early = CircularBuffer<HTTPServerRequestPart>()
  private var holdsRead = false
  private var closesAfterAnswer = false
  /// The client sends no more.
  private var inputHasEnded = false
  private var lastActive = NIODeadline.now()
  private var idleCheck: Scheduled<Void>?

  init(doors: HubDoors, loop: any EventLoop, idleTimeout: TimeAmount, pages: EventLoopPromise<Pages?>) {
    self.doors = doors
    self.executor = EventLoopExecutor(loop)
    self.idleTimeout = idleTimeout
    self.pages = pages
  }
}

// MARK: - The connection

extension APIHandler {
  func handlerAdded(context: ChannelHandlerContext) { if context.channel.isActive { watchIdle(context) } }

  func channelActive(context: ChannelHandlerContext) {
    watchIdle(context)
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    endPages()
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    idleCheck?.cancel()
    idleCheck = nil
    endPages()
  }

  private func endPages() {
    guard !hasPages else { return }
    hasPages = true
    pages.succeed(nil)
  }

  /// Looks again when the connection could have been idle for long enough.
  private func watchIdle(_ context: ChannelHandlerContext) {
    guard idleCheck == nil else { return }
    lastActive = .now()
    scheduleIdleCheck(context, at: lastActive + idleTimeout)
  }

  private func scheduleIdleCheck(_ context: ChannelHandlerContext, at deadline: NIODeadline) {
    let own = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
    idleCheck = context.eventLoop.scheduleTask(deadline: deadline) {
      let (handler, context) = own.value
      let now = NIODeadline.now()
      if !handler.isIdle {
        handler.scheduleIdleCheck(context, at: now + handler.idleTimeout)
      } else if now >= handler.lastActive + handler.idleTimeout {
        context.close(promise: nil)
      } else {
        handler.scheduleIdleCheck(context, at: handler.lastActive + handler.idleTimeout)
      }
    }
  }

  /// Whether the client is the one to act: a request that is being answered may take its time.
  private var isIdle: Bool {
    switch state {
    case .waiting, .receiving, .discarding, .passing(isAsked: false, _): true
    case .answering, .passing(isAsked: true, _): false
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    switch event {
    case is ChannelShouldQuiesceEvent:
      if case .waiting = state { context.close(promise: nil) } else { closesAfterAnswer = true }
    case ChannelEvent.inputClosed:
      inputHasEnded = true
      // What was asked is still answered.
      switch state {
      case .answering: break
      case .passing: context.fireUserInboundEventTriggered(event)
      case .waiting, .receiving, .discarding: context.close(promise: nil)
      }
    default: context.fireUserInboundEventTriggered(event)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if hasPages { return context.fireErrorCaught(error) }
    guard let error = error as? HTTPParserError, !closesAfterAnswer else { return context.close(promise: nil) }
    closesAfterAnswer = true
    let problem = Problem(.invalidRequest, "this is no HTTP request: \(error)")
    if case .answering = state { return }
    send(Exchange.problem(problem), keepsAlive: false, context)
  }

  func read(context: ChannelHandlerContext) {
    // One read ahead costs less than to tell the kernel to wait and then to go on.
    if takesMore || early.isEmpty { context.read() } else { holdsRead = true }
  }

  private var takesMore: Bool {
    switch state {
    case .waiting, .receiving, .discarding, .passing(isAsked: false, _): true
    case .answering, .passing(isAsked: true, _): false
    }
  }
}

// MARK: - Requests

extension APIHandler {
  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let part = unwrapInboundIn(data)
    lastActive = .now()
    if early.isEmpty, takesMore { take(part, context) } else { early.append(part) }
  }

  func channelReadComplete(context: ChannelHandlerContext) { if hasPages { context.fireChannelReadComplete() } }

  private func take(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
    switch (state, part) {
    case (.waiting, .head(let head)):
      if let door = HubDoors.door(of: head.uri) {
        begin(head, at: door, context)
      } else {
        state = .passing(isAsked: false, isAnswered: false)
        pass(part, context)
      }
    case (.receiving(let head, let door, var body), .body(var bytes)):
      guard body.readableBytes + bytes.readableBytes <= doors.bodyBytes else { return refuse(context) }
      // The state lets go of the body first, so that it grows in place.
      state = .waiting
      if body.readableBytes == 0 { body = bytes } else { body.writeBuffer(&bytes) }
      state = .receiving(head, door, body)
    case (.receiving(let head, let door, let body), .end): answer(head, at: door, body, context)
    case (.discarding(let count), .body(let bytes)):
      state = .discarding(count + bytes.readableBytes)
      if count > Self.mostDiscarded { context.close(promise: nil) }
    case (.discarding, .end): proceed(context)
    case (.passing(_, let isAnswered), .end):
      pass(part, context)
      state = .passing(isAsked: true, isAnswered: isAnswered)
      if isAnswered { proceed(context) }
    case (.passing, _): pass(part, context)
    case (.waiting, _), (.answering, _), (.receiving, .head), (.discarding, .head): break
    }
  }

  private func begin(_ head: HTTPRequestHead, at door: HubDoors.Door, _ context: ChannelHandlerContext) {
    if let length = head.headers.first(name: "content-length"), Int(length).map({ $0 > doors.bodyBytes }) ?? true {
      return refuse(context)
    }
    state = .receiving(head, door, ByteBuffer())
    if head.headers.first(name: "expect")?.lowercased() == "100-continue" {
      context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")), promise: nil)
    }
  }

  private func refuse(_ context: ChannelHandlerContext) {
    state = .discarding(0)
    send(
      Exchange.problem(Problem(.payloadTooLarge, "a body may have at most \(doors.bodyBytes) bytes")),
      keepsAlive: true, context)
  }

  private func answer(
    _ head: HTTPRequestHead, at door: HubDoors.Door, _ body: ByteBuffer, _ context: ChannelHandlerContext
  ) {
    state = .answering
    let request = APIRequest(head, door, body)
    let keepsAlive = head.isKeepAlive
    if let response = doors.answerAtOnce(request, at: door) {
      return finish(response, keepsAlive: keepsAlive, context)
    }
    let loop = context.eventLoop
    let own = NIOLoopBound((handler: self, context: context), eventLoop: loop)
    let preference: (any TaskExecutor)? = body.readableBytes > Self.longBody ? globalConcurrentExecutor : executor
    Task(executorPreference: preference) { [doors] in
      let response = await doors.answer(request, at: door)
      if loop.inEventLoop {
        own.value.handler.finish(response, keepsAlive: keepsAlive, own.value.context)
      } else {
        loop.execute { own.value.handler.finish(response, keepsAlive: keepsAlive, own.value.context) }
      }
    }
  }

  private func finish(_ response: APIResponse, keepsAlive: Bool, _ context: ChannelHandlerContext) {
    guard context.channel.isActive else { return }
    let keepsAlive = keepsAlive && !closesAfterAnswer
    send(response, keepsAlive: keepsAlive, context)
    if keepsAlive { proceed(context) }
  }

  /// Takes up what came meanwhile.
  private func proceed(_ context: ChannelHandlerContext) {
    lastActive = .now()
    state = .waiting
    while takesMore, let part = early.popFirst() { take(part, context) }
    guard takesMore else { return }
    if inputHasEnded { return context.close(promise: nil) }
    if holdsRead {
      holdsRead = false
      context.read()
    }
  }
}

// MARK: - Answers

extension APIHandler {
  private func send(_ response: APIResponse, keepsAlive: Bool, _ context: ChannelHandlerContext) {
    context.writeAndFlush(wrapOutboundOut(response.message(keepsAlive: keepsAlive, context.channel)), promise: nil)
    if !keepsAlive { context.close(promise: nil) }
  }
}

// MARK: - Pages

extension APIHandler {
  /// Gives a part to Hummingbird, which is set up behind this handler with the first one.
  private func pass(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
    if !hasPages {
      hasPages = true
      do {
        let pipeline = context.pipeline.syncOperations
        try pipeline.addHandler(HTTPResponseEncoder())
        try pipeline.addHandler(PageEnds(of: self, context))
        try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
        pages.succeed(
          try Pages(
            wrappingChannelSynchronously: context.channel, configuration: .init(isOutboundHalfClosureEnabled: true)))
      } catch {
        pages.fail(error)
        return context.close(promise: nil)
      }
    }
    context.fireChannelRead(wrapInboundOut(part))
    if case .end = part { context.fireChannelReadComplete() }
  }

  /// Hummingbird has answered the request that it was given.
  fileprivate func pageHasEnded(_ context: ChannelHandlerContext) {
    if closesAfterAnswer { return context.close(promise: nil) }
    guard case .passing(let isAsked, _) = state else { return }
    // Answered before its end: Hummingbird reads the rest of the body and throws it away.
    if isAsked { proceed(context) } else { state = .passing(isAsked: false, isAnswered: true) }
  }
}

/// Tells the handler in front where Hummingbird's answers end.
private final class PageEnds: ChannelOutboundHandler {
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  private let front: APIHandler
  private let frontContext: ChannelHandlerContext

  init(of front: APIHandler, _ frontContext: ChannelHandlerContext) {
    self.front = front
    self.frontContext = frontContext
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    guard case .end = unwrapOutboundIn(data) else { return context.write(data, promise: promise) }
    context.writeAndFlush(data, promise: promise)
    front.pageHasEnded(frontContext)
  }
}

extension APIRequest {
  /// The API's view of a request: what its target names below the prefix.
  init(_ head: HTTPRequestHead, _ door: HubDoors.Door, _ body: ByteBuffer) {
    let rest = head.uri.dropFirst(door.rawValue.count)
    let mark = rest.utf8.firstIndex(of: UInt8(ascii: "?"))
    self.init(
      method: head.method, path: mark.map { rest[..<$0] } ?? rest,
      query: mark.map { rest[rest.utf8.index(after: $0)...] } ?? "", headers: head.headers, body: body)
  }
}
