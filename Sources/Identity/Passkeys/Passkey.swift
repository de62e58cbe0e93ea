import Crypto
import Foundation
import NGSI

/// A key on a person's own device that opens the door (WebAuthn Level 2).
struct Passkey: Sendable, Hashable {
  /// Of the credential, as base64url.
  let id: String
  /// What the person calls it.
  var name: String
  /// Of P-256: x and y.
  let publicKey: [UInt8]
  /// Rises with each use, where the authenticator counts.
  var counter: UInt32
  let createdAt: Int

  var json: JSON {
    [
      "id": .string(id), "name": .string(name), "publicKey": .string(Base64URL.encode(publicKey)),
      "counter": .integer(Int64(counter)), "createdAt": .integer(Int64(createdAt)),
    ]
  }

  init(id: String, name: String, publicKey: [UInt8], counter: UInt32, createdAt: Int) {
    self.id = id
    self.name = name
    self.publicKey = publicKey
    self.counter = counter
    self.createdAt = createdAt
  }

  init?(_ json: JSON) {
    guard let id = json["id"]?.string, let name = json["name"]?.string,
      let publicKey = json["publicKey"]?.string.flatMap(Base64URL.decode),
      let counter = json["counter"]?.integer.flatMap(UInt32.init(exactly:))
    else { return nil }
    self.init(
      id: id, name: name, publicKey: publicKey, counter: counter, createdAt: Int(json["createdAt"]?.integer ?? 0))
  }
}

/// What an authenticator says (WebAuthn Level 2 section 6.1), read and not believed yet.
struct AuthenticatorData: Sendable {
  static let isPresent: UInt8 = 1
  static let isVerified: UInt8 = 4
  static let mayBeCopied: UInt8 = 8
  static let hasCredential: UInt8 = 64

  let partyHash: [UInt8]
  let flags: UInt8
  let counter: UInt32
  /// Of a new credential.
  let credential: (id: [UInt8], key: CBOR)?

  init?(_ bytes: [UInt8]) {
    guard (37...8192).contains(bytes.count) else { return nil }
    partyHash = Array(bytes[..<32])
    flags = bytes[32]
    counter = bytes[33..<37].reduce(0) { $0 << 8 | UInt32($1) }
    guard flags & Self.hasCredential != 0 else {
      credential = nil
      return
    }
    // AAGUID, length of the id, id, key.
    guard bytes.count >= 55 else { return nil }
    let length = Int(bytes[53]) << 8 | Int(bytes[54])
    guard (1...1023).contains(length), bytes.count > 55 + length,
      let (key, _) = CBORReader.prefix(of: bytes[(55 + length)...])
    else { return nil }
    credential = (Array(bytes[55..<55 + length]), key)
  }
}

/// Checks of what browsers bring (WebAuthn Level 2 section 7), for one site.
struct PasskeyCheck: Sendable {
  /// The party's id: the host that people call.
  let party: String
  let origin: String

  struct Problem: Error, Sendable, Hashable {
    let description: String

    init(_ description: String) { self.description = description }
  }

  /// A new passkey (section 7.1). No attestation is asked for: what the device is does not matter here.
  func registered(_ credential: JSON, challenge: String, name: String, at now: Int) throws(Problem) -> Passkey {
    let response = credential["response"]
    _ = try clientData(response, type: "webauthn.create", challenge: challenge)
    guard let bytes = bytes(response, "attestationObject"), bytes.count <= 16 << 10,
      let object = CBORReader.whole(bytes),
      object["fmt"]?.text == "none", object["attStmt"]?.count == 0,
      let data = object["authData"]?.bytes.flatMap(AuthenticatorData.init), let (id, key) = data.credential
    else { throw Problem("the attestation object is malformed, or has an attestation that was not asked for") }
    try check(data)
    guard credential["id"]?.string == Base64URL.encode(id) else { throw Problem("the credential has two ids") }
    // COSE (RFC 9052 section 7, RFC 9053 section 2.1): EC2, ES256, P-256.
    guard key[1]?.integer == 2, key[3]?.integer == -7, key[-1]?.integer == 1, let x = key[-2]?.bytes,
      let y = key[-3]?.bytes, x.count == 32, y.count == 32,
      (try? P256.Signing.PublicKey(rawRepresentation: x + y)) != nil
    else { throw Problem("the key is not one for ES256") }
    return Passkey(id: Base64URL.encode(id), name: name, publicKey: x + y, counter: data.counter, createdAt: now)
  }

  /// What a login with a passkey shows.
  struct Login: Sendable {
    let counter: UInt32
    /// RFC 8176.
    let methods: [String]
  }

  /// A login with a known passkey (section 7.2).
  func asserted(_ credential: JSON, challenge: String, by passkey: Passkey) throws(Problem) -> Login {
    let response = credential["response"]
    let clientData = try clientData(response, type: "webauthn.get", challenge: challenge)
    guard let bytes = bytes(response, "authenticatorData"), let data = AuthenticatorData(bytes),
      let signature = self.bytes(response, "signature"), signature.count <= 80
    else { throw Problem("the answer of the authenticator is malformed") }
    try check(data)
    let signed = bytes + Array(SHA256.hash(data: clientData))
    guard let key = try? P256.Signing.PublicKey(rawRepresentation: passkey.publicKey),
      let ecdsa = try? P256.Signing.ECDSASignature(derRepresentation: signature),
      key.isValidSignature(ecdsa, for: SHA256.hash(data: signed))
    else { throw Problem("the signature is not that of the passkey") }
    guard data.counter > passkey.counter || (data.counter == 0 && passkey.counter == 0) else {
      throw Problem("the passkey has been copied: its counter stands still")
    }
    let isCopyable = data.flags & AuthenticatorData.mayBeCopied != 0
    return Login(counter: data.counter, methods: [isCopyable ? "swk" : "hwk", "user", "mfa"])
  }

  private func bytes(_ response: JSON?, _ member: String) -> [UInt8]? {
    response?[member]?.string.flatMap(Base64URL.decode)
  }

  private func clientData(_ response: JSON?, type: String, challenge: String) throws(Problem) -> [UInt8] {
    guard let bytes = bytes(response, "clientDataJSON"), bytes.count <= 8192,
      let data = try? JSONParser.parse(bytes, maxDepth: 8)
    else { throw Problem("the client data are malformed") }
    guard data["type"]?.string == type else { throw Problem("the client data are of another act") }
    guard data["challenge"]?.string == challenge else { throw Problem("the challenge is another") }
    guard data["origin"]?.string == origin, data["crossOrigin"]?.bool != true else {
      throw Problem("the page is not one of ours")
    }
    return bytes
  }

  private func check(_ data: AuthenticatorData) throws(Problem) {
    guard data.partyHash == Array(SHA256.hash(data: Data(party.utf8))) else { throw Problem("the site is another") }
    guard data.flags & AuthenticatorData.isPresent != 0, data.flags & AuthenticatorData.isVerified != 0 else {
      throw Problem("the device has not verified who holds it")
    }
  }
}
