import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A server of a test's own on loopback that answers as it is told, badly too.
final class SourceServer: Sendable {
  struct Reply: Sendable {
    var status = HTTPResponseStatus.ok
    var headers: [(String, String)] = []
    var bytes: [UInt8] = []
    /// One byte now and then.
    var drips = false
    /// Closes the connection after so many bytes of the length that it said.
    var breaksOffAfter: Int?
    var endless = false

    init(
      status: HTTPResponseStatus = .ok, headers: [(String, String)] = [], body: String = "", bytes: [UInt8]? = nil,
      drips: Bool = false, breaksOffAfter: Int? = nil, endless: Bool = false
    ) {
      self.status = status
      self.headers = headers
      self.bytes = bytes ?? Array(body.utf8)
      self.drips = drips
      self.breaksOffAfter = breaksOffAfter
      self.endless = endless
    }
  }

  typealias Answer = @Sendable (HTTPRequestHead) -> Reply

  private let heads = Mutex<[HTTPRequestHead]>([])
  private let channel: any Channel

  var url: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)" }
  var requests: [HTTPRequestHead] { heads.withLock { $0 } }

  init(_ answer: @escaping Answer) async throws {
    let holder = Holder()
    channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.pipeline.configureHTTPServerPipeline().flatMapThrowing {
          try channel.pipeline.syncOperations.addHandler(
            Handler { head in
              holder.server.withLock { $0 }?.note(head)
              return answer(head)
            })
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    holder.server.withLock { $0 = self }
  }

  private func note(_ head: HTTPRequestHead) { heads.withLock { $0.append(head) } }

  func close() async throws { try await channel.close() }

  private final class Holder: Sendable {
    let server = Mutex<SourceServer?>(nil)
  }

  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let answer: Answer
    private var head: HTTPRequestHead?

    init(_ answer: @escaping Answer) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      switch unwrapInboundIn(data) {
      case .head(let head): self.head = head
      case .body: break
      case .end:
        if let head { send(answer(head), context) }
      }
    }

    private func send(_ reply: Reply, _ context: ChannelHandlerContext) {
      var headers = HTTPHeaders(reply.headers)
      if !reply.endless, !headers.contains(name: "Content-Length"), reply.status != .notModified {
        headers.add(name: "Content-Length", value: "\(reply.bytes.count)")
      }
      let head = HTTPResponseHead(version: .http1_1, status: reply.status, headers: headers)
      context.write(wrapOutboundOut(.head(head)), promise: nil)
      if reply.endless { return flood(context) }
      if reply.drips { return drip(reply.bytes[...], context) }
      if let end = reply.breaksOffAfter {
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: reply.bytes.prefix(end))))))
          .assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        return
      }
      context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: reply.bytes)))), promise: nil)
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    private func flood(_ context: ChannelHandlerContext) {
      let chunk = ByteBuffer(repeating: UInt8(ascii: "x"), count: 16 << 10)
      context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(chunk)))).assumeIsolated().whenSuccess { [self] in
        flood(context)
      }
    }

    private func drip(_ bytes: ArraySlice<UInt8>, _ context: ChannelHandlerContext) {
      context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: bytes.prefix(1))))))
        .assumeIsolated().whenSuccess { [self] in
          context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(300)) { [self] in
            drip(bytes.dropFirst(), context)
          }
        }
    }
  }
}
