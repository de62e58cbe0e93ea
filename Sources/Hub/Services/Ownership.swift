import NGSI
import Synchronization

/// Which service alone writes the entities of a type.
final class Ownership: Sendable {
  private let owners = Mutex<[String: Owner]>([:])

  struct Owner: Sendable, Hashable {
    var service: String
    /// Where clients turn to instead.
    var door: String
  }

  var isEmpty: Bool { owners.withLock { $0.isEmpty } }

  func give(_ types: [String], to owner: Owner) {
    owners.withLock { owners in for type in types { owners[type] = owner } }
  }

  /// The owner of one of the types that is not the service.
  func other(than service: String?, of types: [String]) -> (type: String, owner: Owner)? {
    owners.withLock { owners in
      guard !owners.isEmpty else { return nil }
      for type in types { if let owner = owners[type], owner.service != service { return (type, owner) } }
      return nil
    }
  }
}

extension Hub {
  /// From now on only the service writes entities of these types; everybody may read them as the rules say.
  ///
  /// - Parameters:
  ///   - types: expanded.
  ///   - door: the path where others ask the service, such as `/safety/incidents`.
  public func reserve(_ types: [String], for service: String, door: String) {
    ownership.give(types, to: Ownership.Owner(service: service, door: door))
  }

  /// - Throws: `Forbidden` for types that another service owns.
  func requireOwner(of types: [String], _ writing: Writing) throws(Problem) {
    guard let (type, owner) = ownership.other(than: writing.service, of: types) else { return }
    throw Problem(
      .forbidden,
      "entities of type \(type) are written by the service '\(owner.service)' alone: ask it at \(owner.door)")
  }
}
