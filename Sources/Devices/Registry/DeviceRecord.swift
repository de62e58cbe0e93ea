/// What the registry knows of a device.
public struct DeviceRecord: Sendable, Codable, Equatable {
  public enum State: String, Sendable, Codable {
    /// Known, and nothing was issued to it yet.
    case expected
    case enrolled
    /// Shut out until a person lets it in again.
    case revoked
  }

  /// A certificate that was issued and has not run out.
  public struct Issued: Sendable, Codable, Equatable {
    /// Hexadecimal digits.
    public let serial: String
    /// Seconds since 1970.
    public let notAfter: Double
  }

  /// What the device may use once to get its first certificate.
  struct Secret: Sendable, Codable, Equatable {
    /// SHA-256 of the secret, hexadecimal.
    let hash: String
    /// Seconds since 1970.
    let until: Double
  }

  public let profile: DeviceProfile
  public internal(set) var state: State
  var secret: Secret?
  public internal(set) var certificates: [Issued]
  /// Why the device is shut out.
  public internal(set) var reason: RevocationReason?

  init(profile: DeviceProfile) {
    self.profile = profile
    state = .expected
    certificates = []
  }
}
