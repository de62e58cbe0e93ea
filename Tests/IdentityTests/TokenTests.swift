import Crypto
import CryptoExtras
import Foundation
import NGSI
import Testing

@testable import Identity

/// Tokens as strangers make them: forged, expired, for others, with another algorithm.
struct TokenTests {
  private let door: Door
  private let key: SigningKey

  init() throws {
    door = try Door()
    key = try door.provider.keys.signing(at: door.clock.now)
  }

  private func token(_ change: (inout AccessToken) -> Void = { _ in }) -> AccessToken {
    var token = AccessToken(
      issuer: Door.issuer, subject: "someone", audience: [Door.issuer], clientId: "app", scopes: ["city:read"],
      issuedAt: door.clock.now, expiresAt: door.clock.now + 600,
      standing: Standing(roles: ["operator"], groups: ["night"], agency: "fire", tenants: ["north"]), grant: "g")
    change(&token)
    return token
  }

  private func refusal(_ text: String, audience: String? = nil) -> TokenRefusal? {
    do throws(TokenRefusal) {
      _ = try door.provider.verifier.verify(authorization: "Bearer " + text, audience: audience)
      return nil
    } catch { return error }
  }

  @Test func aTokenOfOursTellsWhoAsks() throws {
    let text = try key.sign(token().claims, type: AccessToken.type)
    for _ in 0..<2 {
      let caller = try door.provider.verifier.verify(authorization: "bearer " + text)
      #expect(caller.subject == "someone" && caller.clientId == "app" && caller.scopes == ["city:read"])
      #expect(caller.standing == Standing(roles: ["operator"], groups: ["night"], agency: "fire", tenants: ["north"]))
    }
    #expect(refusal(text, audience: "https://other.example")?.code == .invalidToken)
  }

