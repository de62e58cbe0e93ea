import Foundation

/// How long things last, and how many there may be. Times in seconds.
public struct IdentitySettings: Sendable {
  /// RFC 6749 section 4.1.2 recommends 10 minutes at most.
  public var codeLifetime = 60
  public var accessTokenLifetime = 600
  /// A family of refresh tokens ends after this, however often it is renewed …
  public var refreshLifetime = 30 * 86_400
  /// … and when it was not renewed for this long.
  public var refreshIdle = 7 * 86_400
  public var deviceLifetime = 600
  /// Least time between two questions of a device (RFC 8628 section 3.5).
  public var deviceInterval = 5
  public var sessionLifetime = 12 * 3600
  public var sessionIdle = 3600
  /// What two clocks may differ by.
  public var clockSkew = 60
  /// The longest that an assertion of a client may last (RFC 7523 section 3).
  public var assertionLifetime = 3600
  /// Between the steps of one login.
  public var loginLifetime = 600

  public var passwordCost = PasswordCost.standard
  /// Passwords that are hashed at one time.
  public var hashingThreads = max(1, min(4, ProcessInfo.processInfo.activeProcessorCount / 2))

  /// Scopes that clients may be given, beside those of OpenID Connect.
  public var scopes = ["city:read", "city:write", "city:admin"]

  /// What the pages are headed with, by language.
  public var siteName = ["ko": "마당", "en": "Madang"]

  /// A proxy stands before the city and says in `X-Forwarded-For` whom it asks for: the last address counts.
  public var isBehindProxy = false

  public var mostClients = 10_000
  public var mostPeople = 100_000
  public var mostSessions = 200_000
  public var mostDeviceGrants = 10_000
  /// Answers of outside providers and their codes that are remembered as used.
  public var mostOutsideLogins = 100_000

  public init() {}

  /// All scopes that there are.
  var allScopes: [String] { [Scopes.openid, Scopes.profile, Scopes.email, Scopes.offline] + scopes }
}
