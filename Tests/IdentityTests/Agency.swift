import Foundation
import HTTPTypes
import NGSI
import Synchronization

@testable import Identity

/// An outside provider of the tests' own, in this process: it lets everybody in, and lies as it is told.
final class Agency: DocumentFetching {
  struct Asked: Sendable {
    var nonce: String
    var challenge: String
    var redirectURI: String
  }

  /// What it says that is not so.
  struct Lies: Sendable {
    var claims: @Sendable (inout JSONObject) -> Void = { _ in }
    /// Makes the ID token in place of its key.
    var token: (@Sendable (JSON) throws -> String)?
    var metadata: @Sendable (inout JSONObject) -> Void = { _ in }
    /// In place of what the token endpoint answers.
    var answer: (@Sendable (JSONObject) -> (status: Int, body: [UInt8]))?
    var userInfo: @Sendable (inout JSONObject) -> Void = { _ in }
    var takesCodesAgain = false
    var isAway = false
    /// Before it answers about itself.
    var pause = Duration.zero
    /// In the answer that the browser brings; `nil` for none.
    var iss: @Sendable (String) -> String? = { $0 }
  }

  struct Posted: Sendable {
    var form: Form
    var authorization: String?
  }

  private struct State {
    var lies = Lies()
    var codes: [String: Asked] = [:]
    var used: Set<String> = []
    var posted: [Posted] = []
    var fetched = 0
  }

  static let secret = "a s3cret & more"

  let issuer: String
  let key: SigningKey
  let clock: SetClock
  /// The city's key there, where it shows itself by one.
  let clientKeys: [VerificationKey]
  private let state = Mutex(State())

  init(_ issuer: String, key: SigningKey = SigningKey(activeFrom: 0), clock: SetClock, clientKeys: JSON? = nil) {
    self.issuer = issuer
    self.key = key
    self.clock = clock
    self.clientKeys = clientKeys.map { VerificationKey.set($0) } ?? []
  }

  func lie(_ change: @Sendable (inout Lies) -> Void) { state.withLock { change(&$0.lies) } }

  func beHonest() { state.withLock { $0.lies = Lies() } }

  /// How many documents were asked for.
  var fetched: Int { state.withLock { $0.fetched } }

  var posted: [Posted] { state.withLock { $0.posted } }

  /// How the city is set up for it.
  func provider(
    id: String = "police", authentication: OutsideLogin.Authentication = .secret(Agency.secret),
    roles: [String: String] = ["dispatcher": "operator"], asksUserInfo: Bool = false, session: Int = 4 * 3600
  ) -> OutsideProvider {
    OutsideProvider(
      issuer: issuer,
      mapping: .init(
        audiences: ["https://api.police.example"], rolesClaim: "realm_access.roles", roles: roles, agency: "police",
        tenants: ["north"]),
      login: OutsideLogin(
        id: id, name: ["ko": "경찰청", "en": "Police"], client: "madang city", authentication: authentication,
        asksUserInfo: asksUserInfo, sessionLifetime: session), fetcher: self)
  }

  // MARK: What it is asked

  func fetch(_ address: String, mostBytes: Int) async throws -> [UInt8] {
    let lies = state.withLock { state in
      state.fetched += 1
      return state.lies
    }
    try await Task.sleep(for: lies.pause)
    guard !lies.isAway else { throw IdentityFailure("away") }
    switch address {
    case issuer + "/.well-known/openid-configuration":
      var metadata = JSONObject([
        "issuer": .string(issuer), "jwks_uri": .string(issuer + "/keys"),
        "authorization_endpoint": .string(issuer + "/authorize?tenant=1"), "token_endpoint": .string(issuer + "/token"),
        "userinfo_endpoint": .string(issuer + "/userinfo"), "end_session_endpoint": .string(issuer + "/logout"),
        "authorization_response_iss_parameter_supported": true,
      ])
      lies.metadata(&metadata)
      return JSONWriter.bytes(.object(metadata))
    case issuer + "/keys": return JSONWriter.bytes(["keys": [key.jwk]])
    default: throw IdentityFailure("404")
    }
  }

