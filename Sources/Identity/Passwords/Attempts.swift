import NGSI
import Synchronization

/// How often something may be tried.
///
/// One bucket for each account and one for each source: an attempt takes a piece out of either, time puts pieces back. What
/// an attempt takes it takes before the password is looked at, so that a thousand at once are no more than one after the
/// other; who succeeds gets his piece back.
final class Attempts: Sendable {
  struct Rule: Sendable {
    /// Attempts that may come at once.
    let most: Double
    /// Seconds until one more is allowed.
    let seconds: Double
  }

  /// Guesses at one account, wherever they come from: 10 at once, then one a minute.
  static let account = Rule(most: 10, seconds: 60)
  /// Guesses from one address, at whatever: 30 at once, then one in two seconds.
  static let source = Rule(most: 30, seconds: 2)

  /// Buckets that are remembered; a full one is as good as none.
  let mostBuckets: Int

  private struct Bucket {
    var left: Double
    var at: Int
    var rule: Rule
  }

  private struct State {
    var buckets: [String: Bucket] = [:]
    var refused = 0
    var failed = 0
  }

  private let state = Mutex(State())

  init(mostBuckets: Int = 20_000) { self.mostBuckets = mostBuckets }

  /// Takes a piece out of each bucket, or out of none.
  ///
  /// - Returns: `nil`, or the seconds after which it is worth trying again.
  func take(_ keys: [(key: String, rule: Rule)], at now: Int) -> Int? {
    state.withLock { state in
      if state.buckets.count + keys.count > mostBuckets {
        Self.makeRoom(&state.buckets, for: mostBuckets, at: now)
      }
      var wait = 0.0
      for (key, rule) in keys {
        let left = Self.left(state.buckets[key], rule, at: now)
        if left < 1 { wait = max(wait, (1 - left) * rule.seconds) }
      }
      guard wait == 0 else {
        state.refused += 1
        return max(1, Int(wait.rounded(.up)))
      }
      for (key, rule) in keys {
        let left = Self.left(state.buckets[key], rule, at: now)
        state.buckets[key] = Bucket(left: left - 1, at: now, rule: rule)
      }
      return nil
    }
  }

  /// Gives back what a successful attempt took.
  func giveBack(_ keys: [(key: String, rule: Rule)], at now: Int) {
    state.withLock { state in
      for (key, rule) in keys {
        let left = Self.left(state.buckets[key], rule, at: now) + 1
        state.buckets[key] = left >= rule.most ? nil : Bucket(left: left, at: now, rule: rule)
      }
    }
  }

  func countFailure() { state.withLock { $0.failed += 1 } }

  var figures: (refused: Int, failed: Int, buckets: Int) {
    state.withLock { ($0.refused, $0.failed, $0.buckets.count) }
  }

  private static func left(_ bucket: Bucket?, _ rule: Rule, at now: Int) -> Double {
    guard let bucket else { return rule.most }
    return min(rule.most, bucket.left + Double(max(0, now - bucket.at)) / rule.seconds)
  }

  /// Forgets the buckets that are full again; where that is too few, also those that are nearest to it.
  private static func makeRoom(_ buckets: inout [String: Bucket], for most: Int, at now: Int) {
    buckets = buckets.filter { left($0.value, $0.value.rule, at: now) < $0.value.rule.most }
    let surplus = buckets.count - most * 3 / 4
    guard surplus > 0 else { return }
    let fullest = buckets.map { ($0.key, left($0.value, $0.value.rule, at: now) / $0.value.rule.most) }
      .sorted { $0.1 > $1.1 }
    for (key, _) in fullest.prefix(surplus) { buckets[key] = nil }
  }
}
