import Foundation
import SwiftASN1
import X509

/// Enrolment over secure transport (RFC 7030): what is asked below `/.well-known/est/`, apart from the server that
/// carries it.
public struct EnrolmentServer: Sendable {
  public struct Answer: Sendable {
    public let status: Int
    public let headers: [(name: String, value: String)]
    public let body: [UInt8]
  }

  /// What devices have to keep the body of a request below.
  public static let maxBytes = SigningRequest.maxBytes

  let registry: DeviceRegistry

  public init(registry: DeviceRegistry) { self.registry = registry }

  /// Answers one request.
  ///
  /// - Parameters:
  ///   - path: below `/.well-known/est/`.
  ///   - authorization: the header of that name.
  ///   - peer: who the client proved to be by its certificate.
  public func answer(
    _ method: String, _ path: String, authorization: String?, contentType: String?, body: [UInt8], peer: PeerIdentity?
  ) async -> Answer {
    do throws(DeviceError) {
      switch (path, method) {
      case ("cacerts", "GET"):
        return .base64(try CertificateBag.bytes(registry.authority.chain), type: "application/pkcs7-mime")
      case ("csrattrs", "GET"): return .base64(try Self.attributes(), type: "application/csrattrs")
      case ("simpleenroll", "POST"):
        try Self.checkType(contentType)
        return try await enroll(authorization, body, peer)
      case ("simplereenroll", "POST"):
        try Self.checkType(contentType)
        return try await reenroll(body, peer)
      case ("cacerts", _), ("csrattrs", _): return .text(405, "only GET\n", ("Allow", "GET"))
      case ("simpleenroll", _), ("simplereenroll", _): return .text(405, "only POST\n", ("Allow", "POST"))
      default: return .text(404, "there are cacerts, csrattrs, simpleenroll and simplereenroll\n")
      }
    } catch {
      var headers: [(String, String)] = []
      if case .unauthorized = error { headers = [("WWW-Authenticate", #"Basic realm="enrolment""#)] }
      return .text(error.status, "\(error)\n", headers)
    }
  }

  private static func checkType(_ type: String?) throws(DeviceError) {
    let essence = type?.split(separator: ";").first.map { $0.trimmingCharacters(in: .whitespaces).lowercased() }
    guard essence == "application/pkcs10" else {
      throw .malformed("the body must be application/pkcs10, found \(type?.prefix(80) ?? "no Content-Type")")
    }
  }

  /// Section 4.2.1. Who comes with a good certificate needs no secret.
  private func enroll(
    _ authorization: String?, _ body: [UInt8], _ peer: PeerIdentity?
  ) async throws(DeviceError) -> Answer {
    if let peer, authorization == nil { return try await renew(body, peer) }
    guard let (name, secret) = authorization.flatMap(Self.credentials) else {
      throw .unauthorized("name the device and its enrolment secret (HTTP Basic), or come with its certificate")
    }
    // Who does not know the secret does not learn what is wrong with the request.
    _ = try await registry.device(name, secret: secret)
    return try .certificate(try await registry.issue(to: name, secret: secret, try SigningRequest(body)))
  }

  /// Section 4.2.2.
  private func reenroll(_ body: [UInt8], _ peer: PeerIdentity?) async throws(DeviceError) -> Answer {
    guard let peer else { throw .unauthorized("to renew a certificate, connect with it (mutual TLS)") }
    return try await renew(body, peer)
  }

  private func renew(_ body: [UInt8], _ peer: PeerIdentity) async throws(DeviceError) -> Answer {
    try registry.check(peer)
    return try .certificate(try await registry.issue(to: peer.device.name, secret: nil, try SigningRequest(body)))
  }

  /// Name and secret of HTTP's Basic scheme (RFC 7617). A name has colons, being a URN; a secret has none, so the last
  /// colon divides them. A name without a tenant is that of a device of the default one.
  private static func credentials(_ authorization: String) -> (name: String, secret: String)? {
    let words = authorization.split(separator: " ", maxSplits: 1)
    guard words.count == 2, words[0].lowercased() == "basic", words[1].utf8.count <= 1024,
      let data = Data(base64Encoded: words[1].trimmingCharacters(in: .whitespaces))
    else { return nil }
    let text = String(decoding: data, as: UTF8.self)
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let user = String(text[..<colon])
    return (user.contains("/") ? user : "-/" + user, String(text[text.index(after: colon)...]))
  }

  /// What a request must be like (section 4.5.2): P-256, ECDSA with SHA-256.
  private static func attributes() throws(DeviceError) -> [UInt8] {
    try CertificateAuthority.made {
      var der = DER.Serializer()
      try der.appendConstructedNode(identifier: .sequence) { list in
        try list.appendConstructedNode(identifier: .sequence) { attribute in
          try attribute.serialize(ASN1ObjectIdentifier.AlgorithmIdentifier.idEcPublicKey)
          try attribute.appendConstructedNode(identifier: .set) {
            try $0.serialize(ASN1ObjectIdentifier.NamedCurves.secp256r1)
          }
        }
        try list.serialize(CertificateAuthority.ecdsaWithSHA256)
      }
      return der.serializedBytes
    }
  }
}

extension EnrolmentServer.Answer {
  static func text(_ status: Int, _ text: String, _ headers: (String, String)...) -> Self {
    self.text(status, text, headers)
  }

  static func text(_ status: Int, _ text: String, _ headers: [(String, String)]) -> Self {
    Self(
      status: status,
      headers: [("Content-Type", "text/plain; charset=utf-8")] + headers.map { (name: $0.0, value: $0.1) },
      body: Array(text.utf8))
  }

  /// Lines of 76 letters (RFC 2045 section 6.8, which RFC 7030 asks for).
  static func base64(_ bytes: [UInt8], type: String) -> Self {
    let text = Data(bytes).base64EncodedString(options: [
      .lineLength76Characters, .endLineWithCarriageReturn, .endLineWithLineFeed,
    ])
    return Self(
      status: 200, headers: [("Content-Type", type), ("Content-Transfer-Encoding", "base64")],
      body: Array((text + "\r\n").utf8))
  }

  static func certificate(_ certificate: Certificate) throws(DeviceError) -> Self {
    .base64(try CertificateBag.bytes([certificate]), type: "application/pkcs7-mime; smime-type=certs-only")
  }
}
