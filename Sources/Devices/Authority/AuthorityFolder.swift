import Crypto
import Foundation
import SwiftASN1
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
    try DurableFile.makeFolder(path)
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
      try DurableFile.write(text, to: chain, mode: 0o644)
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
    try DurableFile.write(Array(text.utf8), to: revocations, mode: 0o644)
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
    try DurableFile.write(Array(text.utf8), to: city, mode: 0o600)
  }

  private func holder(
    _ name: String, orMake make: () throws(DeviceError) -> CertificateAuthority.Holder
  ) throws(DeviceError) -> CertificateAuthority.Holder {
    let file = "\(path)/\(name)"
    guard FileManager.default.fileExists(atPath: file) else {
      let made = try make()
      try DurableFile.write(
        Array((made.key.pemRepresentation + "\n" + made.certificate.pem).utf8), to: file, mode: 0o600)
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

/// Files that are there whole or not at all, power cut or no, for programs that set up others.
public enum DeviceFile {
  public static func makeFolder(_ path: String) throws(DeviceError) { try DurableFile.makeFolder(path) }

  /// - Parameter isSecret: whether only the owner may read it.
  public static func write(_ text: String, to path: String, isSecret: Bool = false) throws(DeviceError) {
    try DurableFile.write(Array(text.utf8), to: path, mode: isSecret ? 0o600 : 0o644)
  }
}

enum DurableFile {
  static func makeFolder(_ path: String) throws(DeviceError) {
    do {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch { throw .failed("\(path) cannot be made: \(error.localizedDescription)") }
  }

  static func write(_ bytes: [UInt8], to path: String, mode: mode_t) throws(DeviceError) {
    let new = path + ".new"
    unlink(new)
    let descriptor = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
    guard descriptor >= 0 else { throw failure(new) }
    var rest = bytes[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
      guard written > 0 else {
        let error = failure(new)
        close(descriptor)
        throw error
      }
      rest = rest.dropFirst(written)
    }
    let isSynced = fsync(descriptor) == 0
    close(descriptor)
    guard isSynced, rename(new, path) == 0 else { throw failure(path) }
    let folder = open((path as NSString).deletingLastPathComponent, O_RDONLY | O_CLOEXEC)
    guard folder >= 0 else { throw failure(path) }
    defer { close(folder) }
    guard fsync(folder) == 0 else { throw failure(path) }
  }

  private static func failure(_ path: String) -> DeviceError { .failed("\(path): \(String(cString: strerror(errno)))") }
}
