import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NGSI
import NIOCore
import NIOEmbedded
import Synchronization

@testable import Identity

/// A clock that tests set.
final class SetClock: Sendable {
  private let time: Mutex<Int>

  init(_ start: Int = 1_800_000_000) { time = Mutex(start) }

  var now: Int { time.withLock { $0 } }

  func pass(_ seconds: Int) { time.withLock { $0 += seconds } }
}

/// A provider and its doors in this process, without a socket.
struct Door: Sendable {
  struct Answer: Sendable {
    var status: Int
    var headers: HTTPFields
    var body: String

    var json: JSON { (try? JSONParser.parse(body)) ?? .null }
    var error: String? { json["error"]?.string }
    var location: String { headers[.location] ?? "" }

    /// A parameter of the address that the browser is sent to.
    func parameter(_ name: String) -> String? {
      Form(location.split(separator: "?", maxSplits: 1).last ?? "")?[name]
    }

    /// The value of a hidden field of the page.
    func field(_ name: String) -> String? {
      guard let start = body.range(of: "name=\"\(name)\" value=\"") else { return nil }
      return String(body[start.upperBound...].prefix { $0 != "\"" })
    }
  }

  static let issuer = "https://city.example"

  let provider: IdentityProvider
  let storage: any IdentityStorage
  let clock: SetClock
  private let respond: @Sendable (Request) async throws -> Response

  init(
    folder: String? = nil, storage: any IdentityStorage = MemoryStorage(), clock: SetClock = SetClock(),
    outside: [OutsideProvider] = [], issuer: String = Door.issuer,
    change: (inout IdentitySettings) -> Void = { _ in }
  ) throws {
    var settings = IdentitySettings()
    settings.passwordCost = PasswordCost(logRounds: 4, blockSize: 8, parallelism: 1)
    change(&settings)
    self.storage = storage
    self.clock = clock
    provider = try IdentityProvider(
      storage: storage, folder: folder, settings: settings, outside: outside, now: { clock.now })
    provider.isReached(at: issuer)
    let router = Router()
    provider.addRoutes(to: router) { request, _ in request.headers[.userAgent] ?? "192.0.2.1" }
    let responder = router.buildResponder()
    respond = { request in
      let source = ApplicationRequestContextSource(channel: EmbeddedChannel(), logger: Logger(label: "test"))
      return try await responder.respond(to: request, context: BasicRequestContext(source: source))
    }
  }

  func ask(
    _ method: HTTPRequest.Method, _ path: String, _ headers: HTTPFields = [:], body: String = ""
  ) async throws -> Answer {
    let head = HTTPRequest(
      method: method, scheme: "https", authority: "city.example", path: path, headerFields: headers)
    do {
      let response = try await respond(Request(head: head, body: RequestBody(buffer: ByteBuffer(string: body))))
      let collector = Collector()
      try await response.body.write(collector)
      return Answer(
        status: response.status.code, headers: response.headers, body: String(buffer: collector.bytes))
    } catch let error as HTTPError {
      return Answer(status: error.status.code, headers: [:], body: error.body ?? "")
    }
  }

  func get(_ path: String, _ headers: HTTPFields = [:]) async throws -> Answer {
    try await ask(.get, path, headers)
  }

  /// Sends a form.
  ///
  /// - Parameter source: the address that it comes from.
  func post(
    _ path: String, _ form: KeyValuePairs<String, String?>, basic: (String, String)? = nil,
    source: String = "192.0.2.1",
    cookie: String? = nil
  ) async throws -> Answer {
    var headers: HTTPFields = [.contentType: "application/x-www-form-urlencoded", .userAgent: source]
    if let (id, secret) = basic {
      headers[.authorization] = "Basic " + Data("\(id):\(secret)".utf8).base64EncodedString()
    }
    headers[.cookie] = cookie
    return try await ask(.post, path, headers, body: Form.encode(form))
  }

  private final class Collector: ResponseBodyWriter {
    var bytes = ByteBuffer()

    func write(_ buffer: ByteBuffer) async throws { bytes.writeImmutableBuffer(buffer) }

