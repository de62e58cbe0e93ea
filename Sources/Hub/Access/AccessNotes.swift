import NGSI
import Store
import Synchronization

/// What a request was shown under rules that want it recorded. It is recorded before the answer leaves; where nobody has
/// bound one, such entities are not shown.
public final class AccessNotes: Sendable {
  @TaskLocal public static var current: AccessNotes?

  /// Entities that one answer may show under such rules.
  public static let bound = 10_000

  private struct Subject: Hashable {
    var tenant: Tenant
    var entityId: String?
  }

  private let shown = Mutex<[Subject: Disclosure]>([:])
  private let acts = Mutex<[Disclosure]>([])

  public init() {}

  public var isEmpty: Bool { shown.withLock { $0.isEmpty } && acts.withLock { $0.isEmpty } }

  /// Notes an entity; false when no more can be.
  public func note(_ disclosure: Disclosure) -> Bool {
    shown.withLock { shown in
      let subject = Subject(tenant: disclosure.tenant, entityId: disclosure.entityId)
      guard shown.count < Self.bound || shown[subject] != nil else { return false }
      shown[subject] = disclosure
      return true
    }
  }

  /// Notes an act that is about no entity: it is recorded with the first write that it makes, or with what it was shown.
  func note(act: Disclosure) -> Bool {
    acts.withLock { acts in
      guard acts.count < Self.bound else { return false }
      if !acts.contains(act) { acts.append(act) }
      return true
    }
  }

  func takeActs() -> [Disclosure] {
    acts.withLock { acts in
      defer { acts = [] }
      return acts
    }
  }

  /// Notes again what was taken, and could not be recorded.
  func putBack(acts taken: [Disclosure]) { acts.withLock { $0 = taken + $0 } }

  func take() -> [Disclosure] {
    shown.withLock { shown in
      defer { shown = [:] }
      return shown.values.sorted { ($0.tenant.name, $0.entityId ?? "") < ($1.tenant.name, $1.entityId ?? "") }
    }
  }
}
