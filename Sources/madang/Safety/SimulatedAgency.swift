import AgencyLink
import City
import Egress
import Foundation
import HTTPTypes
import HubHTTP
import Hummingbird
import Logging
import NGSI
import Synchronization

/// A far side over HTTP, for tests and to try a link out. Its events are made up.
final class SimulatedAgency: Sendable {
  private struct State {
    var side: FarSide
    /// Seconds before each answer.
    var slow = 0.0
    var isDown = false
    /// Each so many-th message is answered with 500, and taken.
    var breaksEach = 0
    var count = 0
    /// Sessions at cities, by URL.
    var sessions: [String: String] = [:]
  }

  private let state: Mutex<State>
  private let options: LinkOptions

  init(_ side: FarSide, _ options: LinkOptions) {
    state = Mutex(State(side: side))
    self.options = options
  }

  func serve(port: Int) async throws {
    let http = HTTPOutlet()
    let outlet = CityLinkOutlet(http: http, egress: Egress())
    let router = Router()
    router.get("received") { _, _ in self.json(self.received) }
    router.post("behave") { request, context in
      self.behave(try await Self.body(request))
      return self.json([:])
    }
    router.post("send") { request, context in self.json(try await self.send(try await Self.body(request), outlet)) }
    router.post("**") { request, context in try await self.take(request) }
    let app = Application(
      responder: router.buildResponder(),
      configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: port), serverName: "madang-agency"),
      onServerRunning: { Terminal.print("ready http://127.0.0.1:\($0.localAddress?.port ?? port)") },
      logger: Logger(label: "agency") { _ in SwiftLogNoOpLogHandler() })
    do { try await app.runService() } catch {
      await http.shutdown()
      throw error
    }
    await http.shutdown()
  }

  private func json(_ json: JSON, _ status: HTTPResponse.Status = .ok) -> Response {
    Response(
      status: status, headers: [.contentType: "application/json"],
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: JSONWriter.bytes(json))))
  }

  private static func body(_ request: Request) async throws -> JSON {
    let buffer = try await request.body.collect(upTo: Bounds().request)
    return try JSONParser.parse(Array(buffer.readableBytesView))
  }

  // MARK: - What comes

  private func take(_ request: Request) async throws -> Response {
    let headers = request.headers.map { WireRequest.Header($0.name.rawName, $0.value) }
    let body = try await request.body.collect(upTo: Bounds().request)
    let wire = WireRequest(headers: headers, body: Array(body.readableBytesView))
    let (slow, isDown) = state.withLock { ($0.slow, $0.isDown) }
    if slow > 0 { try await Task.sleep(for: .seconds(slow)) }
    guard !isDown else { return Response(status: .serviceUnavailable) }
    let key = UUID().uuidString
    let (answer, breaks) = state.withLock { state in
      state.count += 1
      return (state.side.answer(wire, giving: key), state.breaksEach > 0 && state.count % state.breaksEach == 0)
    }
    guard !breaks else { return Response(status: .internalServerError) }
    return Response(
      status: .ok, headers: [.contentType: "application/json"],
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.bytes)))
  }

  private var received: JSON {
    let (heard, logins) = state.withLock { ($0.side.heard, $0.side.logins) }
    return [
      "logins": .integer(Int64(logins)),
      "messages": .array(
        heard.map { line in
          [
            "sender": .string(line.key.sender), "event": .string(line.key.event), "number": .string(line.key.number),
            "status": .string(line.status.rawValue), "taken": line.taking.map { .string("\($0)") } ?? .null,
            "encrypted": .bool(line.wasEncrypted), "body": line.body.json,
          ]
        }),
    ]
  }

  /// `{"slow": seconds, "down": flag, "refuse": [evtId], "breakEach": count, "forget": true}`; what is not said stays.
  private func behave(_ json: JSON) {
    state.withLock { state in
      if let slow = json["slow"]?.number { state.slow = min(60, max(0, slow)) }
      if let isDown = json["down"]?.bool { state.isDown = isDown }
      if let refused = json["refuse"]?.array { state.side.refused = Set(refused.compactMap(\.string)) }
      if let each = json["breakEach"]?.integer { state.breaksEach = Int(each) }
      if json["forget"]?.bool == true { state.side.forgetSessions() }
    }
  }

  // MARK: - What is told

  /// `{"to": URL, "login": key, "format": "json", "dialect": "module", "event": {…}}`, the event in the words of the wire;
  /// without a login it comes with no session.
  private func send(_ json: JSON, _ outlet: CityLinkOutlet) async throws -> JSON {
    guard let to = json["to"]?.string, let event = json["event"] else {
      return ["failure": "'to' and 'event' are needed"]
    }
    let format: WireRequest.Format = json["format"]?.string == "form" ? .form : .json
    let dialect = json["dialect"]?.string.flatMap(Message.Dialect.init(rawValue:)) ?? .module
    var envelope = Envelope(.event, sender: options.agency, receiver: options.city, system: "SCSNS")
    envelope.requestedAt = RealTime.now
    if let login = json["login"]?.string {
      envelope.session = try await session(at: to, login, outlet)
    }
    var body = event
    if case .object(var object) = event {
      if object["ocrSts"] == nil { object["ocrSts"] = "10" }
      body = .object(object)
    }
    let reply: Reply
    do {
      if let kept = try? EventBody(kept: body) {
        let message = Message(envelope, .event(kept))
        let sealed = try options.cipher()?.seal(message, dialect) ?? message
        reply = await outlet.post(
          try sealed.request(format, dialect), to: to + "/integrationPlatformEvent", seconds: 15)
      } else {
        // What cannot be is sent as it is said.
        reply = await outlet.post(try Self.raw(envelope, body), to: to + "/integrationPlatformEvent", seconds: 15)
      }
    } catch { return ["failure": .string("\(error)")] }
    if case .answer(.failure(let text)) = reply, text.contains("'rrKey'") { state.withLock { $0.sessions[to] = nil } }
    return ["failure": reply.failure.map(JSON.string) ?? .null]
  }

  private func session(at city: String, _ login: String, _ outlet: CityLinkOutlet) async throws -> String? {
    if let known = state.withLock({ $0.sessions[city] }) { return known }
    let message = Message(
      Envelope(.authentication, sender: options.agency, receiver: options.city, system: "SCSNS"),
      .authentication(apiKey: login))
    let reply = await outlet.post(try message.request(.json), to: city + "/api/getAuth.json", seconds: 15)
    guard case .answer(.success(let key)) = reply else { return nil }
    state.withLock { $0.sessions[city] = key }
    return key
  }

  private static func raw(_ envelope: Envelope, _ body: JSON) throws -> WireRequest {
    var request = try Message(envelope, .event(EventBody(event: "x", number: "1", status: .occurred))).request(.json)
    guard case .object(var object) = try JSONParser.parse(request.body) else { return request }
    object["body"] = body
    request.body = JSONWriter.bytes(.object(object))
    return request
  }
}

/// The time of this machine.
enum RealTime {
  static var now: DateTime { RealClock().now }
}
