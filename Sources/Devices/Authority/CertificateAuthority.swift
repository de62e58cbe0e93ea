import Crypto
import Foundation
import SwiftASN1
import X509

/// How long things last, and what the authority is called.
public struct AuthoritySettings: Sendable {
  /// Part of the names of the two authorities.
  public var city = "Madang"
  /// Days that a device's certificate lasts.
  public var deviceDays = 7
  /// Days that a server's certificate lasts.
  public var serverDays = 180
  /// Days after which a list of revocations is out of date.
  public var listDays = 7
  /// Where the list is to be had over HTTP (RFC 5280 section 4.2.1.13); `nil` leaves it out of certificates.
  public var listAddress: String?

  public init() {}
}

/// The city's certificate authority: a root that signs the issuing authority, which signs everything else.
///
/// All keys are P-256 (FIPS 186-5), all signatures ECDSA with SHA-256, profiles as RFC 5280 has them.
public struct CertificateAuthority: Sendable {
  /// A key and its certificate.
  struct Holder: Sendable {
    let key: P256.Signing.PrivateKey
    let certificate: Certificate
  }

  let root: Holder
  let issuing: Holder
  public let settings: AuthoritySettings

  static let day = 86_400.0
  /// Clocks of devices run behind.
  static let tolerance = 300.0
  private static let rootDays = 20 * 365.0
  private static let issuingDays = 10 * 365.0

  init(root: Holder, issuing: Holder, settings: AuthoritySettings) {
    self.root = root
    self.issuing = issuing
    self.settings = settings
  }

  /// An authority with keys of its own that stands nowhere.
  public init(settings: AuthoritySettings, at now: Date) throws(DeviceError) {
    let root = try Self.makeRoot(settings, at: now)
    self.init(root: root, issuing: try Self.makeIssuing(settings, under: root, at: now), settings: settings)
  }

  static func makeRoot(_ settings: AuthoritySettings, at now: Date) throws(DeviceError) -> Holder {
    let key = P256.Signing.PrivateKey()
    return try made {
      let name = try DistinguishedName { CommonName("\(settings.city) root") }
      let certificate = try Certificate(
        version: .v3, serialNumber: Self.serial(), publicKey: .init(key.publicKey),
        notValidBefore: now.addingTimeInterval(-Self.tolerance),
        notValidAfter: now.addingTimeInterval(Self.rootDays * Self.day), issuer: name, subject: name,
        signatureAlgorithm: .ecdsaWithSHA256,
        extensions: try Certificate.Extensions {
          Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 1))
          Critical(KeyUsage(keyCertSign: true, cRLSign: true))
          SubjectKeyIdentifier(hash: .init(key.publicKey))
        }, issuerPrivateKey: .init(key))
      return Holder(key: key, certificate: certificate)
    }
  }

  static func makeIssuing(
    _ settings: AuthoritySettings, under root: Holder, at now: Date
  ) throws(DeviceError) -> Holder {
    let key = P256.Signing.PrivateKey()
    return try made {
      let certificate = try Certificate(
        version: .v3, serialNumber: Self.serial(), publicKey: .init(key.publicKey),
        notValidBefore: now.addingTimeInterval(-Self.tolerance),
        notValidAfter: min(now.addingTimeInterval(Self.issuingDays * Self.day), root.certificate.notValidAfter),
        issuer: root.certificate.subject, subject: try DistinguishedName { CommonName("\(settings.city) issuing") },
        signatureAlgorithm: .ecdsaWithSHA256,
        extensions: try Certificate.Extensions {
          Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
          Critical(KeyUsage(keyCertSign: true, cRLSign: true))
          SubjectKeyIdentifier(hash: .init(key.publicKey))
          AuthorityKeyIdentifier(keyIdentifier: SubjectKeyIdentifier(hash: .init(root.key.publicKey)).keyIdentifier)
        }, issuerPrivateKey: .init(root.key))
      return Holder(key: key, certificate: certificate)
    }
  }

  /// 128 random bits behind a byte that makes all of them positive and equally long (RFC 5280 section 4.1.2.2).
  private static func serial() -> Certificate.SerialNumber {
    var bytes = (0..<17).map { _ in UInt8.random(in: .min ... .max) }
    bytes[0] = 1
    return Certificate.SerialNumber(bytes: bytes)
  }

  /// The certificates of the authority, the issuing one first.
  public var chain: [Certificate] { [issuing.certificate, root.certificate] }

  /// The authority's certificates as PEM, issuing first: what to trust.
  public var chainPEM: String { chain.map(\.pem).joined() }
}

// MARK: - Issuing

