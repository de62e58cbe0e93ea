import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Answers as a hub does, as far as a benchmark looks, and remembers what it was sent.
final class StandIn: Sendable {
  struct State {
    var ids: Set<String> = []
    var requests: [String: Int] = [:]
    var malformed: [String] = []
    var refuses: String?
  }

  let state = Mutex(State())

  /// Starts it, runs the body with its URL, stops it.
  func serve<Value>(_ body: (String) async throws -> Value) async throws -> Value {
    let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
          try channel.pipeline.syncOperations.addHandler(StandInHandler(self))
        }
      }.bind(host: "127.0.0.1", port: 0).get()
    do {
      let value = try await body("http://127.0.0.1:\(server.localAddress?.port ?? 0)")
      try await server.close()
      return value
    } catch {
      try await server.close()
      throw error
    }
  }

  fileprivate func answer(_ head: HTTPRequestHead, _ body: String) -> (
    status: HTTPResponseStatus, text: String, count: Int
  ) {
    let parts = URLComponents(string: head.uri)
    let path = parts?.path.replacingOccurrences(of: "/ngsi-ld/v1/", with: "") ?? ""
    let resource = path.split(separator: "/").enumerated().map {
      $0.offset == 1 && $0.element.hasPrefix("urn:") ? "id" : $0.element
    }
    let kind = head.method.rawValue + " " + resource.joined(separator: "/")
    let json = body.isEmpty ? nil : try? JSONSerialization.jsonObject(with: Data(body.utf8))
    return state.withLock { state in
      state.requests[kind, default: 0] += 1
      if !body.isEmpty, json == nil { state.malformed.append(kind) }
      if state.refuses == kind { return (.internalServerError, "{\"title\":\"out of order\"}", 0) }
      switch kind {
      case "POST entities":
        let id = (json as? [String: Any])?["id"] as? String ?? ""
        return state.ids.insert(id).inserted ? (.created, "", 0) : (.conflict, "{}", 0)
      case "POST entityOperations/upsert":
        let ids = (json as? [[String: Any]])?.compactMap { $0["id"] as? String } ?? []
        let before = state.ids.count
        state.ids.formUnion(ids)
        return (state.ids.count > before ? .created : .noContent, "", 0)
      case "POST entityOperations/delete":
        let ids = json as? [String] ?? []
        let known = ids.allSatisfy(state.ids.contains)
        state.ids.subtract(ids)
        return (known ? .noContent : .multiStatus, "", 0)
      case "GET entities": return (.ok, "[]", state.ids.count)
      case "GET entities/id", "PATCH entities/id/attrs/temperature":
        let id = String(path.split(separator: "/")[1])
        return (state.ids.contains(id) ? .ok : .notFound, "{}", 0)
      default: return (.notFound, "{}", 0)
      }
    }
  }
}

private final class StandInHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let standIn: StandIn
  private var head: HTTPRequestHead?
  private var body = ByteBuffer()

  init(_ standIn: StandIn) { self.standIn = standIn }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      self.head = head
      body.clear()
    case .body(var part): body.writeBuffer(&part)
    case .end:
      guard let head else { return }
      let answer = standIn.answer(head, String(buffer: body))
      var headers = HTTPHeaders([("NGSILD-Results-Count", "\(answer.count)")])
      if answer.status != .noContent { headers.add(name: "Content-Length", value: "\(answer.text.utf8.count)") }
      context.write(
        wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers))),
        promise: nil)
      context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: answer.text)))), promise: nil)
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
  }
}