    func finish(_ trailingHeaders: HTTPFields?) async throws {}
  }

  // MARK: Whom it knows

  @discardableResult
  func addPerson(
    _ username: String, password: String = "four words of mine", standing: Standing = Standing(roles: ["operator"])
  ) async throws -> Person {
    var person = Person(
      id: Secret.make(bytes: 16), username: username, name: "Name of \(username)", email: "\(username)@city.example",
      standing: standing, createdAt: clock.now)
    person.password = try PasswordHash(of: password, cost: provider.settings.passwordCost).text
    let made = person
    try await storage.write { writer in
      try writer.put(made)
      try writer.put(.string(made.id), id: made.username, in: .usernames)
    }
    return made
  }

  /// - Returns: the client and its secret, `s3cret`.
  @discardableResult
  func addClient(
    _ id: String, _ authentication: Client.Authentication = .secretBasic,
    grants: Set<Client.GrantType> = Set(Client.GrantType.allCases), change: (inout Client) -> Void = { _ in }
  ) async throws -> Client {
    var client = Client(id: id, name: "Program \(id)", authentication: authentication)
    client.redirectURIs = ["https://client.example/cb"]
    client.grantTypes = grants
    client.scopes = provider.settings.allScopes
    client.isFirstParty = true
    if authentication != .none { client.secretHash = Secret.hash("s3cret") }
    change(&client)
    let made = client
    try await storage.write { try $0.put(made) }
    return made
  }
}

/// A browser: keeps cookies, follows addresses of the city's own.
final class Browser {
  let door: Door
  var cookies: [String: String] = [:]
  var source = "192.0.2.1"

  init(_ door: Door) { self.door = door }

  private var headers: HTTPFields {
    var headers: HTTPFields = [.userAgent: source]
    if !cookies.isEmpty { headers[.cookie] = cookies.map { "\($0)=\($1)" }.sorted().joined(separator: "; ") }
    return headers
  }

  func get(_ path: String) async throws -> Door.Answer { keep(try await door.ask(.get, path, headers)) }

  func post(_ path: String, _ form: KeyValuePairs<String, String?>) async throws -> Door.Answer {
    var headers = headers
    headers[.contentType] = "application/x-www-form-urlencoded"
    return keep(try await door.ask(.post, path, headers, body: Form.encode(form)))
  }

  private func keep(_ answer: Door.Answer) -> Door.Answer {
    for line in answer.headers[values: .setCookie] {
      let pair = line.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      cookies[String(pair[0])] = line.contains("Max-Age=0") ? nil : String(pair[1])
    }
    return answer
  }

  /// Logs in with a password; gives the answer of the last step.
  func logIn(_ username: String, _ password: String = "four words of mine", back: String = "/") async throws
    -> Door.Answer
  {
    let page = try await get("/oauth/login?" + Form.encode(["back": back]))
    return try await post(
      "/oauth/login",
      ["csrf": page.field("csrf"), "back": back, "username": username, "password": password])
  }
}

/// A client that asks with PKCE.
struct CodeFlow {
  let client: String
  let verifier = Secret.make()
  var redirectURI = "https://client.example/cb"
  var scope = "openid profile city:read"

  func address(_ more: KeyValuePairs<String, String?> = [:]) -> String {
    let own: KeyValuePairs<String, String?> = [
      "response_type": "code", "client_id": client, "redirect_uri": redirectURI, "scope": scope, "state": "st at&e",
      "nonce": "n-1", "code_challenge": Secret.hash(verifier), "code_challenge_method": "S256",
    ]
    return "/oauth/authorize?" + Form.encode(own) + (more.isEmpty ? "" : "&" + Form.encode(more))
  }

  func exchange(_ code: String?, _ door: Door, secret: String? = "s3cret") async throws -> Door.Answer {
    try await door.post(
      "/oauth/token",
      [
        "grant_type": "authorization_code", "code": code, "redirect_uri": redirectURI, "code_verifier": verifier,
        "client_id": secret == nil ? client : nil,
      ], basic: secret.map { (client, $0) })
  }
}
