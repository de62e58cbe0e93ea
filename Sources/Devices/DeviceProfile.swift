import Foundation
import SwiftASN1
import X509

/// Who a device is: what its certificates say.
public struct DeviceProfile: Sendable, Hashable, Codable {
  /// A URN (RFC 8141).
  public let id: String
  /// The tenant whose data it may touch; `nil` for the default one.
  public let tenant: String?
  /// The agency that answers for it.
  public let agency: String?

  /// - Throws: ``DeviceError/malformed(_:)`` when a name cannot stand in a certificate or in a broker's topics.
  public init(id: String, tenant: String? = nil, agency: String? = nil) throws(DeviceError) {
    self.id = id
    self.tenant = tenant
    self.agency = agency
    // Rarer characters of URNs have a meaning in topics, or would have to be escaped in one of the places.
    let rest = id.utf8.dropFirst(4)
    guard id.hasPrefix("urn:"), rest.contains(UInt8(ascii: ":")), rest.first != UInt8(ascii: ":"),
      rest.last != UInt8(ascii: ":"), id.utf8.allSatisfy(Self.isPlain)
    else {
      throw .malformed("a device's id is a URN of letters, digits and - . _ :, such as urn:ngsi-ld:Device:noise-17")
    }
    if let tenant {
      guard !tenant.isEmpty, tenant != Self.defaultTenant, tenant.utf8.allSatisfy(Self.isPlain) else {
        throw .malformed("the tenant of a device has letters, digits and - . _ : only")
      }
    }
    if let agency {
      guard (1...64).contains(agency.count),
        agency.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
      else { throw .malformed("an agency's name has 1 to 64 characters") }
    }
    guard name.utf8.count <= 64 else {
      throw .malformed(
        "tenant and id have 63 characters at most together: they are a common name (RFC 5280 appendix A)")
    }
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"):
      true
    default: false
    }
  }

  private static let defaultTenant = "-"

  /// Tenant and id, which no other device has: the common name of its certificates, the user name at brokers and at
  /// enrolment. `-/` stands for the default tenant.
  public var name: String { "\(tenant ?? Self.defaultTenant)/\(id)" }

  /// The profile of a ``name``.
  static func parts(ofName name: String) -> (tenant: String?, id: String)? {
    guard let slash = name.firstIndex(of: "/") else { return nil }
    let tenant = String(name[..<slash])
    return (tenant == defaultTenant ? nil : tenant, String(name[name.index(after: slash)...]))
  }
}

/// Who stands at the other end of a connection, as a certificate of the city's authority says.
public struct PeerIdentity: Sendable, Hashable {
  public let device: DeviceProfile
  /// Of the certificate, as hexadecimal digits.
  public let serial: String
  /// Seconds since 1970 at which the certificate ends.
  public let notAfter: Double

  public var id: String { device.id }
  public var tenant: String? { device.tenant }
  public var agency: String? { device.agency }

  public init(device: DeviceProfile, serial: String, notAfter: Double) {
    self.device = device
    self.serial = serial
    self.notAfter = notAfter
  }
}

extension PeerIdentity {
  /// Reads the identity out of a device's certificate, whose signature was checked before.
  ///
  /// - Throws: ``DeviceError/forbidden(_:)`` for a certificate that is none of a device: the city's own, a server's.
  init(_ certificate: Certificate) throws(DeviceError) {
    let usages = (try? certificate.extensions.extendedKeyUsage).flatMap { $0 }
    guard let usages, usages.contains(.clientAuth) else {
      throw .forbidden("the certificate is not for clients")
    }
    let names = (try? certificate.extensions.subjectAlternativeNames).flatMap { $0 }.map(Array.init) ?? []
    guard names.count == 1, case .uniformResourceIdentifier(let id)? = names.first else {
      throw .forbidden("the certificate names no device")
    }
    do {
      device = try DeviceProfile(
        id: id, tenant: certificate.subject[.RDNAttributeType.organizationName],
        agency: certificate.subject[.RDNAttributeType.organizationalUnitName])
    } catch { throw .forbidden("the certificate names no device: \(error)") }
    guard certificate.subject[.RDNAttributeType.commonName] == device.name else {
      throw .forbidden("the certificate's names do not agree")
    }
    serial = certificate.serialNumber.hexadecimal
    notAfter = certificate.notValidAfter.timeIntervalSince1970
  }
}

extension DistinguishedName {
  /// The only attribute of a type as text; `nil` when there is none, or more than one.
  subscript(type: ASN1ObjectIdentifier) -> String? {
    let found = flatMap { $0 }.filter { $0.type == type }
    return found.count == 1 ? found.first.flatMap { String($0.value) } : nil
  }
}

extension Certificate.SerialNumber {
  /// Two digits for each byte.
  var hexadecimal: String { Hexadecimal.text(bytes) }
}

enum Hexadecimal {
  static func text(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }

  static func bytes(_ text: String) -> [UInt8]? {
    let digits = text.compactMap(\.hexDigitValue)
    guard digits.count == text.count, digits.count.isMultiple(of: 2) else { return nil }
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }
}
