import NGSI

/// What became of the notifications of one subscription.
///
/// `due = delivered + failed + throttled + waiting` at every moment; when nothing waits, `due = delivered + failed +
/// throttled`.
public struct DeliveryRecord: Sendable, Hashable {
  /// Notifications that the subscription's rules called for.
  public var due = 0
  /// Taken by the receiver.
  public var delivered = 0
  /// Given up after the last attempt; each is on the dead-letter list.
  public var failed = 0
  /// Held back by `throttling`, or because the subscription was paused, expired or deleted before its turn.
  public var throttled = 0
  /// Notifications that were sent, however often each was tried (clause 5.8.6 counts one for each).
  public var timesSent = 0
  /// Those of them that were not taken at the first attempt.
  public var timesFailed = 0
  public var lastNotification: DateTime?
  public var lastSuccess: DateTime?
  public var lastFailure: DateTime?
  /// Why the last failed attempt failed.
  public var lastReason: String?

  public init() {}

  public var waiting: Int { due - delivered - failed - throttled }

  /// `ok` or `failed` by the last attempt; `nil` before the first.
  var status: String? {
    guard let lastNotification else { return nil }
    guard let lastFailure else { return "ok" }
    return lastFailure >= lastNotification || lastFailure > (lastSuccess ?? DateTime(microseconds: .min))
      ? "failed" : "ok"
  }

  var json: JSON {
    var object = JSONObject()
    object["delivered"] = .integer(Int64(delivered))
    object["failed"] = .integer(Int64(failed))
    object["throttled"] = .integer(Int64(throttled))
    object["timesSent"] = .integer(Int64(timesSent))
    object["timesFailed"] = .integer(Int64(timesFailed))
    object["lastNotification"] = lastNotification.map { .string($0.description) }
    object["lastSuccess"] = lastSuccess.map { .string($0.description) }
    object["lastFailure"] = lastFailure.map { .string($0.description) }
    object["lastReason"] = lastReason.map { .string($0) }
    return .object(object)
  }

  init(json: JSON, waiting: Int) {
    func count(_ key: String) -> Int { json[key]?.integer.map { Int($0) } ?? 0 }
    func time(_ key: String) -> DateTime? { json[key]?.string.flatMap { DateTime($0) } }
    delivered = count("delivered")
    failed = count("failed")
    throttled = count("throttled")
    timesSent = count("timesSent")
    timesFailed = count("timesFailed")
    lastNotification = time("lastNotification")
    lastSuccess = time("lastSuccess")
    lastFailure = time("lastFailure")
    lastReason = json["lastReason"]?.string
    due = delivered + failed + throttled + waiting
  }
}
