import NGSI

/// What a report may say and be taken at its word. What may not be is marked (``Report/Doubt``) and counts all the same.
public struct Plausibility: Sendable, Hashable {
  /// The codes of incidents that the city knows; any where there are none.
  public var categories: Set<String>
  /// The middle of the city, and how many metres from it reports are expected.
  public var centre: Position?
  public var radius: Double
  /// Seconds that a report may come late, and that a clock may be ahead.
  public var oldest: Double
  public var newest: Double

  public init(
    categories: Set<String> = [], centre: Position? = nil, radius: Double = 100_000, oldest: Double = 86_400,
    newest: Double = 300
  ) {
    self.categories = categories
    self.centre = centre
    self.radius = radius
    self.oldest = oldest
    self.newest = newest
  }

  /// The report with what is doubtful about it marked, as it comes in at a time.
  public func judging(_ report: Report, at time: DateTime) -> Report {
    var judged = report
    if let observed = report.observedAt?.secondsSince1970 {
      let now = time.secondsSince1970
      if observed < now - oldest || observed > now + newest { judged.doubts.insert(.time) }
    }
    // 0, 0 is where devices are that do not know better.
    if let position = report.position {
      let isNowhere = position.longitude == 0 && position.latitude == 0
      let isFar = centre.map { position.distance(to: $0) > radius + (position.uncertainty ?? 0) } ?? false
      if isNowhere || isFar { judged.doubts.insert(.place) }
    }
    if !categories.isEmpty, !categories.contains(report.category) { judged.doubts.insert(.category) }
    return judged
  }
}
