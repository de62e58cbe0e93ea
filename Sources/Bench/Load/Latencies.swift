/// Times of single operations, every one of them kept.
///
/// A point has some ten thousand operations, so an exact list costs less than a histogram is coarse.
struct Latencies: Sendable {
  /// In nanoseconds, ascending.
  private let sorted: [Int64]

  init(_ nanoseconds: [Int64]) { sorted = nanoseconds.sorted() }

  var count: Int { sorted.count }

  /// The time that this share of operations does not exceed, in microseconds; 0 when there are none.
  ///
  /// Linear between the two nearest ranks (Hyndman and Fan 1996, definition 7).
  func percentile(_ share: Double) -> Double {
    guard let last = sorted.last else { return 0 }
    let rank = min(max(share, 0), 1) * Double(sorted.count - 1)
    let below = Int(rank)
    guard below + 1 < sorted.count else { return Double(last) / 1000 }
    let weight = rank - Double(below)
    return (Double(sorted[below]) * (1 - weight) + Double(sorted[below + 1]) * weight) / 1000
  }
}
