import Synchronization

/// How often a stored @context was used, and when last (clause 5.13.3.5).
///
/// Shared by all processed contexts that the stored one is part of; noting a use takes no lock.
public final class ContextUsage: Sendable {
  private let count: Atomic<Int>
  private let last: Atomic<Int64>

  public init(hits: Int = 0, lastUsage: DateTime? = nil) {
    count = Atomic(hits)
    last = Atomic(lastUsage?.microseconds ?? .min)
  }

  /// Times that a request found it, the one that brought it included, or that it was served.
  public var hits: Int { count.load(ordering: .relaxed) }

  /// `nil` before the first use.
  public var lastUsage: DateTime? {
    let time = last.load(ordering: .relaxed)
    return time == .min ? nil : DateTime(microseconds: time)
  }

  public func note(_ time: DateTime) {
    count.wrappingAdd(1, ordering: .relaxed)
    last.store(time.microseconds, ordering: .relaxed)
  }
}
