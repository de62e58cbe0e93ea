import NGSI

/// The scopes of an entity over time: each value holds from when it was set until the next one (ETSI GS CIM 009 clause
/// 4.18).
public struct ScopeHistory {
  public struct Span {
    public let instance: Attribute
    /// None where the scopes were taken away.
    public let scopes: [String]
    /// ``DateTime/microseconds``. What was set first, without saying when, holds from the beginning.
    public let times: Range<Int64>
  }

  public private(set) var spans: [Span] = []

  /// - Parameter instances: by the time that places them.
  public init(_ instances: [Attribute]) {
    var end = Int64.max
    for (position, instance) in instances.enumerated().reversed() {
      let isUntimed = position == 0 && instance.observedAt == nil && instance.deletedAt == nil
      let start = isUntimed ? Int64.min : instance.place.microseconds
      let scopes = instance.deletedAt == nil ? instance.value.items.compactMap(\.string) : []
      if start < end { spans.append(Span(instance: instance, scopes: scopes, times: start..<end)) }
      end = min(end, start)
    }
    spans.reverse()
  }

  /// When scopes held that satisfy the condition, as far as that touches the window.
  public func times(of scope: ScopeFilter, in window: TemporalFilter?) -> [Range<Int64>] {
    let window = window?.span ?? Int64.min..<Int64.max
    return spans.filter { $0.times.overlaps(window) && scope.matches($0.scopes) }.map(\.times)
  }
}

extension Attribute {
  /// The time that places an instance among others.
  var place: DateTime { observedAt ?? deletedAt ?? modifiedAt ?? createdAt ?? DateTime(microseconds: 0) }
}

extension TemporalFilter {
  /// The window in ``DateTime/microseconds``.
  public var span: Range<Int64> {
    switch relation {
    case nil: Int64.min..<Int64.max
    case .before(let end): Int64.min..<end.microseconds
    case .after(let start): start.microseconds..<Int64.max
    case .between(let start, let end): start.microseconds..<max(start, end).microseconds
    }
  }
}
