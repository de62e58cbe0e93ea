import Testing

@testable import City

@Suite("Outside identity providers of a manifest")
struct ManifestIdentityTests {
  private static let start = "issuer: 'https://id.police.example', audiences: [api], "
  private static let named = "name: {ko: 경찰청, en: Police}, client: city"

  private func problems(_ entries: String...) throws -> [String] {
    let text =
      try Examples.text("demo") + "\nidentity:\n  providers:\n" + entries.map { "  - {\($0)}\n" }.joined()
    do {
      _ = try ManifestFile.read(text: text, path: "x.city.yaml")
      return []
    } catch { return error.problems.map(\.key) }
  }

  @Test(
    "where people log in",
    arguments: [
      "id: police, \(named), secret: {file: a.secret}",
      "id: police, \(named), secret: {env: SECRET}, authentication: private_key_jwt, scopes: [], userinfo: true, session: 30m",
    ])
  func sound(_ login: String) throws { #expect(try problems(Self.start + "login: {\(login)}") == []) }

  @Test(
    "what does not hold together is told by its key",
    arguments: [
      ("id: police, \(named), secret: {}", "secret"),
      ("id: police, \(named), secret: {env: SECRET, file: a.secret}", "secret"),
      ("id: police, \(named), secret: {file: a}, authentication: client_secret_post", "authentication"),
      ("id: Police, \(named), secret: {file: a}", "id"),
      ("id: police, name: {ko: 경찰청, en: Police}, client: api, secret: {file: a}", "client"),
      ("id: police, \(named), secret: {file: a}, session: long", "session"),
    ])
  func unsound(_ login: String, _ key: String) throws {
    #expect(try problems(Self.start + "login: {\(login)}") == ["identity.providers[0].login.\(key)"])
  }

  @Test("a secret is never in the manifest itself")
  func secretByReference() throws {
    let keys = try problems(Self.start + "login: {id: police, \(Self.named), secret: s3cret}")
    #expect(keys == ["identity.providers[0].login.secret"])
  }

  @Test("each issuer and each login once, and keys over TLS")
  func distinct() throws {
    let login = "login: {id: police, \(Self.named), secret: {file: a}}"
    let other = "issuer: 'https://id.fire.example', audiences: [api], "
    #expect(try problems(Self.start + login, other + login) == ["identity.providers[1].login.id"])
    #expect(try problems(Self.start + login, Self.start + "agency: fire") == ["identity.providers[1].issuer"])
    for issuer in ["http://id.police.example", "http://127.0.0.1.example"] {
      #expect(try problems("issuer: '\(issuer)', audiences: [api]") == ["identity.providers[0].issuer"])
    }
    for issuer in ["http://127.0.0.1:9190/api", "http://localhost", "http://[::1]:80"] {
      #expect(try problems("issuer: '\(issuer)', audiences: [api]") == [])
    }
  }
}
