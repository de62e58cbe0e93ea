import Incidents
import NGSI
import Query

/// Which entities of the hub are alarms: emergency bells, wearables, detectors. Data of the city.
public struct AlarmRules: Sendable, Hashable {
  public struct Rule: Sendable, Hashable {
    /// Expanded.
    public var type: String
    /// What makes it an alarm, as it was written: a query (`q`) on the entity.
    public var condition: String
    public var channel: Report.Channel
    public var category: String
    public var severity: Severity
    private let filter: Filter

    /// - Throws: `BadRequestData` for a condition that cannot be read.
    public init(
      type: String, condition: String, channel: Report.Channel, category: String, severity: Severity = .unknown
    ) throws(Problem) {
      self.type = Context.core.expand(type)
      self.condition = condition
      self.channel = channel
      self.category = category
      self.severity = severity
      filter = try Filter(q: condition, context: .core)
    }

    func holds(of entity: Entity) -> Bool {
      guard entity.types.contains(type) else { return false }
      // What cannot be told is an alarm rather than none.
      do throws(Problem) { return try filter.matches(entity) } catch { return true }
    }

    /// The entities that meet it now.
    var query: EntityQuery {
      var query = EntityQuery()
      query.types = .type(type)
      query.filter = filter
      return query
    }

    /// What the entity reports. Its newest reading is the number: the same one twice is the same report.
    func report(of entity: Entity) -> Report {
      let instances = entity.attributes.flatMap(\.instances)
      let newest = instances.compactMap { $0.observedAt ?? $0.modifiedAt }.max()
      var report = Report(
        source: entity.id, number: newest.map(\.description) ?? "-", channel: channel, category: category,
        severity: severity, observedAt: instances.compactMap(\.observedAt).max(), about: [entity.id])
      if let location = entity[attribute: Core.location]?.instances.first?.value,
        location["type"]?.string == "Point", let pair = location["coordinates"]?.array, pair.count >= 2,
        let longitude = pair[0].number, let latitude = pair[1].number
      {
        report.position = Position(longitude: longitude, latitude: latitude)
      }
      let name = entity[attribute: Context.core.expand("name")]?.instances.first?.value.string
      report.text = name.map { String($0.prefix(500)) }
      return report
    }

    public static func == (left: Rule, right: Rule) -> Bool {
      (left.type, left.condition, left.channel, left.category, left.severity)
        == (right.type, right.condition, right.channel, right.category, right.severity)
    }

    public func hash(into hasher: inout Hasher) {
      hasher.combine(type)
      hasher.combine(condition)
      hasher.combine(category)
    }
  }

  public var rules: [Rule]

  public init(_ rules: [Rule] = []) { self.rules = rules }

  func isConcerned(by change: Entity?) -> Bool {
    guard let change else { return false }
    return rules.contains { change.types.contains($0.type) }
  }

  /// The rules that an entity meets now, and did not before.
  func raised(by entity: Entity, before: Entity?) -> [Rule] {
    rules.filter { rule in rule.holds(of: entity) && !(before.map(rule.holds) ?? false) }
  }
}