  @Test func whatIsNotOursIsRefused() throws {
    let good = token().claims
    let text = try key.sign(good, type: AccessToken.type)
    let parts = text.split(separator: ".").map(String.init)
    let stranger = SigningKey(activeFrom: 0)
    func unsigned(_ header: JSON, _ claims: JSON = good) -> String {
      Base64URL.encode(JSONWriter.bytes(header)) + "." + Base64URL.encode(JSONWriter.bytes(claims))
    }
    // Signed with the public key as if it were a secret (RFC 8725 section 2.1).
    let confused = unsigned(["typ": "at+jwt", "alg": "HS256", "kid": .string(key.id)])
    let mac = HMAC<SHA256>.authenticationCode(
      for: Data(confused.utf8), using: SymmetricKey(data: JSONWriter.bytes(key.jwk)))
    let header: JSON = ["typ": "at+jwt", "alg": "ES256", "kid": .string(key.id)]
    var forged = [
      try stranger.sign(good, type: AccessToken.type),
      parts[0] + "." + parts[1] + ".",
      parts[0] + "." + parts[1],
      unsigned(["typ": "at+jwt", "alg": "none", "kid": .string(key.id)]) + ".",
      unsigned(["typ": "at+jwt", "alg": "none"]) + "." + parts[2],
      confused + "." + Base64URL.encode(mac),
      unsigned(["typ": "at+jwt", "alg": "RS256", "kid": .string(key.id)]) + "." + parts[2],
      unsigned(["typ": "at+jwt", "alg": "ES256", "kid": .string(key.id), "crit": ["exp"]]) + "." + parts[2],
      unsigned(["typ": "at+jwt", "alg": "ES256", "kid": .string(key.id), "jwk": stranger.jwk]) + "." + parts[2],
      unsigned(header, token { $0.subject = "another" }.claims) + "." + parts[2],
      parts[0] + "." + parts[1] + "." + Base64URL.encode([UInt8](repeating: 0, count: 64)),
      try key.sign(good, type: "JWT"),
      "", ".", "..", "a.b.c", String(repeating: "a", count: 20_000),
    ]
    // The same signature written otherwise.
    forged.append(text + "=")
    forged.append(text + "A")
    for one in forged { #expect(refusal(one) != nil, "\(one.prefix(60))") }
    #expect(refusal(text) == nil)
  }

  @Test func whatHasRunOutOrIsForOthersIsRefused() throws {
    let now = door.clock.now
    let wrong: [(String, (inout AccessToken) -> Void)] = [
      ("expired", { $0.expiresAt = now }), ("of the future", { $0.issuedAt = now + 61 }),
      ("for others", { $0.audience = ["https://other.example"] }), ("for nobody", { $0.audience = [] }),
      ("of another issuer", { $0.issuer = "https://other.example" }),
    ]
    for (name, change) in wrong {
      let text = try key.sign(token(change).claims, type: AccessToken.type)
      let refusal = refusal(text)
      #expect(refusal?.code == .invalidToken && refusal?.status == 401, "\(name)")
      #expect(refusal?.challenge.hasPrefix("Bearer realm=\"madang\", error=\"invalid_token\"") ?? false)
    }
    // Clocks may differ by a minute.
    #expect(refusal(try key.sign(token { $0.issuedAt = now + 60 }.claims, type: AccessToken.type)) == nil)
    // One that was checked before is not believed for longer.
    let text = try key.sign(token().claims, type: AccessToken.type)
    #expect(refusal(text) == nil)
    door.clock.pass(600)
    #expect(refusal(text)?.description == "the token has expired")
  }

  @Test func eachMutatedByteIsNoticed() throws {
    let text = try key.sign(token().claims, type: AccessToken.type)
    let bytes = Array(text.utf8)
    var generator = SystemRandomNumberGenerator()
    for position in bytes.indices {
      var changed = bytes
      changed[position] ^= 1 << UInt8.random(in: 0..<7, using: &generator)
      #expect(refusal(String(decoding: changed, as: UTF8.self)) != nil, "byte \(position)")
    }
  }

  @Test func aFormCarriesTheTokenOfItsSession() {
    #expect(TokenVerifier.csrf(inForm: "a=1&csrf=t%2Dok+en&b=2") == "t-ok en")
    for none in ["", "a=1", "csrf=", "csrf", "csrf=%zz", "csrf=x&" + String(repeating: "a=1&", count: 100)] {
      #expect(TokenVerifier.csrf(inForm: none) == nil, "\(none.prefix(20))")
    }
    let long = "csrf=x&a=" + String(repeating: "a", count: TokenVerifier.longestForm)
    #expect(TokenVerifier.csrf(inForm: long) == nil)
  }

  @Test func headersThatAreNoneAreRefused() {
    let verifier = door.provider.verifier
    func status(_ header: String?) -> Int? {
      do throws(TokenRefusal) {
        _ = try verifier.verify(authorization: header)
        return nil
      } catch { return error.status }
    }
    #expect(status(nil) == 401)
    #expect(status("") == 400 && status("Bearer") == 400 && status("Bearer a b") == 400 && status("Basic YTpi") == 400)
    #expect(TokenRefusal(nil, "").challenge == "Bearer realm=\"madang\"")
  }

  /// RFC 7515 appendix A.3: a token that the standard made, with its key.
  @Test func theStandardsOwnTokenIsBelieved() throws {
    let text =
      "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
      + ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    let jwk: JSON = [
      "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
      "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    ]
    let key = try #require(VerificationKey(jwk: jwk))
    let token = try SignedToken(parsing: text)
    #expect(key.isSigned(token))
    #expect(token.payload["iss"]?.string == "joe")
  }

  /// RFC 7638 section 3.1 names a thumbprint of an RSA key only; ours is over the members that section 3.2 asks for.
  @Test func weakAndForeignKeysAreNotRead() {
    let weak = try? _RSA.Signing.PrivateKey(unsafeKeySize: _RSA.Signing.KeySize(bitCount: 1024)).publicKey
      .getKeyPrimitives()
    if let weak {
      let jwk: JSON = [
        "kty": "RSA", "n": .string(Base64URL.encode(weak.modulus)), "e": .string(Base64URL.encode(weak.publicExponent)),
      ]
      #expect(VerificationKey(jwk: jwk) == nil)
    }
    #expect(VerificationKey(jwk: ["kty": "oct", "k": "c2VjcmV0"]) == nil)
    #expect(VerificationKey(jwk: ["kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"]) == nil)
    var jwk = SigningKey(activeFrom: 0).jwk.object ?? JSONObject()
    jwk["alg"] = "RS256"
    #expect(VerificationKey(jwk: .object(jwk)) == nil)
    jwk["alg"] = "ES256"
    jwk["use"] = "enc"
    #expect(VerificationKey(jwk: .object(jwk)) == nil)
  }
}

struct KeyTests {
  private func folder() -> String { NSTemporaryDirectory() + "identity-" + UUID().uuidString }

  @Test func keysAreMadeOnceForTheirOwnerOnly() throws {
    let path = folder()
    defer { try? FileManager.default.removeItem(atPath: path) }
    let first = try KeyRing(folder: path, schedule: KeySchedule(), now: 1000)
    let again = try KeyRing(folder: path, schedule: KeySchedule(), now: 2000)
    #expect(first.jwks == again.jwks)
    let sealed = try first.seal([1, 2, 3], for: "a")
    #expect(again.open(sealed, for: "a") == [1, 2, 3])
    #expect(again.open(sealed, for: "b") == nil && again.open(sealed + "A", for: "a") == nil)
    let names = try FileManager.default.contentsOfDirectory(atPath: path)
    #expect(names.count == 2)
    for name in names {
      let mode = try FileManager.default.attributesOfItem(atPath: path + "/" + name)[.posixPermissions] as? Int
      #expect(mode == 0o600)
    }
    #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o700)
    chmod(path + "/" + names[0], 0o644)
    #expect(throws: IdentityFailure.self) { try KeyRing(folder: path, schedule: KeySchedule(), now: 3000) }
  }

  @Test func theNextKeyIsShownBeforeItSigns() throws {
    let schedule = KeySchedule(period: 1000, lead: 100, keep: 50)
    let path = folder()
    defer { try? FileManager.default.removeItem(atPath: path) }
    var ring = try KeyRing(folder: path, schedule: schedule, now: 0)
    func ids(_ ring: KeyRing) -> [String] { (ring.jwks["keys"]?.array ?? []).compactMap { $0["kid"]?.string } }
    let old = try ring.signing(at: 0)
    try ring.turn(at: 899)
    #expect(ids(ring) == [old.id])
    try ring.turn(at: 900)
    #expect(ids(ring).count == 2)
    #expect(try ring.signing(at: 999).id == old.id)
    let new = try ring.signing(at: 1000)
    #expect(new.id != old.id && ids(ring).contains(new.id))
    let token = try SignedToken(parsing: old.sign(["a": 1], type: "JWT"))
    try ring.turn(at: 1049)
    #expect(ring.haveSigned(token))
    try ring.turn(at: 1050)
    #expect(!ring.haveSigned(token))
    #expect(ids(ring) == [new.id])
    // A city that was off for long shows its next key before it signs all the same.
    ring = try KeyRing(folder: path, schedule: schedule, now: 9000)
    #expect(try ring.signing(at: 9000).id == new.id && ids(ring).count == 2)
    #expect(try ring.signing(at: 9100).id != new.id)
  }

  @Test func aKeyForRS256IsMadeWhenAClientNeedsIt() throws {
    let path = folder()
    defer { try? FileManager.default.removeItem(atPath: path) }
    let ring = try KeyRing(folder: path, schedule: KeySchedule(period: 1000, lead: 100, keep: 50), now: 0)
    #expect(throws: IdentityFailure.self) { try ring.signing(.rs256, at: 0) }
    try ring.provide(.rs256, at: 10)
    try ring.provide(.rs256, at: 20)
    let key = try ring.signing(.rs256, at: 20)
    let token = try SignedToken(parsing: key.sign(["a": 1], type: "JWT"))
    #expect(token.algorithm == .rs256 && ring.haveSigned(token))
    #expect(try ring.signing(at: 20).algorithm == .es256)
    let again = try KeyRing(folder: path, schedule: KeySchedule(period: 1000, lead: 100, keep: 50), now: 950)
    #expect(again.haveSigned(token))
    #expect((again.jwks["keys"]?.array ?? []).compactMap { $0["kty"]?.string }.sorted() == ["EC", "EC", "RSA", "RSA"])
  }

  @Test func planNeverLeavesACityWithoutAKey() {
    let schedule = KeySchedule(period: 1000, lead: 100, keep: 50)
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<200 {
      var keys: [Int] = []
      var now = 0
      for _ in 0..<30 {
        now += Int.random(in: 0..<700, using: &generator)
        let plan = schedule.plan(keys, at: now)
        keys = keys.filter { !plan.dropped.contains($0) } + plan.made
        #expect(keys.contains { $0 <= now } && keys.count <= 3)
        #expect(plan.made.allSatisfy { $0 == now || $0 >= now + 100 })
      }
    }
  }
}
