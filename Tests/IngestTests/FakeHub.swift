import Foundation
import NGSI
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A stand-in for a hub that is far from perfect: it keeps what it is sent, answers look-ups in the history, and can
/// be told to misbehave. It checks every body by the standard's own reader.
final class FakeHub: Sendable {
  struct Row: Sendable, Equatable {
    var id: String
    var observedAt: String
    var values: JSON
  }

  enum Whim: Sendable {
    /// Takes the batch, then cuts the line without an answer.
    case takeAndHangUp
    /// Cuts the line, and takes the batch only when the next write comes: as a hub that has read it and is busy.
    case hangUpAndTakeLater
    /// Takes nothing and answers with a status.
    case answer(Int)
  }

  struct State: Sendable {
    var rows: [Row] = []
    var entities: [JSON] = []
    var posts = 0
    var lookUps = 0
    var late: [[UInt8]] = []
    var badBodies: [String] = []
    /// What to do at which request, from 1.
    var whims: [Int: Whim] = [:]
    /// Refuses items whose JSON text holds this.
    var refuses: String?
    /// Answers look-ups with 206 when more than so many instants are found.
    var mostInstants = 40
  }

  let state = Mutex(State())
  private let channel: any Channel

  var url: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)" }

  init() async throws {
    let holder = Holder()
    channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.pipeline.configureHTTPServerPipeline().flatMapThrowing {
          try channel.pipeline.syncOperations.addHandler(FakeHandler(holder: holder))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    holder.hub.withLock { $0 = self }
  }

  func close() async throws { try await channel.close() }

  final class Holder: Sendable {
    let hub = Mutex<FakeHub?>(nil)
  }

  struct Reply {
    var status: Int
    var body: [UInt8] = []
    var hangsUp = false
  }

  func answer(_ head: HTTPRequestHead, _ body: [UInt8]) -> Reply {
    switch head.method {
    case .POST: return post(head, body)
    case .PATCH:
      state.withLock { Self.takeLate(&$0) }
      return Reply(status: 404)
    default: return history(head.uri)
    }
  }

  private static func takeLate(_ state: inout State) {
    for body in state.late {
      let items = (try? JSONParser.parse(body))?.array ?? []
      state.entities += items
      state.rows += items.flatMap(row)
    }
    state.late = []
  }

  private func post(_ head: HTTPRequestHead, _ body: [UInt8]) -> Reply {
    state.withLock { state in
      Self.takeLate(&state)
      state.posts += 1
      let whim = state.whims.removeValue(forKey: state.posts)
      if case .hangUpAndTakeLater? = whim {
        state.late.append(body)
        return Reply(status: 0, hangsUp: true)
      }
      if case .answer(let status)? = whim { return Reply(status: status, body: Array(#"{"detail":"a whim"}"#.utf8)) }
      guard head.uri == "/ngsi-ld/v1/entityOperations/upsert?options=update",
        let items = (try? JSONParser.parse(body))?.array, !items.isEmpty
      else {
        state.badBodies.append("\(head.uri) \(String(decoding: body.prefix(200), as: UTF8.self))")
        return Reply(status: 400, body: Array(#"{"detail":"no array of entities"}"#.utf8))
      }
      var errors: [JSON] = []
      let reader = EntityReader(context: .core)
      for item in items {
        do { _ = try reader.entity(item).entity() } catch { state.badBodies.append("\(error)") }
        if let word = state.refuses, JSONWriter.text(item).contains(word) {
          errors.append(["entityId": item["id"] ?? .null, "error": ["detail": "not this one"]])
          continue
        }
        state.entities.append(item)
        state.rows += Self.row(item)
      }
      if case .takeAndHangUp? = whim { return Reply(status: 0, hangsUp: true) }
      guard !errors.isEmpty else { return Reply(status: 204) }
      return Reply(status: 207, body: JSONWriter.bytes(["success": [], "errors": .array(errors)]))
    }
  }

  private static func row(_ item: JSON) -> [Row] {
    var values = JSONObject()
    var time: String?
    for member in item.object ?? JSONObject() {
      guard let observed = member.value["observedAt"]?.string else { continue }
      time = observed
      values[member.key] = member.value["value"]
    }
    guard let time, let id = item["id"]?.string else { return [] }
    return [Row(id: id, observedAt: time, values: .object(values))]
  }

  private func history(_ uri: String) -> Reply {
    let parts = URLComponents(string: uri)
    let query = Dictionary(
      (parts?.queryItems ?? []).map { ($0.name, $0.value ?? "") }, uniquingKeysWith: { first, _ in first })
    let id = parts?.path.split(separator: "/").last.map(String.init)?.removingPercentEncoding ?? ""
    return state.withLock { state in
      state.lookUps += 1
      guard query["timerel"] == "between", let from = query["timeAt"], let to = query["endTimeAt"],
        let attribute = query["attrs"]?.split(separator: ",").map(String.init)
      else { return Reply(status: 400) }
      let own = state.rows.filter { $0.id == id }
      guard !own.isEmpty else { return Reply(status: 404) }
      let found = own.filter { $0.observedAt >= from && $0.observedAt <= to }
      let shown = found.prefix(state.mostInstants)
      var answer = JSONObject()
      answer["id"] = .string(id)
      answer["type"] = "AirQualityObserved"
      for name in attribute {
        let pairs = shown.compactMap { row in row.values[name].map { JSON.array([$0, .string(row.observedAt)]) } }
        answer[name] = ["type": "Property", "values": .array(pairs)]
      }
      return Reply(status: shown.count < found.count ? 206 : 200, body: JSONWriter.bytes(.object(answer)))
    }
  }
}

private final class FakeHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let holder: FakeHub.Holder
  private var head: HTTPRequestHead?
  private var body: [UInt8] = []

  init(holder: FakeHub.Holder) { self.holder = holder }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      self.head = head
      body = []
    case .body(let part): body += part.readableBytesView
    case .end:
      guard let head, let hub = holder.hub.withLock({ $0 }) else { return }
      let reply = hub.answer(head, body)
      if reply.hangsUp {
        context.close(promise: nil)
        return
      }
      let headers = HTTPHeaders([("Content-Length", "\(reply.body.count)"), ("Content-Type", "application/json")])
      let status = HTTPResponseStatus(statusCode: reply.status)
      context.write(
        wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))), promise: nil)
      context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: reply.body)))), promise: nil)
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
  }
}
