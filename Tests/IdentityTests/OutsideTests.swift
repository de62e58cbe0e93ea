import Foundation
import NGSI
import Synchronization
import Testing

@testable import Identity

/// Documents of an outside provider, as a test sets them.
private final class Library: DocumentFetching {
  private let state = Mutex((documents: [String: JSON](), asked: 0))

  func put(_ document: JSON, at address: String) { state.withLock { $0.documents[address] = document } }

  var asked: Int { state.withLock { $0.asked } }

  func fetch(_ address: String, mostBytes: Int) async throws -> [UInt8] {
    let document = state.withLock { state in
      state.asked += 1
      return state.documents[address]
    }
    guard let document else { throw IdentityFailure("404") }
    return JSONWriter.bytes(document)
  }

  func post(
    _ form: String, to address: String, authorization: String?, mostBytes: Int
  ) async throws -> (status: Int, body: [UInt8]) { throw IdentityFailure("404") }
}

struct OutsideTests {
  private static let issuer = "https://id.police.example"
  private let library = Library()
  private let key = SigningKey(activeFrom: 0)
  private let clock = SetClock()

  private func door(keys: [SigningKey]? = nil) throws -> Door {
    library.put(
      ["issuer": .string(Self.issuer), "jwks_uri": .string(Self.issuer + "/keys")],
      at: Self.issuer + "/.well-known/openid-configuration")
    library.put(["keys": .array((keys ?? [key]).map(\.jwk))], at: Self.issuer + "/keys")
    let provider = OutsideProvider(
      issuer: Self.issuer,
      mapping: .init(
        audiences: [Door.issuer], rolesClaim: "realm_access.roles",
        roles: ["dispatcher": "operator", "root": "operator"],
        agency: "police", tenants: ["north"], scopes: ["city:read"]),
      fetcher: library)
    return try Door(clock: clock, outside: [provider])
  }

  private func token(_ key: SigningKey, _ change: (inout JSONObject) -> Void = { _ in }) throws -> String {
    var claims = JSONObject([
      "iss": .string(Self.issuer), "sub": "officer-7", "aud": ["account", .string(Door.issuer)],
      "exp": .integer(Int64(clock.now + 300)), "iat": .integer(Int64(clock.now)), "azp": "dispatch",
      "realm_access": ["roles": ["dispatcher", "administrator", "unknown"]], "agency": "fire",
      "roles": ["administrator"],
    ])
    change(&claims)
    return "Bearer " + (try key.sign(.object(claims), type: "JWT"))
  }

  @Test func anAgencysOwnTokensAreBelieved() async throws {
    let door = try door()
    let verifier = door.provider.verifier
    let text = try token(key)
    // Before its keys are there, one has to wait for them.
    #expect(verifier.mustWait(authorization: text))
    #expect(throws: TokenRefusal.self) { try verifier.verify(authorization: text) }
    let caller = try await verifier.authenticate(authorization: text)
    #expect(caller.issuer == Self.issuer && caller.subject == "officer-7" && caller.clientId == "dispatch")
    // What it is here the manifest says, not the token.
    #expect(caller.roles == ["operator"] && caller.agency == "police" && caller.tenants == ["north"])
    #expect(caller.scopes == ["city:read"])
    #expect(!verifier.mustWait(authorization: text))
    #expect(try verifier.verify(authorization: text) == caller)
    #expect(library.asked == 2)
    // Its administrators are not ours.
    let asked = try await door.get("/oauth/people", [.authorization: text])
    #expect(asked.status == 403)
  }

  @Test func whatIsNotForUsIsRefused() async throws {
    let door = try door()
    let verifier = door.provider.verifier
    _ = try await verifier.authenticate(authorization: try token(key))
    let now = Int64(clock.now)
    let wrong: [(inout JSONObject) -> Void] = [
      { $0["aud"] = "account" }, { $0["aud"] = nil }, { $0["exp"] = .integer(now - 60) }, { $0["exp"] = nil },
      { $0["nbf"] = .integer(now + 61) }, { $0["iat"] = .integer(now + 61) }, { $0["sub"] = nil },
      { $0["iss"] = "https://id.other.example" }, { $0["iss"] = .string(Door.issuer) },
      { $0["at_hash"] = "77QmUPtjPfzWtF2AnpK9RQ" }, { $0["c_hash"] = "77QmUPtjPfzWtF2AnpK9RQ" },
    ]
    for (number, change) in wrong.enumerated() {
      let text = try token(key, change)
      await #expect(throws: TokenRefusal.self, "\(number)") { try await verifier.authenticate(authorization: text) }
    }
    let stranger = try token(SigningKey(activeFrom: 0))
    await #expect(throws: TokenRefusal.self) { try await verifier.authenticate(authorization: stranger) }
    // Clocks may differ by a minute.
    _ = try await verifier.authenticate(authorization: try token(key) { $0["exp"] = .integer(now - 59) })
  }

  @Test func newKeysAreFetchedOnceAMinuteAtMost() async throws {
    let door = try door()
    let verifier = door.provider.verifier
    _ = try await verifier.authenticate(authorization: try token(key))
    let next = SigningKey(activeFrom: 0)
    library.put(["keys": [next.jwk]], at: Self.issuer + "/keys")
    let asked = library.asked
    for _ in 0..<50 {
      let text = try token(next)
      await #expect(throws: TokenRefusal.self) { try await verifier.authenticate(authorization: text) }
    }
    #expect(library.asked == asked)
    clock.pass(61)
    _ = try await verifier.authenticate(authorization: try token(next))
    #expect(library.asked == asked + 2)
    let old = try token(key)
    await #expect(throws: TokenRefusal.self) { try await verifier.authenticate(authorization: old) }
    // When the provider is away, its tokens hold on.
    library.put(
      ["issuer": "https://evil.example", "jwks_uri": "x"], at: Self.issuer + "/.well-known/openid-configuration")
    clock.pass(3601)
    _ = try await verifier.authenticate(authorization: try token(next))
  }
}
