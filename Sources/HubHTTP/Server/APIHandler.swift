import Devices
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
  /// How long a refused body is read of a client that is about to be let go.
  private static let lingering = TimeAmount.seconds(2)
  /// What a request longer than this asks for, body and target together, takes long enough to hold up the other
  /// connections of the event loop.
  private static let longRequest = 8 << 10
  /// A long answer is written in pieces of this size, each of which shows that the client still reads.
  private static let pieceBytes = 256 << 10

  private let doors: HubDoors
  let tls: TLSFront?
  private let executor: EventLoopExecutor
  private let idleTimeout: TimeAmount
  private let farewell: TimeAmount
  /// Fulfilled with the first request that is not the API's, or with `nil` when the connection ends.
  let pages: EventLoopPromise<Pages?>
  var hasPages = false
  /// Of the request that Hummingbird works on.
  var pageVersion = HTTPVersion.http1_1

  enum State {
    /// Between requests.
    case waiting
    case receiving(HTTPRequestHead, HubDoors.Door, ByteBuffer)
    /// Answered already; the rest of the body, of which so many bytes came, is thrown away.
    case discarding(Int)
    case answering
    /// Hummingbird works on a request; either side may end first.
    case passing(isAsked: Bool, isAnswered: Bool)
    /// Nothing more is taken; what is written goes out, then the connection closes.
    case ended
  }

  var state = State.waiting
  /// Parts of requests that came before an earlier one was answered.
  private var early = CircularBuffer<HTTPServerRequestPart>()
  private var holdsRead = false
  var closesAfterAnswer = false
  /// The client sends no more.
  private var inputHasEnded = false
  /// What came after the requests in `early` is no HTTP.
  private var failure: Problem?
  /// When the client last did something; a slow body only buys time by its bytes.
  private var lastActive = NIODeadline.now()
  private var idleCheck: Scheduled<Void>?
  private var remoteAddress: String?
  private var shownProof: ShownProof?
  /// Who the client proved to be, looked at once for the connection.
  private var peer: Result<PeerIdentity?, DeviceError>?

  /// - Parameters:
  ///   - idleTimeout: how long the client may do nothing when it is the one to act.
  ///   - farewell: how long requests and answers may go on when the server stops.
  init(
    doors: HubDoors, tls: TLSFront? = nil, loop: any EventLoop, idleTimeout: TimeAmount, farewell: TimeAmount,
    pages: EventLoopPromise<Pages?>
  ) {
    self.doors = doors
    self.tls = tls
    self.executor = EventLoopExecutor(loop)
    self.idleTimeout = idleTimeout
    self.farewell = farewell
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
    state = .ended
    endPages()
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    idleCheck?.cancel()
    idleCheck = nil
    endPages()
  }

  /// Closes the connection once everything that was written has gone out.
  private func end(_ context: ChannelHandlerContext) {
    if case .ended = state { return }
    state = .ended
    early.removeAll()
    let written = context.eventLoop.makePromise(of: Void.self)
    let own = NIOLoopBound(context, eventLoop: context.eventLoop)
    written.futureResult.whenComplete { _ in own.value.close(promise: nil) }
    context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
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
      if !handler.isIdle(context) {
        handler.scheduleIdleCheck(context, at: now + handler.idleTimeout)
      } else if now >= handler.lastActive + handler.idleTimeout {
        // Whoever has not read what was written by now is not waited for.
        context.close(promise: nil)
      } else {
        handler.scheduleIdleCheck(context, at: handler.lastActive + handler.idleTimeout)
      }
    }
  }

  /// Whether the client is the one to act: a request that is being answered may take its time, but not to be read.
  private func isIdle(_ context: ChannelHandlerContext) -> Bool {
    switch state {
    case .waiting, .receiving, .discarding, .passing(isAsked: false, _), .ended: true
    case .answering: false
    case .passing(isAsked: true, _): !context.channel.isWritable
    }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    lastActive = .now()
    context.fireChannelWritabilityChanged()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    switch event {
    case is ChannelShouldQuiesceEvent:
      closesAfterAnswer = true
      let own = NIOLoopBound(context, eventLoop: context.eventLoop)
      context.eventLoop.scheduleTask(in: farewell) { own.value.close(promise: nil) }
      if case .waiting = state { end(context) }
    case ChannelEvent.inputClosed:
      inputHasEnded = true
      // What was asked is still answered.
      switch state {
      case .answering, .passing(isAsked: true, _), .ended: break
      case .passing(isAsked: false, _): context.fireUserInboundEventTriggered(event)
      case .waiting, .receiving, .discarding: end(context)
      }
    default: context.fireUserInboundEventTriggered(event)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard let error = error as? HTTPParserError else {
      context.fireErrorCaught(error)
      return context.close(promise: nil)
    }
    if case .passing(isAsked: false, _) = state {
      closesAfterAnswer = true
      return context.fireErrorCaught(error)
    }
    failure = Problem(.invalidRequest, "this is no HTTP request: \(error)")
    if takesMore { reportFailure(context) }
  }

  /// Tells the client that what it sent after its last request is no HTTP, and lets it go.
  private func reportFailure(_ context: ChannelHandlerContext) {
    guard let failure else { return }
    switch state {
    case .waiting, .receiving: send(Exchange.problem(failure), keepsAlive: false, context)
    case .discarding, .answering, .passing, .ended: break
    }
    end(context)
  }

  func read(context: ChannelHandlerContext) {
    // One read ahead costs less than to tell the kernel to wait and then to go on.
    if takesMore || early.isEmpty { context.read() } else { holdsRead = true }
  }

  private var takesMore: Bool {
    switch state {
    case .waiting, .receiving, .discarding, .passing(isAsked: false, _), .ended: true
    case .answering, .passing(isAsked: true, _): false
    }
  }
}

