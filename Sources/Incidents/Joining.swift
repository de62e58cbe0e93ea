import Foundation
import NGSI

/// When a report is about an incident that is open already.
public struct JoiningRules: Sendable, Hashable {
  public struct Rule: Sendable, Hashable {
    /// Reports of one of these categories may be about one event; the same category always may.
    public var categories: [String]
    /// Metres between the places, besides what is not known of either.
    public var metres: Double
    /// Seconds since the incident was last reported.
    public var seconds: Double
    /// Joined without asking; else it is proposed to the operator.
    public var isAutomatic: Bool

    public init(categories: [String], metres: Double, seconds: Double, isAutomatic: Bool) {
      self.categories = categories
      self.metres = metres
      self.seconds = seconds
      self.isAutomatic = isAutomatic
    }
  }

  public var rules: [Rule]
  /// Seconds in which what a sensor, camera, bell or wearable says again is the same event.
  public var sameSource: Double

  public init(_ rules: [Rule] = [], sameSource: Double = 600) {
    self.rules = rules
    self.sameSource = sameSource
  }

  /// Why a report may be about an incident.
  public struct Match: Sendable, Hashable {
    public enum Reason: Sendable, Hashable {
      /// The same source, which has said so before and has not taken it back.
      case sameSource
      /// Near and at about the same time: metres between, seconds since it was last reported.
      case near(metres: Double, seconds: Double)
    }

    public var incident: String
    public var reason: Reason
    public var isAutomatic: Bool
  }

  /// What a report may be about, the likeliest first: the same source, then what is nearest.
  ///
  /// - Parameters:
  ///   - lastReported: when each incident was last reported.
  public func matches(
    of report: Report, at time: DateTime, among incidents: some Sequence<Incident>,
    exercise: String? = nil, lastReported: (Incident) -> DateTime = { $0.changedAt }
  ) -> [Match] {
    var found: [Match] = []
    for incident in incidents where !incident.status.isOver && incident.exercise == exercise {
      if let match = match(report, incident, at: time, lastReported(incident)) {
        found.append(match)
      }
    }
    return found.sorted { Self.order($0.reason, $0.incident) < Self.order($1.reason, $1.incident) }
  }

  private func match(_ report: Report, _ incident: Incident, at time: DateTime, _ last: DateTime) -> Match? {
    let seconds = abs(time.secondsSince1970 - last.secondsSince1970)
    if [.sensor, .camera, .bell, .wearable].contains(report.channel), seconds <= sameSource,
      incident.category == report.category,
      incident.reports.contains(where: { $0.source == report.source && Self.isSamePlace($0, report) })
    {
      return Match(incident: incident.id, reason: .sameSource, isAutomatic: true)
    }
    let rule = rules.first {
      seconds <= $0.seconds && $0.categories.contains(report.category) && $0.categories.contains(incident.category)
    }
    guard let rule else { return nil }
    guard let here = report.believedPosition, let there = incident.position else { return nil }
    let metres = here.distance(to: there)
    guard metres <= rule.metres + (here.uncertainty ?? 0) + (there.uncertainty ?? 0) else { return nil }
    return Match(
      incident: incident.id, reason: .near(metres: metres, seconds: seconds), isAutomatic: rule.isAutomatic)
  }

  /// A source may watch many places: the same thing, or hardly apart.
  private static func isSamePlace(_ one: Report, _ other: Report) -> Bool {
    guard one.about == other.about else { return false }
    guard let here = one.position, let there = other.position else {
      return !one.about.isEmpty || one.position == other.position
    }
    return here.distance(to: there) <= samePlace + (here.uncertainty ?? 0) + (there.uncertainty ?? 0)
  }

  /// Metres.
  private static let samePlace = 100.0

  private static func order(_ reason: Match.Reason, _ id: String) -> (Int, Double, String) {
    switch reason {
    case .sameSource: (0, 0, id)
    case .near(let metres, _): (1, metres, id)
    }
  }
}