extension CertificateAuthority {
  /// Issues a certificate to a device, for its own key.
  public func issue(
    to device: DeviceProfile, key: P256.Signing.PublicKey, at now: Date
  ) throws(DeviceError) -> Certificate {
    var subject: [RelativeDistinguishedName.Attribute] = []
    if let tenant = device.tenant {
      subject.append(.init(type: .RDNAttributeType.organizationName, utf8String: tenant))
    }
    if let agency = device.agency {
      subject.append(.init(type: .RDNAttributeType.organizationalUnitName, utf8String: agency))
    }
    subject.append(.init(type: .RDNAttributeType.commonName, utf8String: device.name))
    return try issue(
      subject, key, days: settings.deviceDays, names: [.uniformResourceIdentifier(device.id)], usages: [.clientAuth],
      at: now)
  }

  /// Issues a certificate to a server, a broker or the city itself.
  ///
  /// - Parameters:
  ///   - names: host names and IP addresses; the first is the common name.
  ///   - isClient: whether it also proves who calls.
  public func issue(
    toServer names: [String], key: P256.Signing.PublicKey, isClient: Bool = false, at now: Date
  ) throws(DeviceError) -> Certificate {
    guard let first = names.first else { throw .malformed("a server has a name") }
    let alternatives: [GeneralName] = names.map { name in
      IPAddress.bytes(name).map { .ipAddress(ASN1OctetString(contentBytes: $0[...])) } ?? .dnsName(name)
    }
    return try issue(
      [.init(type: .RDNAttributeType.commonName, utf8String: first)], key, days: settings.serverDays,
      names: alternatives, usages: isClient ? [.serverAuth, .clientAuth] : [.serverAuth], at: now)
  }

  private func issue(
    _ subject: [RelativeDistinguishedName.Attribute], _ key: P256.Signing.PublicKey, days: Int, names: [GeneralName],
    usages: [ExtendedKeyUsage.Usage], at now: Date
  ) throws(DeviceError) -> Certificate {
    let end = min(now.addingTimeInterval(Double(days) * Self.day), issuing.certificate.notValidAfter)
    guard now < end else { throw .failed("the issuing authority's certificate has run out") }
    return try Self.made {
      var extensions = try Certificate.Extensions {
        Critical(BasicConstraints.notCertificateAuthority)
        Critical(KeyUsage(digitalSignature: true))
        try ExtendedKeyUsage(usages)
        SubjectAlternativeNames(names)
        SubjectKeyIdentifier(hash: .init(key))
        AuthorityKeyIdentifier(keyIdentifier: SubjectKeyIdentifier(hash: .init(issuing.key.publicKey)).keyIdentifier)
      }
      if let address = settings.listAddress { try extensions.append(Self.distributionPoint(address)) }
      return try Certificate(
        version: .v3, serialNumber: Self.serial(), publicKey: .init(key),
        notValidBefore: now.addingTimeInterval(-Self.tolerance), notValidAfter: end,
        issuer: issuing.certificate.subject, subject: try DistinguishedName(subject),
        signatureAlgorithm: .ecdsaWithSHA256, extensions: extensions, issuerPrivateKey: .init(issuing.key))
    }
  }

  /// Where the list of revocations is (RFC 5280 section 4.2.1.13).
  private static func distributionPoint(_ address: String) throws -> Certificate.Extension {
    var der = DER.Serializer()
    let inner = ASN1Identifier(tagWithNumber: 0, tagClass: .contextSpecific)
    try der.appendConstructedNode(identifier: .sequence) { points in
      try points.appendConstructedNode(identifier: .sequence) { point in
        try point.appendConstructedNode(identifier: inner) { name in
          try name.appendConstructedNode(identifier: inner) { full in
            try full.serialize(GeneralName.uniformResourceIdentifier(address))
          }
        }
      }
    }
    return Certificate.Extension(oid: [2, 5, 29, 31], critical: false, value: der.serializedBytes[...])
  }

  /// The library's errors as ours: none of them comes from what others sent.
  static func made<Value>(_ body: () throws -> Value) throws(DeviceError) -> Value {
    do { return try body() } catch { throw .failed("a certificate could not be made: \(error)") }
  }
}

extension Certificate {
  public var pem: String { (try? serializeAsPEM().pemString).map { $0 + "\n" } ?? "" }

  /// DER.
  public var bytes: [UInt8] {
    var der = DER.Serializer()
    return (try? der.serialize(self)).map { der.serializedBytes } ?? []
  }
}

enum IPAddress {
  /// Four or sixteen bytes; `nil` for a text that is no address.
  static func bytes(_ text: String) -> [UInt8]? {
    var four = in_addr()
    if inet_pton(AF_INET, text, &four) == 1 { return withUnsafeBytes(of: four) { Array($0) } }
    var sixteen = in6_addr()
    return inet_pton(AF_INET6, text, &sixteen) == 1 ? withUnsafeBytes(of: sixteen) { Array($0) } : nil
  }
}
