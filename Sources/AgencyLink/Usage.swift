import NGSI

/// How much a linked service is used, by day in Korea: whole services were found unused by the Board of Audit in 2022.
public struct Usage: Sendable, Hashable {
  public enum Act: String, Sendable, Hashable, CaseIterable {
    /// Messages of the agency that were taken.
    case received
    /// The same again.
    case duplicate
    /// Messages of the agency that were answered with a failure.
    case rejected
    /// Messages that the agency took.
    case sent
    /// Messages that the agency refused.
    case refused
    /// Tries that nobody answered, or that were not understood.
    case failed
    /// Times that a person looked at an incident that the agency told of.
    case looked

    /// Whether somebody used the service, rather than tried to.
    public var isUse: Bool { self == .received || self == .sent }
  }

  /// Days that are kept, the newest ones.
  public static let days = 400

  /// Counts of all time.
  public private(set) var totals: [Act: Int]
  /// Counts by day (`yyyyMMdd`).
  public private(set) var byDay: [String: [Act: Int]]
  public private(set) var lastUse: DateTime?

  public init(totals: [Act: Int] = [:], byDay: [String: [Act: Int]] = [:], lastUse: DateTime? = nil) {
    self.totals = totals
    self.byDay = byDay
    self.lastUse = lastUse
  }

  public mutating func count(_ act: Act, times: Int = 1, at time: DateTime) {
    totals[act, default: 0] += times
    byDay[WireTime.day(time), default: [:]][act, default: 0] += times
    while byDay.count > Self.days, let oldest = byDay.keys.min() { byDay[oldest] = nil }
    if act.isUse { lastUse = max(time, lastUse ?? time) }
  }

  /// Uses on a day and the days before it.
  public func uses(inDays days: Int, until time: DateTime) -> Int {
    (0..<max(0, min(days, Self.days))).reduce(0) { sum, back in
      let day = byDay[WireTime.day(time.adding(seconds: Double(back) * -86_400))] ?? [:]
      return sum + day.reduce(0) { $0 + ($1.key.isUse ? $1.value : 0) }
    }
  }

  /// Seconds since it was used last; `nil` where it never was.
  public func idle(at time: DateTime) -> Double? {
    lastUse.map { max(0, time.secondsSince1970 - $0.secondsSince1970) }
  }

  /// As it was kept (``json``); what is none counts nothing.
  public init(kept json: JSON) {
    func counts(_ json: JSON?) -> [Act: Int] {
      Act.allCases.reduce(into: [:]) { counts, act in
        if let count = json?[act.rawValue]?.integer { counts[act] = Int(count) }
      }
    }
    var days: [String: [Act: Int]] = [:]
    for member in json["days"]?.object?.members ?? [] { days[member.key] = counts(member.value) }
    self.init(
      totals: counts(json["totals"]), byDay: days, lastUse: json["lastUse"]?.string.flatMap { DateTime($0) })
  }

  /// `{"totals": {…}, "days": {"20261124": {…}}, "lastUse": …}`
  public var json: JSON {
    func counts(_ counts: [Act: Int]) -> JSON {
      .object(JSONObject(of: Act.allCases.map { ($0.rawValue, counts[$0].map { .integer(Int64($0)) }) }))
    }
    return .object(
      JSONObject(of: [
        ("totals", counts(totals)),
        ("days", .object(JSONObject(of: byDay.sorted { $0.key < $1.key }.map { ($0.key, counts($0.value)) }))),
        ("lastUse", lastUse.map { .string($0.description) }),
      ]))
  }
}
