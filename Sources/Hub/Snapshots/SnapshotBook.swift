import NGSI
import Store
import Synchronization

/// All snapshots in memory, and who has which space.
///
/// The store holds the truth; the book follows it on the writer's thread after each commit.
final class SnapshotBook: Sendable {
  struct Key: Hashable {
    var tenant: Tenant
    var id: String
  }

  private enum Occupant {
    case snapshot(String)
    /// One that is being made.
    case reserved
    case leftovers
    case nobody(since: DateTime)
  }

  private struct State {
    var snapshots: [Key: Snapshot] = [:]
    var spaces: [Tenant: Occupant] = [:]
    var touched: Set<Key> = []
  }

  private let state = Mutex(State())

  /// Seconds that an emptied space stays empty: a request that still means the snapshot before must have ended.
  static let rest = 60.0

  func put(_ snapshot: Snapshot) {
    state.withLock { state in
      state.snapshots[Key(tenant: snapshot.tenant, id: snapshot.id)] = snapshot
      state.spaces[snapshot.space] = .snapshot(snapshot.id)
    }
  }

  /// Ends a snapshot; what is in its space is to be taken away.
  func remove(_ snapshot: Snapshot) {
    state.withLock { state in
      guard state.snapshots.removeValue(forKey: Key(tenant: snapshot.tenant, id: snapshot.id)) != nil else { return }
      state.spaces[snapshot.space] = .leftovers
    }
  }

  func snapshot(_ id: String, in tenant: Tenant) -> Snapshot? {
    state.withLock { $0.snapshots[Key(tenant: tenant, id: id)] }
  }

  /// The snapshot that a space belongs to; `nil` for one that belongs to none (any more).
  func snapshot(of space: Tenant) -> Snapshot? {
    state.withLock { state in
      guard case .snapshot(let id)? = state.spaces[space] else { return nil }
      return state.snapshots[Key(tenant: space.owner, id: id)]
    }
  }

  func all() -> [Snapshot] { state.withLock { Array($0.snapshots.values) } }

  func all(in tenant: Tenant) -> [Snapshot] { all().filter { $0.tenant == tenant } }

  /// Changes a snapshot in memory.
  func change(_ snapshot: Snapshot, _ body: (inout Snapshot) -> Void) {
    state.withLock { state in
      let key = Key(tenant: snapshot.tenant, id: snapshot.id)
      guard var known = state.snapshots[key], known.space == snapshot.space else { return }
      body(&known)
      state.snapshots[key] = known
    }
  }

  /// Notes that it was used; that is made durable later.
  func touch(_ snapshot: Snapshot, at time: DateTime) {
    change(snapshot) { $0.lastUsedAt = time }
    state.withLock { _ = $0.touched.insert(Key(tenant: snapshot.tenant, id: snapshot.id)) }
  }

  func takeTouched() -> [Snapshot] {
    state.withLock { state in
      defer { state.touched = [] }
      return state.touched.compactMap { state.snapshots[$0] }
    }
  }

  // MARK: Spaces

  /// The first space of the tenant that is empty, kept for who asked.
  func reserveSpace(of tenant: Tenant, at time: DateTime) -> Tenant {
    state.withLock { state in
      var number = 1
      while true {
        let space = tenant.space(number)
        switch state.spaces[space] {
        case nil: break
        case .nobody(let since)? where since.adding(seconds: Self.rest) <= time: break
        default:
          number += 1
          continue
        }
        state.spaces[space] = .reserved
        return space
      }
    }
  }

  /// Gives back a space that was reserved and never written to.
  func release(_ space: Tenant) { state.withLock { $0.spaces[space] = nil } }

  /// Notes a space that the store has, and that may hold what a snapshot left.
  func putLeftovers(_ space: Tenant) {
    state.withLock { if $0.spaces[space] == nil { $0.spaces[space] = .leftovers } }
  }

  var leftovers: [Tenant] {
    state.withLock { state in
      state.spaces.compactMap { space, occupant in if case .leftovers = occupant { space } else { nil } }
    }
  }

  func isEmptied(_ space: Tenant, at time: DateTime) { state.withLock { $0.spaces[space] = .nobody(since: time) } }
}
