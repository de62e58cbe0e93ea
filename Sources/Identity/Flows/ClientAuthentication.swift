import Foundation
import NGSI

extension IdentityProvider {
  static let assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

  /// The client that a request comes from, as its registration wants it shown (RFC 6749 section 2.3, RFC 7523).
  ///
  /// - Parameter needsSecret: whether a public client will not do.
  func client(of request: Incoming, needsSecret: Bool = false) async throws -> Client {
    let form = request.form
    let shown: Client
    if let header = request.authorization {
      guard form["client_secret"] == nil, form["client_assertion"] == nil else {
        throw OAuthError(.invalidRequest, "the client shows itself in more than one way")
      }
      let (id, secret) = try Self.basic(header)
      guard form["client_id"].map({ $0 == id }) ?? true else {
        throw OAuthError(.invalidRequest, "the client names itself in two ways")
      }
      shown = try await client(id, secret: secret, request)
    } else if let assertion = form["client_assertion"] {
      guard form["client_assertion_type"] == Self.assertionType, form["client_secret"] == nil else {
        throw OAuthError(.invalidRequest, "client_assertion_type must be \(Self.assertionType)")
      }
      shown = try await client(asserted: assertion, named: form["client_id"])
    } else if let id = form["client_id"] {
      if let secret = form["client_secret"] {
        shown = try await client(id, secret: secret, request)
      } else {
        guard let client = try storage.read({ try $0.client(id) }), client.isPublic else {
          throw OAuthError(.invalidClient, "the client must show its secret, or is not known")
        }
        shown = client
      }
    } else {
      throw OAuthError(.invalidClient, "the client does not say who it is")
    }
    guard !needsSecret || !shown.isPublic else {
      throw OAuthError(.invalidClient, "a client without a secret may not ask this")
    }
    return shown
  }

  /// Id and secret of a header of the kind Basic (RFC 6749 section 2.3.1: both are form-encoded first).
  private static func basic(_ header: String) throws(OAuthError) -> (id: String, secret: String) {
    let parts = header.split(separator: " ")
    guard parts.count == 2, parts[0].lowercased() == "basic", parts[1].utf8.count <= 4096,
      let data = Data(base64Encoded: String(parts[1])), let text = String(validating: data, as: UTF8.self),
      let colon = text.firstIndex(of: ":"), let id = Form.decode(text[..<colon]),
      let secret = Form.decode(text[text.index(after: colon)...]), !id.isEmpty
    else { throw OAuthError(.invalidClient, "the header Authorization is not of the kind Basic") }
    return (id, secret)
  }

  private func client(_ id: String, secret: String, _ request: Incoming) async throws -> Client {
    let buckets = [(key: "client-source:" + request.source, rule: Attempts.source)]
    let known = try storage.read { try $0.client(id) }
    if let wait = attempts.take(buckets, at: now()) {
      try await tell(event(.loginHeldBack, request, client: known?.id))
      throw OAuthError(.invalidClient, "too many wrong secrets from this address", retryAfter: wait)
    }
    guard let client = known, let hash = client.secretHash,
      // Some clients know only one of the two ways; both carry the same secret.
      client.authentication == .secretBasic || client.authentication == .secretPost,
      Secret.areSame(hash, Secret.hash(secret))
    else {
      attempts.countFailure()
      try await tell(event(.loginFailed, request, client: known?.id))
      throw OAuthError(.invalidClient, "no client has this id and this secret")
    }
    attempts.giveBack(buckets, at: now())
    return client
  }

  /// The client that signed an assertion (RFC 7523 section 3).
  private func client(asserted text: String, named: String?) async throws -> Client {
    let token: SignedToken
    do throws(TokenProblem) { token = try SignedToken(parsing: text) } catch {
      throw OAuthError(.invalidClient, error.description)
    }
    let claims = token.payload
    guard let id = claims["iss"]?.string, claims["sub"]?.string == id, named.map({ $0 == id }) ?? true,
      let client = try storage.read({ try $0.client(id) }), client.authentication == .privateKey,
      let keys = client.keys, VerificationKey.set(keys).haveSigned(token)
    else { throw OAuthError(.invalidClient, "the assertion is not signed by the client that it names") }
    let audience = claims["aud"]?.items.compactMap(\.string) ?? []
    guard audience.contains(issuer) || audience.contains(issuer + "/oauth/token") else {
      throw OAuthError(.invalidClient, "the assertion is for another audience")
    }
    let now = now()
    let skew = settings.clockSkew
    guard let expiry = claims["exp"]?.number, expiry > Double(now - skew),
      expiry <= Double(now + settings.assertionLifetime + skew)
    else {
      throw OAuthError(.invalidClient, "exp of the assertion must be within the next \(settings.assertionLifetime) s")
    }
    for claim in ["nbf", "iat"] {
      guard claims[claim]?.number.map({ $0 <= Double(now + skew) }) ?? true else {
        throw OAuthError(.invalidClient, "the assertion is of the future")
      }
    }
    guard let jti = claims["jti"]?.string, (1...256).contains(jti.utf8.count) else {
      throw OAuthError(.invalidClient, "the assertion has no jti")
    }
    let key = Secret.hash(id + "\n" + jti)
    let until = now + settings.assertionLifetime + 2 * skew
    let isNew = try await storage.write { writer in
      guard try writer.document(key, in: .assertions) == nil else { return false }
      try writer.put(["until": .integer(Int64(until))], id: key, in: .assertions)
      return true
    }
    guard isNew else { throw OAuthError(.invalidClient, "the assertion was used before") }
    return client
  }
}
