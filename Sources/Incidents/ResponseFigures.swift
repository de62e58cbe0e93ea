import NGSI

/// How a city answered its incidents in a period: how long things took, and which sources cried wolf.
public struct ResponseFigures: Sendable {
  /// One incident as its entity tells of it.
  public struct Sample: Sendable, Hashable {
    public var category: String
    /// Who or what reported it first.
    public var source: String
    public var channel: String
    public var openedAt: DateTime
    /// Seconds from the first report on; what did not come about is missing.
    public var taken: [ResponseTargets.Milestone: Double]
    /// Seconds until it was closed.
    public var closedAfter: Double?
    public var outcome: Command.Outcome.Kind?

    /// - Returns: `nil` for an exercise, for what goes on as another incident, and for what is no incident.
    public init?(_ entity: Entity) {
      func text(_ name: String) -> String? {
        entity[attribute: Context.core.expand(name)]?.instances.first?.value.string
      }
      guard text("exercise") == nil, text("mergedInto") == nil, let category = text("category"),
        let opened = text("dateIssued").flatMap({ DateTime($0) })
      else { return nil }
      func after(_ name: String) -> Double? {
        text(name).flatMap { DateTime($0) }.map { $0.secondsSince1970 - opened.secondsSince1970 }
      }
      self.category = category
      source = text("alertSource") ?? ""
      channel = text("alertChannel") ?? ""
      openedAt = opened
      taken = [:]
      taken[.acknowledge] = after("dateAcknowledged")
      taken[.dispatch] = after("dateDispatched")
      taken[.onScene] = after("dateOnScene")
      taken[.resolve] = after("dateResolved")
      closedAfter = after("dateClosed")
      outcome = text("outcome").flatMap(Command.Outcome.Kind.init(rawValue:))
    }
  }

  /// How long something took.
  public struct Spread: Sendable, Hashable {
    public var count: Int
    /// Seconds: half took no longer, nine in ten, the longest.
    public var median: Double
    public var ninetieth: Double
    public var longest: Double

    /// Percentiles by nearest rank: the smallest value that is not below that share of all.
    ///
    /// - Returns: `nil` for no values.
    public init?(_ values: [Double]) {
      let sorted = values.sorted()
      guard let last = sorted.last else { return nil }
      func rank(_ percent: Int) -> Double { sorted[max(0, (sorted.count * percent + 99) / 100 - 1)] }
      (count, median, ninetieth, longest) = (sorted.count, rank(50), rank(90), last)
    }
  }

  /// One source: how often it was first to report, and how often that came to nothing.
  public struct Trust: Sendable, Hashable {
    public var source: String
    public var channel: String
    public var incidents: Int
    /// Of those that are resolved.
    public var judged: Int
    public var falseAlarms: Int
  }

  public let count: Int
  /// Incidents that were resolved as false alarms.
  public let falseAlarms: Int
  public let all: [ResponseTargets.Milestone: Spread]
  /// By category, the most frequent first.
  public let categories: [(category: String, count: Int, spreads: [ResponseTargets.Milestone: Spread])]
  /// The most false alarms first.
  public let sources: [Trust]

  public init(_ samples: [Sample]) {
    count = samples.count
    falseAlarms = samples.count { $0.outcome == .falseAlarm }
    all = Self.spreads(samples)
    categories = Dictionary(grouping: samples, by: \.category)
      .map { (category: $0.key, count: $0.value.count, spreads: Self.spreads($0.value)) }
      .sorted { ($1.count, $0.category) < ($0.count, $1.category) }
    sources = Dictionary(grouping: samples, by: \.source)
      .map { source, samples in
        Trust(
          source: source, channel: samples.first?.channel ?? "", incidents: samples.count,
          judged: samples.count { $0.outcome != nil }, falseAlarms: samples.count { $0.outcome == .falseAlarm })
      }
      .sorted { ($1.falseAlarms, $1.incidents, $0.source) < ($0.falseAlarms, $0.incidents, $1.source) }
  }

  private static func spreads(_ samples: [Sample]) -> [ResponseTargets.Milestone: Spread] {
    var spreads: [ResponseTargets.Milestone: Spread] = [:]
    for milestone in ResponseTargets.Milestone.allCases {
      spreads[milestone] = Spread(samples.compactMap { $0.taken[milestone] })
    }
    return spreads
  }
}
