import Crypto
import Foundation
import SwiftASN1
import X509

/// What a device asks a certificate for (PKCS #10, RFC 2986), checked.
struct SigningRequest: Sendable {
  let key: P256.Signing.PublicKey
  private let request: CertificateSigningRequest

  static let maxBytes = 16 << 10

  /// Reads a request: DER, DER in Base64 (RFC 7030 section 4.2.1), or PEM.
  ///
  /// - Throws: ``DeviceError/malformed(_:)`` for what cannot be read, for another kind of key than P-256, and when the
  ///   signature does not prove that the key is the sender's.
  init(_ body: [UInt8]) throws(DeviceError) {
    guard !body.isEmpty, body.count <= Self.maxBytes else {
      throw .malformed("a signing request has 1 to \(Self.maxBytes) bytes")
    }
    do {
      request = try CertificateSigningRequest(derEncoded: Self.der(body))
    } catch { throw .malformed("this is no PKCS #10 signing request in Base64: \(error)") }
    guard let key = P256.Signing.PublicKey(request.publicKey) else {
      throw .malformed("the key must be of the curve P-256 (prime256v1)")
    }
    self.key = key
    guard request.publicKey.isValidSignature(request.signature, for: request) else {
      throw .malformed("the request's signature is not by the key in it")
    }
    guard request.signatureAlgorithm == .ecdsaWithSHA256 else {
      throw .malformed("the request must be signed with ecdsa-with-SHA256")
    }
  }

  private static func der(_ body: [UInt8]) throws -> [UInt8] {
    if body.first == 0x30 { return body }
    let text = String(decoding: body, as: UTF8.self)
    if text.contains("-----BEGIN") { return try PEMDocument(pemString: text).derBytes }
    guard let data = Data(base64Encoded: text, options: .ignoreUnknownCharacters) else {
      throw DeviceError.malformed("it is no Base64")
    }
    return Array(data)
  }

  /// Refuses names that are not the device's. A request may name nothing: the city knows who asks.
  ///
  /// - Throws: ``DeviceError/forbidden(_:)``
  func checkNames(are device: DeviceProfile) throws(DeviceError) {
    for attribute in request.subject.flatMap({ $0 }) {
      let expected: [String?]
      switch attribute.type {
      case .RDNAttributeType.commonName: expected = [device.name, device.id]
      case .RDNAttributeType.organizationName: expected = [device.tenant]
      case .RDNAttributeType.organizationalUnitName: expected = [device.agency]
      default: throw .forbidden("the subject may have CN, O and OU only, found \(attribute.type)")
      }
      guard let value = String(attribute.value), expected.contains(value) else {
        throw .forbidden("the subject '\(request.subject)' is not that of \(device.name)")
      }
    }
    let asked: Certificate.Extensions
    let names: [GeneralName]
    do {
      asked = try request.attributes.extensionRequest?.extensions ?? Certificate.Extensions()
      names = try asked.subjectAlternativeNames.map(Array.init) ?? []
    } catch { throw .malformed("the extensions that are asked for cannot be read: \(error)") }
    for name in names where name != .uniformResourceIdentifier(device.id) {
      throw .forbidden("the alternative name \(name) is not that of \(device.name)")
    }
    if let usages = (try? asked.extendedKeyUsage).flatMap({ $0 }), usages.contains(where: { $0 != .clientAuth }) {
      throw .forbidden("devices get certificates for clients only")
    }
    if let constraints = (try? asked.basicConstraints).flatMap({ $0 }), constraints != .notCertificateAuthority {
      throw .forbidden("devices are no certificate authorities")
    }
  }
}
