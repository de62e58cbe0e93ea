/// What the hub is meant to reach. Source: the project's own goals (docs/performance.md).
struct Target: Sendable {
  enum Measure: Sendable {
    /// Microseconds of the server for one operation, at most.
    case processor(Double)
    /// Entities a second, at least.
    case entities(Double)
  }

  let operation: HubOperation
  let measure: Measure
  /// Counts from so many clients and entities on.
  var clients = 1
  var entities = 1

  /// What nginx takes for a static file on the machine that the limits of processor time are given for.
  static let referenceHTTP = 9.0

  static let all = [
    Target(operation: .get, measure: .processor(45)),
    Target(operation: .page, measure: .processor(450)),
    Target(operation: .range, measure: .processor(700)),
    Target(operation: .text, measure: .processor(700)),
    Target(operation: .patch, measure: .entities(4000), clients: 64),
    Target(operation: .batch, measure: .entities(4000)),
  ]

  /// Most bytes that a hub may be resident with.
  static func resident(entities: Int) -> Int? {
    entities <= 10_000 ? 150_000_000 : entities <= 100_000 ? 400_000_000 : nil
  }

  /// - Parameter http: processor time of the HTTP anchor at the same number of clients: a limit of processor time
  ///   grows and shrinks with it.
  func result(_ point: Report.Point, http: Double?) -> TargetResult? {
    guard point.operation == operation, point.clients >= clients, point.entities >= entities else { return nil }
    let subject = "\(operation.rawValue), \(point.entities) entities, \(point.clients) clients"
    switch measure {
    case .processor(let limit):
      guard let cpu = point.figures.cpu else { return nil }
      return .atMost(limit, limit * (http ?? Self.referenceHTTP) / Self.referenceHTTP, cpu, "µs CPU", subject)
    case .entities(let limit):
      let found = rounded(point.figures.perSecond * Double(point.entitiesPerOperation))
      return TargetResult(
        subject: subject, unit: "entities/s", limit: limit, limitHere: limit, found: found, isMet: found >= limit,
        isMetUnscaled: found >= limit)
    }
  }
}

/// A target beside what was found.
public struct TargetResult: Codable, Sendable {
  public var subject: String
  public var unit: String
  public var limit: Double
  /// The limit on this machine at this time: processor time in proportion to the HTTP anchor.
  public var limitHere: Double
  public var found: Double
  public var isMet: Bool
  /// Against ``limit`` as it stands.
  public var isMetUnscaled: Bool

  static func atMost(_ limit: Double, _ here: Double, _ found: Double, _ unit: String, _ subject: String) -> Self {
    TargetResult(
      subject: subject, unit: unit, limit: limit, limitHere: rounded(here), found: found, isMet: found <= here,
      isMetUnscaled: found <= limit)
  }
}
