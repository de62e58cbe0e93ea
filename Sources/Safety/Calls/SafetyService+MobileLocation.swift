import Hub
import Incidents
import NGSI
import Store

/// Positions that handsets send while somebody calls 112 or 119 (AML): they belong to a call that is told of elsewhere, and
/// are brought together with it by the telephone number.
extension SafetyService {
  /// Seconds for which a position waits for its call, and a call for its position.
  static let locationWaits = 1_800.0
  static let locations = "mobile-locations"

  /// What became of a position.
  public enum Located: Sendable, Hashable {
    /// The incident that it was added to.
    /// It is `nil` where who sent the position may not know of it.
    case joined(String?)
    /// It waits for a call from that number.
    case waiting
    /// The handset did not know where it is.
    case nowhere
  }

  /// - Parameter number: the telephone number of the handset.
  public func locate(_ location: AdvancedMobileLocation, of number: String, in tenant: Tenant) async throws(Problem)
    -> Located
  {
    let digits = Self.digits(number)
    guard digits.count >= 5 else { throw .badRequest("'from' is a telephone number") }
    guard let position = location.position else { return .nowhere }
    let time = hub.time
    // A real position is no part of an exercise.
    let open = book.incident(in: tenant) { incident in
      incident.exercise == nil
        && incident.reports.contains { $0.contact.map { Self.isSame(Self.digits($0), digits) } ?? false }
        && time < incident.changedAt.adding(seconds: Self.locationWaits)
    }
    if let open {
      var report = Report(
        source: "aml", number: "\(digits) \(location.locatedAt?.description ?? time.description)",
        channel: .advancedMobileLocation, category: open.category, observedAt: location.locatedAt, position: position,
        contact: number)
      report.severity = open.severity
      let taken = try await join(report, to: open.id, in: tenant)
      let sees = try? hub.sight(in: tenant)
      if taken { return .joined(sees?(open.facts) == true ? open.id : nil) }
    }
    try await hub.transact(as: Self.name, in: tenant) { transaction in
      try transaction.permitCreating(
        Entity(id: "urn:ngsi-ld:Incident:new", types: [Context.core.expand(Incident.typeName)]))
      let what: JSON = ["position": position.json, "at": .string(transaction.time.description)]
      try transaction.keep(what, as: Self.key(number), in: Self.locations)
      for (id, old) in try transaction.documents(in: Self.locations, limit: 3) {
        guard let at = old["at"]?.string.flatMap({ DateTime($0) }),
          transaction.time > at.adding(seconds: Self.locationWaits)
        else { break }
        try transaction.drop(id, in: Self.locations)
      }
    }
    return .waiting
  }

  private func join(_ report: Report, to incident: String, in tenant: Tenant) async throws(Problem) -> Bool {
    let intake = Intake(
      plan: plan, book: book, tenant: tenant, party: asking, exercise: nil, sees: { _ in true })
    return try await turns.take(first: true) { () throws(Problem) in
      try await self.hub.transact(as: Self.name, in: tenant) { transaction in
        try transaction.permitCreating(
          Entity(id: "urn:ngsi-ld:Incident:new", types: [Context.core.expand(Incident.typeName)]))
        return try intake.add(report, to: incident, &transaction)
      }
    }
  }

  static func digits(_ number: String) -> String { String(number.filter { $0.isASCII && $0.isNumber }) }

  /// What a number is known by, however it is written.
  static func key(_ number: String) -> String { String(digits(number).suffix(8)) }

  /// `+82 10 1234 5678` is `010-1234-5678`: the last eight digits tell.
  private static func isSame(_ one: String, _ other: String) -> Bool {
    guard min(one.count, other.count) >= 8 else { return one == other }
    return one.suffix(8) == other.suffix(8)
  }
}
