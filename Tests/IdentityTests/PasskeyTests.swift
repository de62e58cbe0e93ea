import Crypto
import Foundation
import NGSI
import Testing

@testable import Identity

/// An authenticator that can be made to lie. That real ones are understood is shown in the browser's tests.
struct SoftKey {
  let key = P256.Signing.PrivateKey()
  let id = Array("credential-1".utf8)
  var party = "city.example"
  var origin = "https://city.example"
  var flags: UInt8 = 5
  var counter: UInt32 = 1
  var type: String?
  var crossOrigin = false
  var format = "none"
  var algorithm: UInt8 = 0x26  // -7

  private func clientData(_ type: String, _ challenge: String) -> [UInt8] {
    JSONWriter.bytes([
      "type": .string(self.type ?? type), "challenge": .string(challenge), "origin": .string(origin),
      "crossOrigin": .bool(crossOrigin),
    ])
  }

  private func data(_ flags: UInt8, _ rest: [UInt8] = []) -> [UInt8] {
    Array(SHA256.hash(data: Data(party.utf8))) + [flags] + withUnsafeBytes(of: counter.bigEndian) { Array($0) } + rest
  }

  func registration(_ challenge: String) -> JSON {
    let point = Array(key.publicKey.rawRepresentation)
    let cose: [UInt8] =
      [0xa5, 1, 2, 3, algorithm, 0x20, 1, 0x21, 0x58, 32] + point[..<32] + [0x22, 0x58, 32] + point[32...]
    let credential = [UInt8](repeating: 0, count: 16) + [0, UInt8(id.count)] + id + cose
    let authData = data(flags | 64, credential)
    func text(_ text: String) -> [UInt8] { [0x60 | UInt8(text.utf8.count)] + text.utf8 }
    let object: [UInt8] =
      [0xa3] + text("fmt") + text(format) + text("attStmt") + [0xa0] + text("authData")
      + [0x59, UInt8(authData.count >> 8), UInt8(authData.count & 255)] + authData
    return [
      "id": .string(Base64URL.encode(id)), "type": "public-key",
      "response": [
        "clientDataJSON": .string(Base64URL.encode(clientData("webauthn.create", challenge))),
        "attestationObject": .string(Base64URL.encode(object)),
      ],
    ]
  }

  func assertion(_ challenge: String, user: String) throws -> JSON {
    let client = clientData("webauthn.get", challenge)
    let data = data(flags)
    let signature = try key.signature(for: data + Array(SHA256.hash(data: client)))
    return [
      "id": .string(Base64URL.encode(id)), "type": "public-key",
      "response": [
        "clientDataJSON": .string(Base64URL.encode(client)), "authenticatorData": .string(Base64URL.encode(data)),
        "signature": .string(Base64URL.encode(signature.derRepresentation)),
        "userHandle": .string(Base64URL.encode(user.utf8)),
      ],
    ]
  }
}

struct PasskeyTests {
  private let check = PasskeyCheck(party: "city.example", origin: "https://city.example")

