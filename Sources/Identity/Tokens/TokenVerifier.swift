import Crypto
import Foundation
import NGSI
import Synchronization

/// Tells who asks: checks the `Authorization` header or the session cookie of a request.
///
/// Nothing waits: signatures are checked on the calling thread, one for a token that was not seen before, a hash for one
/// that was. What it gives says who and what they were given leave for; whether that suffices is decided by
/// the rules of access.
///
/// ```swift
/// let caller = try verifier.verify(
///   authorization: request.headers[.authorization], cookie: request.headers[.cookie],
///   csrf: request.headers[csrfToken], changes: request.method != .get)
/// ```
public struct TokenVerifier: Sendable {
  let provider: IdentityProvider

  /// Who asks.
  ///
  /// - Parameters:
  ///   - authorization: the header `Authorization`, if there is one; then the cookie does not count.
  ///   - cookie: the header `Cookie`.
  ///   - csrf: what the request shows beside a cookie (``Authenticated/Means/session(csrf:)``).
  ///   - changes: whether the request changes something, and so needs it.
  ///   - audience: what the token must be for; the city itself where it is `nil`.
  /// - Throws: ``TokenRefusal`` with code `none` when nothing was shown.
  public func verify(
    authorization: String?, cookie: String? = nil, csrf: String? = nil, changes: Bool = false, audience: String? = nil
  ) throws(TokenRefusal) -> Authenticated {
    if let authorization { return try verify(bearer: authorization, audience: audience) }
    guard let session = try provider.present(inCookie: cookie) else {
      throw TokenRefusal(nil, "log in, or send a token")
    }
    guard !session.mustChangePassword else {
      throw TokenRefusal(.invalidToken, "choose a password of your own first")
    }
    if changes, !Secret.areSame(csrf ?? "", session.csrf) {
      throw TokenRefusal(.invalidRequest, "a request that changes something must carry the page's token, X-CSRF-Token")
    }
    return session.authenticated
  }

  /// Whether a token was found good before, or none is shown.
  public func knows(authorization: String?) -> Bool {
    guard let token = authorization?.split(separator: " ").last else { return true }
    return provider.checked[Secret.hash(String(token))] != nil
  }

  private func verify(bearer header: String, audience: String?) throws(TokenRefusal) -> Authenticated {
    let parts = header.split(separator: " ", omittingEmptySubsequences: true)
    guard parts.first?.lowercased() == "bearer" else {
      throw TokenRefusal(.invalidRequest, "the header Authorization must be of the kind Bearer")
    }
    guard parts.count == 2 else { throw TokenRefusal(.invalidRequest, "the header Authorization is malformed") }
    return try provider.authenticated(by: String(parts[1]), audience: audience)
  }
}

extension TokenRefusal {
  init(_ problem: TokenProblem) { self.init(.invalidToken, problem.description) }
}

/// Tokens that were checked lately: their hash, and what came of it.
final class TokenCache: Sendable {
  static let most = 4096

  private struct Generations {
    var young: [String: AccessToken] = [:]
    var old: [String: AccessToken] = [:]
  }

  private let known = Mutex(Generations())

  subscript(hash: String) -> AccessToken? {
    known.withLock { known in
      if let token = known.young[hash] { return token }
      guard let token = known.old[hash] else { return nil }
      Self.keep(token, hash, &known)
      return token
    }
  }

  func keep(_ token: AccessToken, as hash: String) { known.withLock { Self.keep(token, hash, &$0) } }

  /// What was not looked at while half as many others were is forgotten.
  private static func keep(_ token: AccessToken, _ hash: String, _ known: inout Generations) {
    if known.young.count >= most / 2 {
      known.old = known.young
      known.young = [:]
    }
    known.young[hash] = token
  }
}

extension IdentityProvider {
  /// Checks an access token of this provider, or of an outside one whose keys are known.
  func authenticated(by text: String, audience: String?) throws(TokenRefusal) -> Authenticated {
    let hash = Secret.hash(text)
    if let known = checked[hash] { return try judged(known, audience) }
    let token: SignedToken
    do throws(TokenProblem) { token = try SignedToken(parsing: text) } catch { throw TokenRefusal(error) }
    if let issuer = token.payload["iss"]?.string, issuer != self.issuer, let outside = outside[issuer] {
      return try outside.authenticated(by: token, at: now(), skew: settings.clockSkew)
    }
    guard token.type == AccessToken.type else {
      throw TokenRefusal(.invalidToken, "this is no access token: its type must be at+jwt")
    }
    guard keys.haveSigned(token), let access = AccessToken(claims: token.payload) else {
      throw TokenRefusal(.invalidToken, "the token was not made here")
    }
    let authenticated = try judged(access, audience)
    checked.keep(access, as: hash)
    return authenticated
  }

  /// Whether a token that was made here still holds, and here.
  private func judged(_ token: AccessToken, _ audience: String?) throws(TokenRefusal) -> Authenticated {
    let now = now()
    guard token.issuer == issuer else { throw TokenRefusal(.invalidToken, "the token is of another issuer") }
    guard token.audience.contains(audience ?? issuer) else {
      throw TokenRefusal(.invalidToken, "the token is for another audience")
    }
    // Made and checked by one clock, which may have been set back meanwhile.
    guard token.issuedAt <= now + settings.clockSkew else {
      throw TokenRefusal(.invalidToken, "the token is of the future")
    }
    guard token.expiresAt > now else { throw TokenRefusal(.invalidToken, "the token has expired") }
    guard !revocations.isRevoked(token) else { throw TokenRefusal(.invalidToken, "the token was revoked") }
    return Authenticated(
      subject: token.subject, issuer: token.issuer, clientId: token.clientId, scopes: Set(token.scopes),
      standing: token.standing, methods: token.methods, expiresAt: token.expiresAt, means: .token(id: token.id))
  }
}
