/// Where the data of a snapshot is kept: beside its tenant's, and as separate from it as another tenant's.
///
/// A space is numbered, not named after its snapshot: it is used again when the snapshot is gone, so that names which the
/// store keeps for good do not pile up.
extension Tenant {
  /// No tenant that a client can name has this in its name.
  private static let mark: Character = "\u{1F}"

  /// A space for a snapshot of this tenant, numbered from 1.
  public func space(_ number: Int) -> Tenant { Tenant(name + String(Self.mark) + String(number)) }

  /// Whether this is the space of a snapshot.
  public var isSpace: Bool { name.utf8.contains(0x1F) }

  /// The tenant that a space belongs to; itself, where it is none.
  public var owner: Tenant {
    guard let end = name.firstIndex(of: Self.mark) else { return self }
    return Tenant(String(name[..<end]))
  }

  /// The number of a space; `nil` where it is none.
  public var spaceNumber: Int? {
    name.firstIndex(of: Self.mark).flatMap { Int(name[name.index(after: $0)...]) }
  }
}
