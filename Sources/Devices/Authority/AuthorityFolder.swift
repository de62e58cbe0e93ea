import Crypto
import Foundation
import SwiftASN1
import WholeFile
import X509

/// The folder where the authority's keys are, `devices` of a city's data.
///
/// Each of `root.pem` and `issuing.pem` holds a key and its certificate, for the owner to read only, so that neither is
/// ever there without the other. The root is on the disk before it signs the issuing authority: a power cut between the two leaves a
/// root, under which the issuing authority is made the next time. `chain.pem` is what others are to trust.
public struct AuthorityFolder: Sendable {
  public let path: String

  public init(path: String) { self.path = path }

  public var chain: String { path + "/chain.pem" }
  /// The list of revocations, as PEM.
  public var revocations: String { path + "/revoked.pem" }

  /// Reads the authority; makes what is missing.
  ///
  /// - Throws: ``DeviceError/failed(_:)`` for files that are damaged: an authority never begins anew over another.
  public func authority(settings: AuthoritySettings, at now: Date) throws(DeviceError) -> CertificateAuthority {
    let root = try holder("root.pem") { () throws(DeviceError) in try CertificateAuthority.makeRoot(settings, at: now) }
    let issuing = try holder("issuing.pem") { () throws(DeviceError) in
      try CertificateAuthority.makeIssuing(settings, under: root, at: now)
    }
    guard root.certificate.publicKey.isValidSignature(issuing.certificate.signature, for: issuing.certificate) else {
      throw .failed("\(path)/issuing.pem is not signed by \(path)/root.pem")
    }
    let authority = CertificateAuthority(root: root, issuing: issuing, settings: settings)
    let text = Array(authority.chainPEM.utf8)
    if FileManager.default.contents(atPath: chain).map(Array.init) != text {
      try keep(text, at: chain, mode: 0o644)
    }
    return authority
  }

  /// User name of the city itself at brokers: no device has it, since those have a slash in theirs.
  public static let cityName = "city"

  /// The city's own certificate with its key, to be shown to brokers.
  public var city: String { path + "/city.pem" }

  /// Writes a list of revocations where it says something new.
  public func write(list: [UInt8]) throws(DeviceError) {
    let text = PEMDocument(type: "X509 CRL", derBytes: list).pemString + "\n"
    guard FileManager.default.contents(atPath: revocations) != Data(text.utf8) else { return }
    try keep(Array(text.utf8), at: revocations, mode: 0o644)
  }

  /// Makes the city's own certificate where there is none, or half of its time is over.
  public func renewCity(_ authority: CertificateAuthority, at now: Date) throws(DeviceError) {
    let half = Double(authority.settings.serverDays) * CertificateAuthority.day / 2
    if let data = FileManager.default.contents(atPath: city),
      let parts = try? PEMDocument.parseMultiple(pemString: String(decoding: data, as: UTF8.self)), parts.count > 1,
      let present = try? Certificate(pemDocument: parts[1]), present.issuer == authority.issuing.certificate.subject,
      authority.issuing.certificate.publicKey.isValidSignature(present.signature, for: present),
      now.timeIntervalSince(present.notValidBefore) < half
    {
      return
    }
    let key = P256.Signing.PrivateKey()
    let certificate = try authority.issue(toServer: [Self.cityName], key: key.publicKey, isClient: true, at: now)
    let text = key.pemRepresentation + "\n" + certificate.pem + authority.issuing.certificate.pem
    try keep(Array(text.utf8), at: city, mode: 0o600)
  }

  private func holder(
    _ name: String, orMake make: () throws(DeviceError) -> CertificateAuthority.Holder
  ) throws(DeviceError) -> CertificateAuthority.Holder {
    let file = "\(path)/\(name)"
    guard FileManager.default.fileExists(atPath: file) else {
      let made = try make()
      try keep(
        Array((made.key.pemRepresentation + "\n" + made.certificate.pem).utf8), at: file, mode: 0o600)
      return made
    }
    let mode = (try? FileManager.default.attributesOfItem(atPath: file))?[.posixPermissions] as? Int
    guard let mode, mode & 0o077 == 0 else {
      throw .failed("\(file) may be read by others than its owner; make it 0600 after you know who read it")
    }
    do {
      let text = String(decoding: FileManager.default.contents(atPath: file) ?? Data(), as: UTF8.self)
      let documents = try PEMDocument.parseMultiple(pemString: text)
      guard documents.count == 2, let keyDocument = documents.first, let other = documents.last else {
        throw DeviceError.failed("there are \(documents.count) PEM parts")
      }
      let key = try P256.Signing.PrivateKey(pemRepresentation: keyDocument.pemString)
      let certificate = try Certificate(pemDocument: other)
      guard P256.Signing.PublicKey(certificate.publicKey)?.rawRepresentation == key.publicKey.rawRepresentation else {
        throw DeviceError.failed("key and certificate do not belong together")
      }
      return CertificateAuthority.Holder(key: key, certificate: certificate)
    } catch {
      throw .failed("\(file) is damaged, restore it from a backup: \(error)")
    }
  }
}

extension AuthorityFolder {
  private func keep(_ bytes: [UInt8], at path: String, mode: mode_t) throws(DeviceError) {
    do throws(WholeFile.Failure) {
      try WholeFile.makeFolder(self.path, mode: 0o700)
      try WholeFile.write(bytes, to: path, mode: mode)
    } catch { throw .failed(error.description) }
  }
}
