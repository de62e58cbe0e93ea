import Crypto
import Foundation
import SwiftASN1
import X509

/// Why a certificate is worth nothing any more (RFC 5280 section 5.3.1).
public enum RevocationReason: String, Sendable, CaseIterable, Codable {
  case unspecified
  case keyCompromise
  case affiliationChanged
  case superseded
  case cessationOfOperation
  case privilegeWithdrawn

  var code: UInt8 {
    switch self {
    case .unspecified: 0
    case .keyCompromise: 1
    case .affiliationChanged: 3
    case .superseded: 4
    case .cessationOfOperation: 5
    case .privilegeWithdrawn: 9
    }
  }
}

/// A certificate that was revoked.
public struct Revocation: Sendable, Hashable, Codable {
  /// Hexadecimal digits.
  public let serial: String
  /// Seconds since 1970.
  public let time: Double
  public let reason: RevocationReason
  /// Seconds since 1970 at which the certificate would have ended by itself.
  public let notAfter: Double
}

extension CertificateAuthority {
  /// A list of revocations (RFC 5280 section 5), signed by the issuing authority, as DER.
  ///
  /// - Parameter number: larger than that of every earlier list (section 5.2.3).
  public func revocationList(_ revocations: [Revocation], number: Int, at now: Date) throws(DeviceError) -> [UInt8] {
    try Self.made {
      var body = DER.Serializer()
      try body.appendConstructedNode(identifier: .sequence) { list in
        try list.serialize(1)  // version 2
        try Self.algorithm(&list)
        try list.serialize(issuing.certificate.subject)
        try Self.time(now, &list)
        try Self.time(now.addingTimeInterval(Double(settings.listDays) * Self.day), &list)
        if !revocations.isEmpty {
          try list.appendConstructedNode(identifier: .sequence) { entries in
            for revocation in revocations.sorted(by: { $0.serial < $1.serial }) { try Self.entry(revocation, &entries) }
          }
        }
        try list.serialize(explicitlyTaggedWithTagNumber: 0, tagClass: .contextSpecific) { tagged in
          try tagged.appendConstructedNode(identifier: .sequence) { extensions in
            let key = SubjectKeyIdentifier(hash: .init(issuing.key.publicKey)).keyIdentifier
            try extensions.serialize(
              Certificate.Extension(AuthorityKeyIdentifier(keyIdentifier: key), critical: false))
            var value = DER.Serializer()
            try value.serialize(number)
            try extensions.serialize(
              Certificate.Extension(oid: [2, 5, 29, 20], critical: false, value: value.serializedBytes[...]))
          }
        }
      }
      let signature = try issuing.key.signature(for: body.serializedBytes)
      var whole = DER.Serializer()
      try whole.appendConstructedNode(identifier: .sequence) { list in
        list.serializeRawBytes(body.serializedBytes)
        try Self.algorithm(&list)
        try list.serialize(ASN1BitString(bytes: Array(signature.derRepresentation)[...]))
      }
      return whole.serializedBytes
    }
  }

  private static func entry(_ revocation: Revocation, _ entries: inout DER.Serializer) throws {
    guard let serial = Hexadecimal.bytes(revocation.serial) else {
      throw DeviceError.failed("\(revocation.serial) is no serial number")
    }
    try entries.appendConstructedNode(identifier: .sequence) { entry in
      entry.appendPrimitiveNode(identifier: .integer) { $0.append(contentsOf: serial) }
      try time(Date(timeIntervalSince1970: revocation.time), &entry)
      // Section 5.3.1: `unspecified` is left out.
      guard revocation.reason != .unspecified else { return }
      try entry.appendConstructedNode(identifier: .sequence) { extensions in
        var value = DER.Serializer()
        value.appendPrimitiveNode(identifier: .enumerated) { $0.append(revocation.reason.code) }
        try extensions.serialize(
          Certificate.Extension(oid: [2, 5, 29, 21], critical: false, value: value.serializedBytes[...]))
      }
    }
  }

  /// RFC 5758 section 3.2.
  static let ecdsaWithSHA256: ASN1ObjectIdentifier = [1, 2, 840, 10045, 4, 3, 2]

  private static func algorithm(_ der: inout DER.Serializer) throws {
    try der.appendConstructedNode(identifier: .sequence) {
      try $0.serialize(ecdsaWithSHA256)
    }
  }

  /// UTCTime until 2049, then GeneralizedTime (section 5.1.2.4).
  private static func time(_ date: Date, _ der: inout DER.Serializer) throws {
    var seconds = time_t(date.timeIntervalSince1970)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    let (year, month, day) = (Int(parts.tm_year) + 1900, Int(parts.tm_mon) + 1, Int(parts.tm_mday))
    let (hours, minutes, second) = (Int(parts.tm_hour), Int(parts.tm_min), Int(parts.tm_sec))
    if year < 2050 {
      try der.serialize(
        try UTCTime(year: year, month: month, day: day, hours: hours, minutes: minutes, seconds: second))
    } else {
      try der.serialize(
        try GeneralizedTime(
          year: year, month: month, day: day, hours: hours, minutes: minutes, seconds: second, fractionalSeconds: 0))
    }
  }
}
