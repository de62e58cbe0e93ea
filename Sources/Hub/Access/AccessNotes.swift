import NGSI
import Store
import Synchronization

/// What a request was shown under rules that want it recorded. It is recorded before the answer leaves; where nobody has
/// bound one, such entities are not shown.
public final class AccessNotes: Sendable {
  @TaskLocal public static var current: AccessNotes?

  /// Entities that one answer may show under such rules.
  public static let bound = 10_000

  private let shown = Mutex<[String: Disclosure]>([:])

  public init() {}

  public var isEmpty: Bool { shown.withLock { $0.isEmpty } }

  /// Notes an entity; false when no more can be.
  public func note(_ disclosure: Disclosure) -> Bool {
    shown.withLock { shown in
      guard shown.count < Self.bound || shown[disclosure.entityId] != nil else { return false }
      shown[disclosure.entityId] = disclosure
      return true
    }
  }

  func take() -> [Disclosure] {
    shown.withLock { shown in
      defer { shown = [:] }
      return shown.values.sorted { $0.entityId < $1.entityId }
    }
  }
}
