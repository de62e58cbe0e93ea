/// Who did something: a person, a program or the city itself, as it stood at that time.
public struct Party: Sendable, Hashable {
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    case person = "Person"
    case client = "Client"
    case device = "Device"
    case adapter = "Adapter"
    case city = "City"
    /// Someone without an account, such as who calls for help.
    case nobody = "Nobody"
  }

  public var kind: Kind
  /// Account, client or device; unique within its kind.
  public var id: String
  /// The agency it acts for, such as `police`.
  public var agency: String?
  public var roles: [String]

  public init(_ kind: Kind, id: String, agency: String? = nil, roles: [String] = []) {
    self.kind = kind
    self.id = id
    self.agency = agency
    self.roles = roles
  }

  /// Whether it is the same party, whatever its roles were each time.
  public func isSame(as other: Party) -> Bool { kind == other.kind && id == other.id }

  public static let city = Party(.city, id: "")
}