  @Test func aPasskeyIsTakenAndOpens() throws {
    var key = SoftKey()
    let passkey = try check.registered(key.registration("c1"), challenge: "c1", name: "phone", at: 5)
    #expect(passkey.counter == 1 && Passkey(passkey.json) == passkey)
    key.counter = 2
    let login = try check.asserted(key.assertion("c2", user: "x"), challenge: "c2", by: passkey)
    #expect(login.counter == 2 && login.methods == ["hwk", "user", "mfa"])
    key.flags |= AuthenticatorData.mayBeCopied
    #expect(
      try check.asserted(key.assertion("c2", user: "x"), challenge: "c2", by: passkey).methods.first == "swk")
    // One that does not count stays at zero.
    key.counter = 0
    var still = passkey
    still.counter = 0
    _ = try check.asserted(key.assertion("c2", user: "x"), challenge: "c2", by: still)
  }

  private static let lies: [@Sendable (inout SoftKey) -> Void] = [
    { $0.party = "evil.example" }, { $0.origin = "https://evil.example" }, { $0.origin = "https://city.example:444" },
    { $0.flags = 1 }, { $0.flags = 4 }, { $0.type = "webauthn.other" }, { $0.crossOrigin = true },
  ]

  @Test func liesAreNoticed() throws {
    let passkey = try check.registered(SoftKey().registration("c"), challenge: "c", name: "a", at: 0)
    for (number, lie) in Self.lies.enumerated() {
      var key = SoftKey()
      lie(&key)
      #expect(throws: PasskeyCheck.Problem.self, "\(number)") {
        try check.registered(key.registration("c"), challenge: "c", name: "a", at: 0)
      }
      var honest = SoftKey()
      let own = try check.registered(honest.registration("c"), challenge: "c", name: "a", at: 0)
      honest.counter = 2
      lie(&honest)
      #expect(throws: PasskeyCheck.Problem.self, "\(number)") {
        try check.asserted(honest.assertion("c", user: "x"), challenge: "c", by: own)
      }
    }
    var key = SoftKey()
    key.counter = 2
    // Another key; another challenge; a copy whose counter stands still.
    #expect(throws: PasskeyCheck.Problem.self) {
      try check.asserted(key.assertion("c", user: "x"), challenge: "c", by: passkey)
    }
    let own = try check.registered(key.registration("c"), challenge: "c", name: "a", at: 0)
    for counter in [UInt32(0), 1, 2] {
      key.counter = counter
      #expect(throws: PasskeyCheck.Problem.self) {
        try check.asserted(key.assertion("c", user: "x"), challenge: "c", by: own)
      }
    }
    key.counter = 3
    #expect(throws: PasskeyCheck.Problem.self) {
      try check.asserted(key.assertion("c", user: "x"), challenge: "d", by: own)
    }
    #expect(throws: PasskeyCheck.Problem.self) {
      try check.registered(key.registration("c"), challenge: "d", name: "a", at: 0)
    }
    for change in [{ $0.format = "packed" }, { $0.algorithm = 0x27 }] as [(inout SoftKey) -> Void] {
      var other = SoftKey()
      change(&other)
      #expect(throws: PasskeyCheck.Problem.self) {
        try check.registered(other.registration("c"), challenge: "c", name: "a", at: 0)
      }
    }
    for nothing in [.null, [:], ["response": [:]], ["response": ["clientDataJSON": "e30", "attestationObject": "oA"]]]
      as [JSON]
    {
      #expect(throws: PasskeyCheck.Problem.self) { try check.registered(nothing, challenge: "c", name: "a", at: 0) }
      #expect(throws: PasskeyCheck.Problem.self) { try check.asserted(nothing, challenge: "c", by: own) }
    }
  }

  @Test func eachChangedByteOfAnAnswerIsRefusedOrHarmless() throws {
    var key = SoftKey()
    let passkey = try check.registered(key.registration("c"), challenge: "c", name: "a", at: 0)
    key.counter = 2
    let good = try key.assertion("c", user: "x")
    let response = try #require(good["response"]?.object)
    for member in ["clientDataJSON", "authenticatorData", "signature"] {
      let bytes = try #require(response[member]?.string.flatMap(Base64URL.decode))
      for position in bytes.indices {
        var changed = bytes
        changed[position] ^= 1
        var lie = response
        lie[member] = .string(Base64URL.encode(changed))
        #expect(throws: PasskeyCheck.Problem.self, "\(member) \(position)") {
          try check.asserted(["response": .object(lie)], challenge: "c", by: passkey)
        }
      }
    }
  }

  /// RFC 8949 appendix A, as far as it is of definite length and no float.
  @Test func cborIsReadAsTheStandardSays() {
    let vectors: [(String, CBOR)] = [
      ("00", .integer(0)), ("17", .integer(23)), ("1818", .integer(24)), ("1903e8", .integer(1000)),
      ("1a000f4240", .integer(1_000_000)), ("1b000000e8d4a51000", .integer(1_000_000_000_000)), ("20", .integer(-1)),
      ("3863", .integer(-100)), ("3903e7", .integer(-1000)), ("4401020304", .bytes([1, 2, 3, 4])), ("60", .text("")),
      ("62c3bc", .text("ü")), ("80", .array([])), ("83010203", .array([.integer(1), .integer(2), .integer(3)])),
      ("a201020304", .map([(.integer(1), .integer(2)), (.integer(3), .integer(4))])), ("f4", .simple(20)),
    ]
    for (hex, value) in vectors { #expect(CBORReader.whole(Self.bytes(hex)) == value, "\(hex)") }
    let wrong = [
      "", "18", "1b", "1bffffffffffffffff", "3bffffffffffffffff", "44010203", "62c328", "8301", "a101", "a20102",
      "a201020102",
      "5f42010243030405ff", "9fff", "bf6161019fff", "ff", "f818", "f97c00", "1c", "c11a514b67b0", "0000",
      String(repeating: "81", count: 9) + "00", "9b00000000ffffffff", "bb7fffffffffffffff", "5b7fffffffffffffff",
    ]
    for hex in wrong { #expect(CBORReader.whole(Self.bytes(hex)) == nil, "\(hex)") }
  }

  @Test func noBytesHurtTheReader() {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<20_000 {
      let bytes = (0..<Int.random(in: 0..<64, using: &generator)).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      }
      if let (_, count) = CBORReader.prefix(of: bytes[...]) { #expect((1...bytes.count).contains(count)) }
      _ = AuthenticatorData([UInt8](repeating: 0x41, count: 37) + bytes)
    }
  }

  private static func bytes(_ hex: String) -> [UInt8] {
    stride(from: 0, to: hex.count, by: 2).compactMap { UInt8(hex.dropFirst($0).prefix(2), radix: 16) }
  }

  // MARK: Through the doors

  @Test func aPasskeyOpensTheDoor() async throws {
    let door = try Door()
    let person = try await door.addPerson("kim")
    let browser = Browser(door)
    _ = try await browser.logIn("kim")
    let csrf = try await browser.get("/oauth/account").field("csrf")
    let asked = try await browser.post("/oauth/passkey/add/options", ["csrf": csrf])
    #expect(asked.json["rp"]?["id"]?.string == "city.example")
    let challenge = try #require(asked.json["challenge"]?.string)
    var key = SoftKey()
    let credential = JSONWriter.text(key.registration(challenge))
    func add(_ browser: Browser, _ csrf: String?) async throws -> Door.Answer {
      try await browser.post("/oauth/passkey/add", ["csrf": csrf, "credential": credential, "name": "phone"])
    }
    // For this session only, and once.
    try await door.addPerson("lee")
    let lee = Browser(door)
    _ = try await lee.logIn("lee")
    #expect(try await add(lee, try await lee.get("/oauth/account").field("csrf")).status == 400)
    #expect(try await add(browser, csrf).status == 400)
    let fresh = try await browser.post("/oauth/passkey/add/options", ["csrf": csrf]).json["challenge"]?.string ?? ""
    let added = try await browser.post(
      "/oauth/passkey/add",
      ["csrf": csrf, "credential": JSONWriter.text(key.registration(fresh)), "name": "<phone>"])
    #expect(added.status == 303)
    #expect(try await browser.get("/oauth/account").body.contains("&lt;phone&gt;"))
    // Another browser of the same person.
    let other = Browser(door)
    let page = try await other.get("/oauth/login?back=/data")
    func options() async throws -> String {
      try await other.post("/oauth/passkey/login/options", ["csrf": page.field("csrf")]).json["challenge"]?.string ?? ""
    }
    func logIn(_ challenge: String, _ user: String) async throws -> Door.Answer {
      try await other.post(
        "/oauth/passkey/login",
        [
          "csrf": page.field("csrf"), "back": "/data",
          "credential": JSONWriter.text(try key.assertion(challenge, user: user)),
        ])
    }
    key.counter = 2
    #expect(try await logIn(try await options(), "somebody").status == 400)
    let once = try await options()
    let entered = try await logIn(once, person.id)
    #expect(entered.status == 303 && entered.location == "/data")
    let caller = try door.provider.verifier.verify(
      authorization: nil, cookie: "__Host-madang-session=\(other.cookies["__Host-madang-session"] ?? "")")
    #expect(caller.subject == person.id && caller.methods == ["hwk", "user", "mfa"])
    key.counter = 3
    #expect(try await logIn(once, person.id).status == 400)
    let late = try await options()
    door.clock.pass(301)
    #expect(try await logIn(late, person.id).status == 400)
    // Taken away, it opens nothing.
    let last = try await other.get("/oauth/account").field("csrf")
    #expect(
      try await other.post("/oauth/passkey/end", ["csrf": last, "id": Base64URL.encode(key.id)]).status == 303)
    #expect(try await logIn(try await options(), person.id).status == 400)
  }
}
