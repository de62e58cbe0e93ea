import Incidents
import NGSI

/// What a city has laid down for its incidents: codes, procedures, targets, when reports are about one event. Data of the city,
/// read from a file beside its manifest.
public struct SafetyPlan: Sendable, Hashable {
  public struct Category: Sendable, Hashable {
    public var id: String
    public var title: Procedure.Title
    /// Where reports say nothing of it.
    public var severity: Severity
  }

  public var categories: [Category]
  public var procedures: [Procedure]
  public var targets: ResponseTargets
  public var joining: JoiningRules
  public var plausibility: Plausibility
  public var alarms: AlarmRules
  public var links: LinkPlan
  /// `nil` for a city that does not warn in its own name.
  public var warnings: WarningPlan?

  public init(
    categories: [Category] = [], procedures: [Procedure] = [], targets: ResponseTargets = ResponseTargets(),
    joining: JoiningRules = JoiningRules(), plausibility: Plausibility = Plausibility(),
    alarms: AlarmRules = AlarmRules(),
    links: LinkPlan = LinkPlan(), warnings: WarningPlan? = nil
  ) {
    self.categories = categories
    self.procedures = procedures
    self.targets = targets
    self.joining = joining
    self.plausibility = plausibility
    self.alarms = alarms
    self.links = links
    self.warnings = warnings
  }

  public func category(_ id: String) -> Category? { categories.first { $0.id == id } }

  public func procedure(_ id: String) -> Procedure? { procedures.first { $0.id == id } }

  /// The procedure that is begun with an incident of a category.
  func procedure(for category: String) -> Procedure? { procedures.first { $0.categories.contains(category) } }
}

extension SafetyPlan {
  /// Reads a plan.
  ///
  /// - Parameters:
  ///   - centre: the middle of the city.
  ///   - radius: metres around it from which reports are expected.
  /// - Throws: `BadRequestData` with the member's name.
  public init(json: JSON, centre: Position?, radius: Double) throws(Problem) {
    let fields = try Fields(
      json, "", only: ["categories", "procedures", "targets", "joining", "sameSource", "alarms", "links", "warnings"])
    categories = try fields.list("categories", most: 500) { json, path throws(Problem) in
      let fields = try Fields(json, path, only: ["id", "title", "severity"])
      return Category(
        id: try fields.text("id", most: 100), title: try Procedure.Title(json: fields.object["title"], path + ".title"),
        severity: try fields.choice("severity") ?? .unknown)
    }
    let known = Set(categories.map(\.id))
    guard known.count == categories.count else { throw .badRequest("'categories' has one id twice") }
    procedures = try fields.list("procedures", most: 500) { json, path throws(Problem) in
      let procedure = try Procedure(json: json, path)
      if let other = procedure.categories.first(where: { !known.contains($0) }) {
        throw .badRequest("'\(path).categories': there is no category '\(other)'")
      }
      return procedure
    }
    guard Set(procedures.map(\.id)).count == procedures.count else {
      throw .badRequest("'procedures' has one id twice")
    }
    targets = ResponseTargets(
      try fields.list("targets", most: 500) { json, path throws(Problem) in
        let fields = try Fields(json, path, only: ["milestone", "categories", "from", "within", "source"])
        return ResponseTargets.Target(
          try fields.need("milestone", fields.choice("milestone")),
          categories: try fields.texts("categories", most: 500),
          from: try fields.choice("from") ?? .minor,
          within: try fields.need("within", fields.number("within", in: 1...(30 * 86_400))),
          source: try fields.text("source", most: 500))
      })
    joining = JoiningRules(
      try fields.list("joining", most: 500) { json, path throws(Problem) in
        let fields = try Fields(json, path, only: ["categories", "metres", "seconds", "automatic"])
        return JoiningRules.Rule(
          categories: try fields.texts("categories", most: 500),
          metres: try fields.need("metres", fields.number("metres", in: 0...100_000)),
          seconds: try fields.need("seconds", fields.number("seconds", in: 0...(7 * 86_400))),
          isAutomatic: try fields.flag("automatic") ?? false)
      }, sameSource: try fields.number("sameSource", in: 0...86_400) ?? 600)
    alarms = AlarmRules(
      try fields.list("alarms", most: 200) { json, path throws(Problem) in
        let fields = try Fields(json, path, only: ["type", "when", "channel", "category", "severity"])
        let category = try fields.text("category", most: 100)
        guard known.contains(category) else {
          throw .badRequest("'\(path).category': there is no category '\(category)'")
        }
        return try AlarmRules.Rule(
          type: try fields.text("type", most: 500), condition: try fields.text("when", most: 1_000),
          channel: try fields.choice("channel") ?? .sensor, category: category,
          severity: try fields.choice("severity") ?? .unknown)
      })
    plausibility = Plausibility(categories: known, centre: centre, radius: radius)
    links = try LinkPlan(json: fields.object["links"], categories: known)
    warnings = try fields.object["warnings"].map { json throws(Problem) in
      try WarningPlan(json: json, categories: known)
    }
  }
}
