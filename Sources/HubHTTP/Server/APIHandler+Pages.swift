import NIOCore
import NIOHTTP1
import NIOHTTPTypesHTTP1

// Requests that are not the API's: Hummingbird answers them.
extension APIHandler {
  /// Gives a part to Hummingbird, which is set up behind this handler with the first one.
  func pass(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
    if !hasPages {
      hasPages = true
      do {
        let pipeline = context.pipeline.syncOperations
        try pipeline.addHandler(HTTPResponseEncoder())
        try pipeline.addHandler(PageEnds(of: self, context))
        try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: tls != nil))
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

  /// No page was asked for while the connection lasted.
  func endPages() {
    guard !hasPages else { return }
    hasPages = true
    pages.succeed(nil)
  }

  /// Hummingbird's head as the client can read it and is to understand it.
  fileprivate func adapted(_ head: HTTPResponseHead) -> HTTPResponseHead {
    var head = head
    // HTTP/1.0 knows no chunks; the end of the connection is the end of the body.
    if !pageVersion.knowsKeepAlive { head.version = pageVersion }
    if closesAfterAnswer { head.headers.replaceOrAdd(name: "Connection", value: "close") }
    return head
  }

  /// Hummingbird has answered the request that it was given.
  fileprivate func pageHasEnded(_ context: ChannelHandlerContext) {
    guard case .passing(let isAsked, _) = state else { return }
    // Answered before its end: Hummingbird reads the rest of the body and throws it away.
    if isAsked || closesAfterAnswer { proceed(context) } else { state = .passing(isAsked: false, isAnswered: true) }
  }
}

/// Shows the handler in front where Hummingbird's answers begin and end.
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
    switch unwrapOutboundIn(data) {
    case .head(let head): context.write(wrapOutboundOut(.head(front.adapted(head))), promise: promise)
    case .body(.byteBuffer(var bytes)):
      while let piece = APIHandler.piece(of: &bytes) {
        context.write(wrapOutboundOut(.body(.byteBuffer(piece))), promise: front.progress(context.eventLoop))
      }
      context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: promise)
    case .body: context.write(data, promise: promise)
    case .end:
      context.writeAndFlush(data, promise: promise)
      front.pageHasEnded(frontContext)
    }
  }
}
