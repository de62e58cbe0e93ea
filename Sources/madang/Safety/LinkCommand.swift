import AgencyLink
import ArgumentParser
import City
import Egress
import Foundation
import HubHTTP
import NGSI

/// What both ends of a link have to agree on, as far as this command needs it.
struct LinkOptions: ParsableArguments {
  @Option(help: "Code of the city (sendCd).")
  var city = "CITY000000"

  @Option(help: "Code of the agency.")
  var agency = "FIRE000000"

  @Option(help: "Code of the system (sysCd).")
  var system = "MDG"

  @Option(help: "The key of logins, or @FILE.")
  var login = "madang"

  @Option(help: "The key of bodies (ARIA-256), or @FILE; bodies are plain without.")
  var key: String?

  @Option(help: "How encrypted bodies are written: characters, base64 or hex.")
  var encoding = "base64"

  func cipher() throws -> BodyCipher? {
    guard let key else { return nil }
    guard let encoding = BodyCipher.Encoding(rawValue: encoding) else {
      throw ValidationError("--encoding is characters, base64 or hex, not \(encoding).")
    }
    do { return try BodyCipher(key: try Self.text(key), encoding: encoding) } catch {
      throw ValidationError("--key is 1 to 32 ASCII characters.")
    }
  }

  static func text(_ value: String) throws -> String {
    guard value.hasPrefix("@") else { return value }
    guard let data = FileManager.default.contents(atPath: String(value.dropFirst())) else {
      throw ValidationError("\(value.dropFirst()) cannot be read.")
    }
    return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .newlines)
  }
}

struct LinkCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "link", abstract: "Tries out a link to another agency, or stands in for one.",
    discussion: """
      With --peer it logs in at a far side and takes one event, which is marked as a test, through the states 10, 40, 50 \
      and 90; the exit code is 0 only when each message is taken. With --simulate it is the far side: it takes what comes, \
      can be told to be slow, to refuse or to be down (POST /behave), says what it heard (GET /received) and tells a city \
      of events (POST /send). docs/agency-link.md has the forms.
      """)

  @Option(help: "URL of a far side, without a path.")
  var peer: String?

  @Flag(help: "Be the far side.")
  var simulate = false

  @Option(help: "Port of the far side; 0 for a free one.")
  var port = 0

  @OptionGroup var options: LinkOptions

  @Option(help: "Code of the event (evtId) that is sent.")
  var event = "EXAMPLE-119-FIRE"

  @Option(help: "Path of logins at the peer.")
  var loginPath = "/api/getAuth.json"

  @Option(help: "Path of events at the peer.")
  var eventPath = "/linkHttp/recvEvent.json"

  @Option(help: "json or form.")
  var format = "json"

  @Option(help: "module or platform.")
  var dialect = "module"

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    guard (peer != nil) != simulate else { throw ValidationError("Give either --peer URL or --simulate.") }
    guard ["json", "form"].contains(format), Message.Dialect(rawValue: dialect) != nil else {
      throw ValidationError("--format is json or form, --dialect module or platform.")
    }
  }

  func run() async throws {
    if simulate {
      let side = SimulatedAgency(
        FarSide(apiKey: try LinkOptions.text(options.login), cipher: try options.cipher()), options)
      return try await side.serve(port: port)
    }
    let http = HTTPOutlet()
    let lines: [Line]
    do { lines = try await exchange(CityLinkOutlet(http: http, egress: Egress())) } catch {
      await http.shutdown()
      throw error
    }
    await http.shutdown()
    if json {
      Terminal.print(
        JSONWriter.text([
          "peer": .string(peer ?? ""), "taken": .bool(lines.allSatisfy(\.isTaken)),
          "exchanges": .array(lines.map(\.json)),
        ]))
    } else {
      for line in lines { Terminal.print(line.text) }
    }
    if !lines.allSatisfy(\.isTaken) { throw ExitCode(1) }
  }

  private struct Line {
    var what: String
    var reply: Reply
    var seconds: Double

    var isTaken: Bool { reply.failure == nil }
    var text: String { "\(what): \(reply.failure ?? "taken") (\(String(format: "%.0f", seconds * 1_000)) ms)" }
    var json: JSON {
      [
        "message": .string(what), "taken": .bool(isTaken), "failure": reply.failure.map(JSON.string) ?? .null,
        "seconds": .double(seconds),
      ]
    }
  }

  private func exchange(_ outlet: CityLinkOutlet) async throws -> [Line] {
    let base = (peer ?? "").hasSuffix("/") ? String((peer ?? "").dropLast()) : peer ?? ""
    let dialect = Message.Dialect(rawValue: dialect) ?? .module
    let cipher = try options.cipher()
    var lines: [Line] = []
    func post(_ what: String, _ message: Message, _ format: WireRequest.Format, _ path: String) async throws -> Reply {
      let request = try (cipher?.seal(message, dialect) ?? message).request(format, dialect)
      let begun = ContinuousClock.now
      let reply = await outlet.post(request, to: base + path, seconds: 15)
      let took = ContinuousClock.now - begun
      lines.append(Line(what: what, reply: reply, seconds: took / .seconds(1)))
      return reply
    }
    func envelope(_ type: Envelope.ServiceType, _ session: String?) -> Envelope {
      var envelope = Envelope(type, sender: options.city, receiver: options.agency, system: options.system)
      envelope.requestedAt = RealTime.now
      envelope.session = session
      envelope.hops = [.init("\(options.city)_\(options.system)"), .init("\(options.agency)_SCSNS")]
      return envelope
    }
    let login = Message(envelope(.authentication, nil), .authentication(apiKey: try LinkOptions.text(options.login)))
    let loginRequest = try login.request(.json, dialect)
    let begun = ContinuousClock.now
    let reply = await outlet.post(loginRequest, to: base + loginPath, seconds: 15)
    lines.append(Line(what: "login", reply: reply, seconds: (ContinuousClock.now - begun) / .seconds(1)))
    guard case .answer(.success(let session)) = reply, !session.isEmpty else { return lines }
    var numbers = OccurrenceNumbers()
    var body = EventBody(event: event, number: numbers.next(at: RealTime.now), status: .occurred)
    body.name = "[시험/TEST] madang safety link"
    body.content = "[시험/TEST] nothing happened"
    body.coordinates = .init(longitude: 127.0, latitude: 37.5)
    body.occurredAt = RealTime.now
    let format: WireRequest.Format = format == "form" ? .form : .json
    for status in [OccurrenceStatus.occurred, .updated, .cleared, .cancelled] {
      let moved = body.moved(to: status, at: RealTime.now, by: .init(id: "madang", name: nil))
      let what = "\(status.rawValue) \(status.name)"
      if try await post(what, Message(envelope(.event, session), .event(moved)), format, eventPath).failure != nil {
        break
      }
    }
    // A far side that knows a message again takes it and does nothing.
    let first = body.moved(to: .occurred, at: body.occurredAt ?? RealTime.now, by: .init(id: "madang", name: nil))
    _ = try await post("10 again", Message(envelope(.event, session), .event(first)), format, eventPath)
    return lines
  }
}