  /// The browser comes with a request of the city; gives the path at the city that it is sent back to.
  func letIn(_ location: String) throws -> String {
    guard location.hasPrefix(issuer + "/authorize?tenant=1&"),
      let form = Form(location.split(separator: "?", maxSplits: 1).last ?? ""), form["response_type"] == "code",
      form["client_id"] == "madang city", form["code_challenge_method"] == "S256", let state = form["state"],
      let nonce = form["nonce"], let challenge = form["code_challenge"], let redirectURI = form["redirect_uri"],
      Scopes.list(form["scope"]).contains("openid")
    else { throw IdentityFailure("the city asked wrongly: \(location)") }
    let code = Secret.make()
    let iss = self.state.withLock { state in
      state.codes[code] = Asked(nonce: nonce, challenge: challenge, redirectURI: redirectURI)
      return state.lies.iss(issuer)
    }
    return redirectURI.dropFirst(Door.issuer.count) + "?" + Form.encode(["code": code, "state": state, "iss": iss])
  }

  func post(
    _ text: String, to address: String, authorization: String?, mostBytes: Int
  ) async throws -> (status: Int, body: [UInt8]) {
    let lies = state.withLock { $0.lies }
    guard !lies.isAway, let form = Form(text) else { throw IdentityFailure("away") }
    if address == issuer + "/userinfo" {
      guard authorization == "Bearer access" else { return (401, []) }
      var about = JSONObject([
        "sub": "officer-7", "name": "박경위", "iss": "https://evil.example", "realm_access": ["roles": ["dispatcher"]],
      ])
      lies.userInfo(&about)
      return (200, JSONWriter.bytes(.object(about)))
    }
    func refuse(_ code: String) -> (status: Int, body: [UInt8]) {
      (code == "invalid_client" ? 401 : 400, JSONWriter.bytes(["error": .string(code)]))
    }
    guard address == issuer + "/token" else { return (404, []) }
    guard isClient(form, authorization) else { return refuse("invalid_client") }
    let code = form["code"] ?? ""
    let asked = state.withLock { state -> Asked? in
      state.posted.append(Posted(form: form, authorization: authorization))
      guard state.used.insert(code).inserted || state.lies.takesCodesAgain else { return nil }
      return state.codes[code]
    }
    guard let asked, form["redirect_uri"] == asked.redirectURI,
      Secret.hash(form["code_verifier"] ?? "") == asked.challenge
    else { return refuse("invalid_grant") }
    var claims = JSONObject([
      "iss": .string(issuer), "sub": "officer-7", "aud": "madang city", "exp": .integer(Int64(clock.now + 300)),
      "iat": .integer(Int64(clock.now)), "nonce": .string(asked.nonce), "name": "김경사", "amr": ["pwd", "otp"],
      "at_hash": .string(IDTokenCheck.leftHalf(of: "access", .es256)),
      "realm_access": ["roles": ["dispatcher", "administrator", "unknown"]],
    ])
    lies.claims(&claims)
    let token = try lies.token?(.object(claims)) ?? key.sign(.object(claims), type: "JWT")
    let answer = JSONObject(["access_token": "access", "token_type": "Bearer", "id_token": .string(token)])
    return lies.answer?(answer) ?? (200, JSONWriter.bytes(.object(answer)))
  }

  /// Whether the city has shown itself as it should.
  private func isClient(_ form: Form, _ authorization: String?) -> Bool {
    guard let assertion = form["client_assertion"] else {
      let shown = Data("madang%20city:a%20s3cret%20%26%20more".utf8).base64EncodedString()
      return authorization == "Basic " + shown
    }
    guard form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      authorization == nil, let token = try? SignedToken(parsing: assertion), clientKeys.haveSigned(token)
    else { return false }
    return token.payload["iss"]?.string == "madang city" && token.payload["sub"]?.string == "madang city"
      && token.payload["aud"]?.string == issuer && token.payload["jti"]?.string != nil
      && token.payload["exp"]?.integer == Int64(clock.now + 60)
  }
}

extension Browser {
  /// Goes to an agency from the login page, and comes back.
  func logIn(at agency: Agency, id: String = "police", back: String = "/") async throws -> Door.Answer {
    let start = try await get("/oauth/outside/\(id)/login?" + Form.encode(["back": back]))
    return try await get(try agency.letIn(start.location))
  }

  /// Who the city takes this browser for.
  var caller: Authenticated? {
    let cookie = cookies.map { "\($0)=\($1)" }.joined(separator: "; ")
    return try? door.provider.verifier.verify(authorization: nil, cookie: cookie)
  }
}