// MARK: - Requests

extension APIHandler {
  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let part = unwrapInboundIn(data)
    if case .body(let bytes) = part {
      // A byte buys a millisecond: a body has to come at a kilobyte a second.
      lastActive = min(.now(), lastActive + .milliseconds(Int64(bytes.readableBytes)))
    } else {
      lastActive = .now()
    }
    if early.isEmpty, takesMore { take(part, context) } else { early.append(part) }
  }

  func channelReadComplete(context: ChannelHandlerContext) { if hasPages { context.fireChannelReadComplete() } }

  private func take(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
    switch (state, part) {
    case (.waiting, .head(var head)):
      head.uri = Self.originForm(head.uri)
      // A second name is no less wrong than none (RFC 9112 section 3.2).
      if head.version.knowsKeepAlive, head.headers["host"].count != 1 {
        failure = Problem(.invalidRequest, "an HTTP/1.1 request has exactly one Host header")
        return reportFailure(context)
      }
      if let tls, let refusal = refusal(tls, context) {
        send(refusal, keepsAlive: false, context)
        return end(context)
      }
      // TLS ends here: no proxy can have stood between, and what says so is the client's own.
      if tls != nil { head.headers.remove(name: "X-Forwarded-For") }
      if let door = HubDoors.door(of: head.uri) {
        begin(head, at: door, context)
      } else {
        if !Self.keepsAlive(head) { closesAfterAnswer = true }
        pageVersion = head.version
        state = .passing(isAsked: false, isAnswered: false)
        pass(.head(head), context)
      }
    case (.receiving(let head, let door, var body), .body(var bytes)):
      guard body.readableBytes + bytes.readableBytes <= doors.bodyBytes else { return refuse(head, context) }
      // The state lets go of the body first, so that it grows in place.
      state = .waiting
      if body.readableBytes == 0 { body = bytes } else { body.writeBuffer(&bytes) }
      state = .receiving(head, door, body)
    case (.receiving(let head, let door, let body), .end): answer(head, at: door, body, context)
    case (.discarding(let count), .body(let bytes)):
      state = .discarding(count + bytes.readableBytes)
      if count > Self.mostDiscarded { end(context) }
    case (.discarding, .end): proceed(context)
    case (.passing(_, let isAnswered), .end):
      pass(part, context)
      state = .passing(isAsked: true, isAnswered: isAnswered)
      if isAnswered { proceed(context) }
    case (.passing, _): pass(part, context)
    case (.waiting, _), (.answering, _), (.receiving, .head), (.discarding, .head), (.ended, _): break
    }
  }

  /// The target without scheme and authority, which a client may send (RFC 9112 section 3.2.2).
  private static func originForm(_ target: String) -> String {
    guard target.utf8.first != UInt8(ascii: "/"), target.lowercased().hasPrefix("http://") else { return target }
    guard let slash = target.dropFirst(7).firstIndex(of: "/") else { return "/" }
    return String(target[slash...])
  }

  /// Whether another request may follow.
  ///
  /// HTTP/1.0 has to ask for that and to be told, and the decoder stops after a request that asks for another protocol:
  /// both are let go.
  private static func keepsAlive(_ head: HTTPRequestHead) -> Bool {
    head.isKeepAlive && head.version.knowsKeepAlive && head.method != .CONNECT
      && !head.headers.contains(name: "upgrade")
  }

  private static func isAnnounced(_ head: HTTPRequestHead) -> Bool {
    head.version.knowsKeepAlive && head.headers.first(name: "expect")?.lowercased() == "100-continue"
  }

  private func begin(_ head: HTTPRequestHead, at door: HubDoors.Door, _ context: ChannelHandlerContext) {
    if let length = head.headers.first(name: "content-length"), Int(length).map({ $0 > doors.bodyBytes }) ?? true {
      return refuse(head, context)
    }
    state = .receiving(head, door, ByteBuffer())
    if Self.isAnnounced(head) {
      context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")), promise: nil)
    }
  }

  private func refuse(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    let problem = Problem(.payloadTooLarge, "a body may have at most \(doors.bodyBytes) bytes")
    if let door = HubDoors.door(of: head.uri) {
      var request = APIRequest(head, door, ByteBuffer())
      request.remote = remote(context)
      doors.noteRefused(request, at: door, problem)
    }
    var response = Exchange.problem(problem)
    if head.method == .HEAD { response.leaveOutBody() }
    state = .discarding(0)
    // Who announced a body and is refused may send it or not: what comes next is not known.
    let keepsAlive = Self.keepsAlive(head) && !Self.isAnnounced(head) && !closesAfterAnswer
    send(response, keepsAlive: keepsAlive, context)
    guard !keepsAlive else { return }
    closesAfterAnswer = true
    let own = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
    context.eventLoop.scheduleTask(in: Self.lingering) { own.value.handler.end(own.value.context) }
  }

  private func answer(
    _ head: HTTPRequestHead, at door: HubDoors.Door, _ body: ByteBuffer, _ context: ChannelHandlerContext
  ) {
    state = .answering
    var request = APIRequest(head, door, body)
    if head.method != .GET || doors.areKept { request.remote = remote(context) }
    if case .success(let known) = peer { request.peer = known }
    let keepsAlive = Self.keepsAlive(head)
    if let response = doors.admit(&request, at: door, &shownProof) ?? doors.answerAtOnce(request, at: door) {
      return finish(response, keepsAlive: keepsAlive, context)
    }
    let loop = context.eventLoop
    let own = NIOLoopBound((handler: self, context: context), eventLoop: loop)
    let isLong = body.readableBytes + head.uri.utf8.count > Self.longRequest
    let preference: any TaskExecutor = isLong ? LongRequestExecutor.shared : executor
    Task(executorPreference: preference) { [doors, request, isSecure = tls != nil] in
      let response = await doors.answer(request, at: door, isSecure: isSecure)
      if loop.inEventLoop {
        own.value.handler.finish(response, keepsAlive: keepsAlive, own.value.context)
      } else {
        loop.execute { own.value.handler.finish(response, keepsAlive: keepsAlive, own.value.context) }
      }
    }
  }

  /// What a client is told whose certificate is worth nothing any more; `nil` for all others.
  private func refusal(_ tls: TLSFront, _ context: ChannelHandlerContext) -> APIResponse? {
    do throws(DeviceError) {
      if let peer {
        if let known = try peer.get() { try tls.recheck(known) }
      } else {
        do throws(DeviceError) { peer = .success(try tls.peer(of: context.channel)) } catch { peer = .failure(error) }
        _ = try peer?.get()
      }
      return nil
    } catch {
      return APIResponse(
        status: error.status, headers: ["Content-Type": "text/plain; charset=utf-8"], body: Array("\(error)\n".utf8))
    }
  }

  /// The address of the client, read once for the connection.
  private func remote(_ context: ChannelHandlerContext) -> String {
    if let remoteAddress { return remoteAddress }
    let address = context.channel.remoteAddress?.ipAddress ?? ""
    remoteAddress = address
    return address
  }

  private func finish(_ response: APIResponse, keepsAlive: Bool, _ context: ChannelHandlerContext) {
    // The connection may have ended meanwhile.
    guard case .answering = state else { return }
    if !keepsAlive { closesAfterAnswer = true }
    send(response, keepsAlive: !closesAfterAnswer, context)
    proceed(context)
  }

  /// Takes up what came meanwhile.
  func proceed(_ context: ChannelHandlerContext) {
    if closesAfterAnswer { return end(context) }
    lastActive = .now()
    state = .waiting
    // An answer at once calls this again, which then has found nothing left to do.
    while takesMore, let part = early.popFirst() { take(part, context) }
    guard case .waiting = state else {
      if takesMore, failure != nil { reportFailure(context) } else { readOn(context) }
      return
    }
    if failure != nil { return reportFailure(context) }
    if inputHasEnded { return end(context) }
    readOn(context)
  }

  private func readOn(_ context: ChannelHandlerContext) {
    guard holdsRead, takesMore else { return }
    holdsRead = false
    context.read()
  }
}

// MARK: - Answers

extension APIHandler {
  private func send(_ response: APIResponse, keepsAlive: Bool, _ context: ChannelHandlerContext) {
    var message = response.message(keepsAlive: keepsAlive, context.channel)
    while let piece = Self.piece(of: &message) {
      context.write(wrapOutboundOut(piece), promise: progress(context.eventLoop))
    }
    context.writeAndFlush(wrapOutboundOut(message), promise: nil)
  }
}

extension APIHandler {
  /// Takes a piece off a long buffer; `nil` when what is left can go at once.
  static func piece(of buffer: inout ByteBuffer) -> ByteBuffer? {
    buffer.readableBytes > 2 * pieceBytes ? buffer.readSlice(length: pieceBytes) : nil
  }

  /// A promise whose fulfilment shows that the client reads.
  func progress(_ loop: any EventLoop) -> EventLoopPromise<Void> {
    let written = loop.makePromise(of: Void.self)
    let own = NIOLoopBound(self, eventLoop: loop)
    written.futureResult.whenSuccess { own.value.lastActive = .now() }
    return written
  }
}
