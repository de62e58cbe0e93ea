import Foundation
import NGSI

/// What the city asks an outside provider itself, not by way of the browser.
extension OutsideProvider {
  /// Bytes of an answer that has tokens, or claims.
  private static let mostAnswerBytes = 64 << 10
  /// Seconds that an assertion of the city lasts.
  private static let assertionLifetime = 60
  /// Names of methods that are kept of `amr`.
  private static let mostMethods = 16

  /// Exchanges a code for who the person is.
  ///
  /// - Parameters:
  ///   - redirectURI: as the request for the code had it.
  ///   - longestAge: seconds that a login may take.
  func prove(
    code: String, _ ticket: OutsideTicket, _ login: OutsideLogin, _ metadata: OutsideMetadata, redirectURI: String,
    at now: Int, skew: Int, longestAge: Int
  ) async throws(OutsideRefusal) -> ProvenOutside {
    guard let endpoint = metadata.token else { throw OutsideRefusal(.notTaken, "the provider exchanges no codes") }
    var form =
      Form.encode([
        "grant_type": "authorization_code", "code": code, "redirect_uri": redirectURI,
        "code_verifier": ticket.verifier,
      ])
    var authorization: String?
    switch login.authentication {
    case .secret(let secret):
      let shown = Form.percent(login.client) + ":" + Form.percent(secret)
      authorization = "Basic " + Data(shown.utf8).base64EncodedString()
    case .key(let key):
      form +=
        "&"
        + Form.encode([
          "client_id": login.client, "client_assertion_type": IdentityProvider.assertionType,
          "client_assertion": try assertion(key, login.client, at: now),
        ])
    }
    let answer = try await ask(endpoint, form, authorization)
    guard let text = answer["id_token"]?.string else {
      throw OutsideRefusal(.unbelieved, "the provider gave no ID token")
    }
    let token: SignedToken
    do throws(TokenProblem) { token = try SignedToken(parsing: text) } catch {
      throw OutsideRefusal(.unbelieved, "the ID token cannot be believed: \(error.description)")
    }
    // A key that came since the keys were fetched.
    if needsKeys(for: token, at: now) { try? await fetchKeys(at: now) }
    let accessToken = answer["access_token"]?.string
    let check = IDTokenCheck(
      issuer: issuer, client: login.client, nonce: ticket.nonce, accessToken: accessToken, now: now, skew: skew,
      longestAge: longestAge)
    var claims = try check.claims(of: token) { haveSigned($0) }
    // What is signed alone says how he logged in.
    let methods = (claims["amr"]?.strings ?? []).filter { $0.utf8.count <= 32 }.prefix(Self.mostMethods)
    if login.asksUserInfo { try await addUserInfo(to: &claims, accessToken, metadata) }
    return ProvenOutside(person: person(claims), methods: Array(methods), idToken: text)
  }

  /// What the city signs to show that it is itself (RFC 7523 section 3).
  private func assertion(_ key: ClientKey, _ client: String, at now: Int) throws(OutsideRefusal) -> String {
    // The issuer alone as audience: an assertion can then be shown to no other provider, whatever addresses it names.
    let claims: JSON = [
      "iss": .string(client), "sub": .string(client), "aud": .string(issuer), "jti": .string(Secret.make(bytes: 16)),
      "iat": .integer(Int64(now)), "exp": .integer(Int64(now + Self.assertionLifetime)),
    ]
    do throws(IdentityFailure) { return try key.key.sign(claims, type: "JWT") } catch {
      throw OutsideRefusal(.notTaken, "the city's key does not sign")
    }
  }

  /// Adds claims that the ID token does not have (section 5.3); what it says stays.
  private func addUserInfo(
    to claims: inout JSONObject, _ accessToken: String?, _ metadata: OutsideMetadata
  ) async throws(OutsideRefusal) {
    guard let endpoint = metadata.userInfo, let accessToken else {
      throw OutsideRefusal(.notTaken, "the provider has no UserInfo endpoint")
    }
    let about = try await ask(endpoint, "", "Bearer " + accessToken)
    guard about["sub"]?.string == claims["sub"]?.string, let members = about.object else {
      throw OutsideRefusal(.unbelieved, "the UserInfo endpoint spoke of somebody else")
    }
    for member in members where !claims.contains(member.key) { claims[member.key] = member.value }
  }

  /// The JSON that an endpoint answers with.
  private func ask(_ endpoint: String, _ form: String, _ authorization: String?) async throws(OutsideRefusal) -> JSON {
    let answer: (status: Int, body: [UInt8])
    do {
      answer = try await fetcher.post(
        form, to: endpoint, authorization: authorization, mostBytes: Self.mostAnswerBytes)
    } catch { throw OutsideRefusal(.away, "the provider does not answer") }
    guard answer.status < 500 else { throw OutsideRefusal(.away, "the provider answers \(answer.status)") }
    let json = answer.body.count <= Self.mostAnswerBytes ? try? JSONParser.parse(answer.body, maxDepth: 16) : nil
    guard answer.status == 200 else {
      // A code that was used, is another's, or has run out.
      if json?["error"]?.string == "invalid_grant" {
        throw OutsideRefusal(.unbelieved, "the provider does not take the code")
      }
      throw OutsideRefusal(code: json?["error"]?.string ?? "")
    }
    guard let json, json.object != nil else { throw OutsideRefusal(.unbelieved, "the provider answered no JSON") }
    return json
  }
}

/// Whom a provider has shown to be somebody.
struct ProvenOutside: Sendable {
  let person: OutsidePerson
  /// How the person logged in there (RFC 8176).
  let methods: [String]
  let idToken: String
}
