import Devices
import NIOCore
import NIOSSL
import Synchronization

/// TLS before the API: what the server shows, and whom it believes.
///
/// A client may come without a certificate. One that comes with a certificate which no known authority signed, or which
/// has run out, gets no connection; one whose certificate was revoked is told so with its first request (403).
public final class TLSFront: Sendable {
  private let context: Mutex<NIOSSLContext>
  private let identify: @Sendable ([UInt8]) throws(DeviceError) -> PeerIdentity
  private let check: @Sendable (PeerIdentity) throws(DeviceError) -> Void

  /// - Parameters:
  ///   - identify: who a certificate, as DER, belongs to; its signature was checked.
  ///   - check: whether a peer may still ask; called before each request.
  public init(
    _ settings: TLSSettings, identify: @escaping @Sendable ([UInt8]) throws(DeviceError) -> PeerIdentity,
    check: @escaping @Sendable (PeerIdentity) throws(DeviceError) -> Void
  ) throws {
    context = Mutex(try settings.context())
    self.identify = identify
    self.check = check
  }

  /// New connections are shown another certificate.
  public func use(_ settings: TLSSettings) throws {
    let made = try settings.context()
    context.withLock { $0 = made }
  }

  func handler() -> NIOSSLServerHandler { NIOSSLServerHandler(context: context.withLock { $0 }) }

  /// Who is at the other end of a connection; `nil` for a client without a certificate.
  func peer(of channel: any Channel) throws(DeviceError) -> PeerIdentity? {
    // Without the handler there was no handshake, and nobody was proved to be anybody.
    guard let handler = try? channel.pipeline.syncOperations.handler(type: NIOSSLServerHandler.self),
      let certificate = handler.peerCertificate
    else { return nil }
    guard let bytes = try? certificate.toDERBytes() else { throw .forbidden("the certificate cannot be read") }
    return try identify(bytes)
  }

  func recheck(_ peer: PeerIdentity) throws(DeviceError) { try check(peer) }
}

/// A server's certificate and the authorities whose clients it lets in.
public struct TLSSettings: Sendable {
  /// PEM, the server's own first.
  public var certificates: [UInt8]
  /// PEM.
  public var key: [UInt8]
  /// PEM.
  public var authorities: [UInt8]

  public init(certificates: [UInt8], key: [UInt8], authorities: [UInt8]) {
    self.certificates = certificates
    self.key = key
    self.authorities = authorities
  }

  /// TLS 1.3, and 1.2 with the one suite that devices are made for (RFC 9325 section 4.2): forward secrecy and
  /// authenticated encryption. The client's order decides among several, and so there is nothing to decide.
  func context() throws -> NIOSSLContext {
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: try NIOSSLCertificate.fromPEMBytes(certificates).map { .certificate($0) },
      privateKey: .privateKey(try NIOSSLPrivateKey(bytes: key, format: .pem)))
    configuration.minimumTLSVersion = .tlsv12
    configuration.cipherSuiteValues = [
      .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ]
    configuration.applicationProtocols = ["http/1.1"]
    configuration.certificateVerification = .optionalVerification
    configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(authorities))
    configuration.sendCANameList = true
    configuration.renegotiationSupport = .none
    return try NIOSSLContext(configuration: configuration)
  }
}
