import NGSI

extension TemporalFilter {
  /// Reads the parameters of a temporal query (clause 4.11).
  public init(
    timerel: String, timeAt: String?, endTimeAt: String? = nil, timeproperty: String? = nil
  ) throws(Problem) {
    guard let timeAt else { throw .badRequest("timeAt is missing: timerel=\(timerel.prefix(20)) needs it") }
    let start = try Self.time(timeAt, "timeAt")
    let end: DateTime? = if let endTimeAt { try Self.time(endTimeAt, "endTimeAt") } else { nil }
    switch timerel {
    case "before": relation = .before(start)
    case "after": relation = .after(start)
    case "between":
      guard let end else { throw .badRequest("endTimeAt is missing: timerel=between needs it") }
      relation = .between(start, end)
    default: throw .badRequest("timerel: expected before, after or between, found '\(timerel.prefix(40))'")
    }
    guard let timeproperty else {
      property = .observedAt
      return
    }
    guard let named = Property(rawValue: timeproperty) else {
      throw .badRequest(
        "timeproperty: expected observedAt, createdAt, modifiedAt or deletedAt, found '\(timeproperty.prefix(40))'")
    }
    property = named
  }

  /// Reads a `temporalQ` object (clause 5.2.21). Its `lastN` and aggregation members are not part of the filter.
  public init(json: JSON) throws(Problem) {
    guard let object = json.object else { throw .badRequest("temporalQ must be a JSON object") }
    guard let timerel = try Member.text("timerel", of: object, in: "temporalQ") else {
      throw .badRequest("temporalQ needs 'timerel'")
    }
    try self.init(
      timerel: timerel, timeAt: try Member.text("timeAt", of: object, in: "temporalQ"),
      endTimeAt: try Member.text("endTimeAt", of: object, in: "temporalQ"),
      timeproperty: try Member.text("timeproperty", of: object, in: "temporalQ"))
  }

  private static func time(_ text: String, _ name: String) throws(Problem) -> DateTime {
    guard let time = DateTime(text) else {
      throw .badRequest("\(name): expected a UTC time such as 2026-11-22T09:30:00Z, found '\(text.prefix(40))'")
    }
    return time
  }
}

/// Members of the JSON form of a query.
enum Member {
  static func text(_ key: String, of object: JSONObject, in subject: String) throws(Problem) -> String? {
    guard let value = object[key] else { return nil }
    guard let text = value.string else { throw .badRequest("'\(key)' of \(subject) must be a string") }
    return text
  }
}
