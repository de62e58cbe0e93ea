import Crypto
import Foundation
import NGSI
import Synchronization

/// Tells who asks: checks the `Authorization` header or the session cookie of a request.
///
/// Nothing waits: signatures are checked on the calling thread, one for a token that was not seen before, none for one
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

  /// Who shows a token that was found good before and still is; `nil` for everyone else. Costs about a microsecond.
  public func known(authorization header: String) -> KnownToken? {
    let changes = provider.revocations.changes
    guard let token = provider.checked[header], (try? provider.judged(token, nil)) != nil else { return nil }
    return KnownToken(token: token, provider: provider, changes: changes)
  }

  private func verify(bearer header: String, audience: String?) throws(TokenRefusal) -> Authenticated {
    if let known = provider.checked[header] { return try provider.judged(known, audience) }
    let parts = header.split(separator: " ", omittingEmptySubsequences: true)
    guard parts.first?.lowercased() == "bearer" else {
      throw TokenRefusal(.invalidRequest, "the header Authorization must be of the kind Bearer")
    }
    guard parts.count == 2 else { throw TokenRefusal(.invalidRequest, "the header Authorization is malformed") }
    return try provider.authenticated(by: String(parts[1]), in: header, audience: audience)
  }
}

/// A token that was found good.
public struct KnownToken: Sendable {
  fileprivate let token: CheckedToken
  fileprivate let provider: IdentityProvider
  /// Revocations before it was judged.
  fileprivate let changes: Int

  public var authenticated: Authenticated { token.authenticated }

  /// Whether it still is.
  public var holds: Bool {
    guard provider.revocations.changes == changes else { return (try? provider.judged(token, nil)) != nil }
    let now = provider.now()
    return token.token.expiresAt > now && token.token.issuedAt <= now + provider.settings.clockSkew
  }
}

extension TokenRefusal {
  init(_ problem: TokenProblem) { self.init(.invalidToken, problem.description) }
}

/// A token that was made here, and who shows it.
final class CheckedToken: Sendable {
  let token: AccessToken
  let authenticated: Authenticated

  init(_ token: AccessToken) {
    self.token = token
    authenticated = Authenticated(
      subject: token.subject, issuer: token.issuer, clientId: token.clientId, scopes: Set(token.scopes),
      standing: token.standing, methods: token.methods, expiresAt: token.expiresAt, means: .token(id: token.id))
  }
}

/// Tokens that were checked lately, by the header that they came in: to look one up costs less than to hash it as a
/// stranger's would have to be. They are kept in memory only.
final class TokenCache: Sendable {
  static let most = 4096
  /// A longer header is not kept.
  static let mostBytes = 8192

  private struct Generations {
    var young: [String: CheckedToken] = [:]
    var old: [String: CheckedToken] = [:]
  }

  private let known = Mutex(Generations())

  subscript(header: String) -> CheckedToken? {
    known.withLock { known in
      if let token = known.young[header] { return token }
      guard let token = known.old[header] else { return nil }
      Self.keep(token, header, &known)
      return token
    }
  }

  func keep(_ token: CheckedToken, of header: String) {
    guard header.utf8.count <= Self.mostBytes else { return }
    known.withLock { Self.keep(token, header, &$0) }
  }

  /// What was not looked at while half as many others were is forgotten.
  private static func keep(_ token: CheckedToken, _ header: String, _ known: inout Generations) {
    if known.young.count >= most / 2 {
      known.old = known.young
      known.young = [:]
    }
    known.young[header] = token
  }
}

extension IdentityProvider {
  /// Checks an access token of this provider, or of an outside one whose keys are known.
  ///
  /// - Parameter header: that it came in.
  func authenticated(by text: String, in header: String, audience: String?) throws(TokenRefusal) -> Authenticated {
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
    let checkedToken = CheckedToken(access)
    let authenticated = try judged(checkedToken, audience)
    checked.keep(checkedToken, of: header)
    return authenticated
  }

  /// Whether a token that was made here still holds, and here.
  func judged(_ checked: CheckedToken, _ audience: String?) throws(TokenRefusal) -> Authenticated {
    let token = checked.token
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
    return checked.authenticated
  }
}
