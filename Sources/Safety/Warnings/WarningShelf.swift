import CAP
import Foundation
import Hub
import Incidents
import NGSI
import Query
import Store

/// A warning as it stands: what its last message says, and where it is in its life.
struct Warning: Sendable {
  static let typeName = "Warning"
  /// Messages of one warning at most.
  static let messages = 500
  /// Seconds that a warning of others is in force which does not say until when.
  static let unsaid = 86_400.0
  static let believed = 365 * 86_400.0

  var id: String
  var sequence: Int
  var isCancelled = false
  var kind: WarningKind
  /// Whether the city itself warns.
  var isOwn: Bool
  var incident: String?
  /// Its last message.
  var alert: CAPAlert
  /// Its messages until now.
  var references: [CAPAlert.Reference]
  var issuedAt: DateTime

  /// Until when it is in force; nobody is believed for longer than a year.
  var expires: DateTime {
    min(alert.expires ?? issuedAt.adding(seconds: Self.unsaid), issuedAt.adding(seconds: Self.believed))
  }

  /// `in-force`, `cancelled` or `expired`.
  func state(at time: DateTime) -> String { isCancelled ? "cancelled" : expires > time ? "in-force" : "expired" }
}

/// How warnings are kept: a document for each message, which is never written again, a head, and the entity.
enum WarningShelf {
  static func messages(of warning: String) -> String { "warning/\(warning)" }
  static let heads = "warning-heads"
  /// The warnings that were not cancelled and had not expired when last looked at.
  static let active = "warnings-active"
  /// Which warning a message belongs to, by sender, identifier and time.
  static let index = "warning-index"
  /// What came of a request that somebody numbered.
  static let requests = "warning-requests"
  static let days = "warning-days"

  static func key(_ reference: CAPAlert.Reference) -> String {
    "\(reference.sender),\(reference.identifier),\(reference.sent.microseconds / 1_000_000)"
  }

  static func head(_ warning: Warning) -> JSON {
    .object(
      JSONObject(of: [
        "sequence": .integer(Int64(warning.sequence)), "cancelled": warning.isCancelled ? true : nil,
        "exercise": warning.kind.exercise.map(JSON.string), "test": warning.kind == .test ? true : nil,
        "own": .bool(warning.isOwn), "incident": warning.incident.map(JSON.string),
        "issuedAt": .string(warning.issuedAt.description), "cap": .string(warning.alert.xml),
        "references": .array(
          warning.references.map {
            ["sender": .string($0.sender), "identifier": .string($0.identifier), "sent": .string($0.sent.description)]
          }),
      ]))
  }

  /// - Throws: `InternalError` for a head that is damaged.
  static func warning(_ id: String, _ head: JSON) throws(Problem) -> Warning {
    guard let text = head["cap"]?.string, let alert = try? CAPAlert(reading: Array(text.utf8)),
      let issuedAt = head["issuedAt"]?.string.flatMap({ DateTime($0) })
    else { throw Problem(.internalError, "the warning \(id) is damaged") }
    let references = (head["references"]?.array ?? []).compactMap { json -> CAPAlert.Reference? in
      guard let sender = json["sender"]?.string, let identifier = json["identifier"]?.string,
        let sent = json["sent"]?.string.flatMap({ DateTime($0) })
      else { return nil }
      return .init(sender: sender, identifier: identifier, sent: sent)
    }
    return Warning(
      id: id, sequence: Int(head["sequence"]?.integer ?? 0), isCancelled: head["cancelled"]?.bool ?? false,
      kind: WarningKind(kept: head), isOwn: head["own"]?.bool ?? false, incident: head["incident"]?.string,
      alert: alert,
      references: references, issuedAt: issuedAt)
  }

  static func warning(_ id: String, _ transaction: ServiceTransaction) throws -> Warning {
    guard let head = try transaction.document(id, in: heads) else {
      throw Problem.notFound("there is no warning \(id.prefix(200))")
    }
    return try warning(id, head)
  }

  /// Keeps a warning with its last message, which came as a text where it came from others.
  static func keep(_ warning: Warning, cap: String? = nil, by party: Party, _ transaction: inout ServiceTransaction)
    throws
  {
    try transaction.put(warning.facts(at: transaction.time))
    let message: JSON = [
      "sequence": .integer(Int64(warning.sequence)), "at": .string(transaction.time.description), "by": party.json,
      "type": .string(warning.alert.messageType.rawValue), "cap": .string(cap ?? warning.alert.xml),
    ]
    try transaction.keep(message, as: "\(warning.id)#\(warning.sequence)", in: messages(of: warning.id))
    transaction.state("warning-step", warning.alert.messageType.rawValue, of: warning.id, message)
    try transaction.keep(head(warning), as: warning.id, in: heads)
    try transaction.keep(["warning": .string(warning.id)], as: key(warning.alert.reference), in: index)
    if warning.isCancelled {
      try transaction.drop(warning.id, in: active)
    } else {
      try transaction.keep(["expires": .string(warning.expires.description)], as: warning.id, in: active)
    }
    try sweep(&transaction)
  }

  /// Lets go of some that have expired meanwhile, and says so in their entities.
  private static func sweep(_ transaction: inout ServiceTransaction) throws {
    for (id, body) in try transaction.documents(in: active, limit: 50) {
      guard let expires = body["expires"]?.string.flatMap({ DateTime($0) }), expires <= transaction.time else {
        continue
      }
      try transaction.drop(id, in: active)
      try transaction.putAsCity(warning(id, transaction).facts(at: transaction.time))
    }
  }

  /// Day and number in the day: `20261123-0042`. Days are those of UTC.
  static func number(_ transaction: ServiceTransaction) throws -> String {
    let day = String(transaction.time.description.prefix(10).filter { $0 != "-" })
    let next = Int(try transaction.document(day, in: days)?["count"]?.integer ?? 0) + 1
    try transaction.keep(["count": .integer(Int64(next))], as: day, in: days)
    let digits = String(next)
    return day + "-" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }
}

extension Warning {
  /// As the hub holds it. It is an `Alert` of Smart Data Models, with that model's names of attributes; the other type is
  /// the service's own, as others make alerts too.
  func facts(at time: DateTime) -> Entity {
    var entity = Entity(id: id, types: [Context.core.expand(Self.typeName), Context.core.expand("Alert")])
    func put(_ name: String, _ value: JSON?) {
      guard let value else { return }
      let name = Context.core.expand(name)
      entity.attributes.append(AttributeSet(name: name, instances: [Attribute(kind: .property, value: value)]))
    }
    func text(_ text: String?) -> JSON? { text.flatMap { $0.isEmpty ? nil : .string($0) } }
    let korean = alert.info(in: "ko")
    let english = alert.info(in: "en")
    put("status", .string(state(at: time)))
    put("capStatus", .string(alert.status.rawValue))
    put("messageType", .string(alert.messageType.rawValue))
    put("category", korean.map { .array($0.categories.map { .string($0.rawValue) }) })
    put("subCategory", text(korean?.event))
    put("severity", korean.map { .string($0.severity.rawValue) })
    put("urgency", korean.map { .string($0.urgency.rawValue) })
    put("certainty", korean.map { .string($0.certainty.rawValue) })
    put(
      "responseTypes", korean.flatMap { $0.responses.isEmpty ? nil : .array($0.responses.map { .string($0.rawValue) }) }
    )
    put("title", text(korean?.headline ?? korean?.event))
    put("titleEnglish", text(english?.headline ?? english?.event))
    put("description", text(korean?.description))
    put("descriptionEnglish", text(english?.description))
    put("instruction", text(korean?.instruction))
    put("instructionEnglish", text(english?.instruction))
    put("areaDescription", text(korean?.areas.map(\.description).joined(separator: ", ")))
    put(
      "geocodes",
      korean.flatMap { info in
        let codes = info.areas.flatMap(\.geocodes).map { JSON.string("\($0.name)=\($0.value)") }
        return codes.isEmpty ? nil : .array(codes)
      })
    put("dateIssued", .string(issuedAt.description))
    put("validFrom", .string((korean?.onset ?? korean?.effective ?? alert.sent).description))
    put("validTo", .string(expires.description))
    put("alertSource", .string(alert.sender))
    put("capIdentifier", .string(alert.identifier))
    put("exercise", kind.exercise.map(JSON.string))
    put("incident", incident.map(JSON.string))
    put("isOwn", .bool(isOwn))
    put("sequence", .integer(Int64(sequence)))
    put(
      "doubts",
      alert.doubts.isEmpty ? nil : .array(alert.doubts.prefix(50).map { .string("\($0.element) \($0.reason)") }))
    if let shape = korean.flatMap({ Self.geometry($0.areas) }) {
      entity.attributes.append(
        AttributeSet(name: Core.location, instances: [Attribute(kind: .geoProperty, value: shape)]))
    }
    return entity
  }

  /// Points of the entity's location at most.
  private static let points = 5_000

  /// All areas as one geometry; their box where they are long, or where they overlap, which no geometry of several rings may: too much, never too
  /// little.
  static func geometry(_ areas: [CAPAlert.Area]) -> JSON? {
    let rings = areas.flatMap { $0.polygons.map(\.points) + $0.circles.map(\.ring) }.map(counterClockwise)
    guard let first = rings.first else { return nil }
    func ring(_ points: [CAPAlert.Point]) -> JSON { .array([.array(points.map(\.geoJSON))]) }
    if rings.count == 1 { return ["type": "Polygon", "coordinates": ring(first)] }
    let isLong = rings.reduce(0) { $0 + $1.count } > Self.points
    let all: JSON = ["type": "MultiPolygon", "coordinates": .array(rings.map(ring))]
    if !isLong, Geometry.unsoundness(of: all) == nil { return all }
    let points = rings.flatMap { $0 }
    let (west, east) = (points.map(\.longitude).min() ?? 0, points.map(\.longitude).max() ?? 0)
    let (south, north) = (points.map(\.latitude).min() ?? 0, points.map(\.latitude).max() ?? 0)
    let box = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    return ["type": "Polygon", "coordinates": ring(box.map { .init(latitude: $0.1, longitude: $0.0) })]
  }

  /// RFC 7946 section 3.1.6.
  private static func counterClockwise(_ points: [CAPAlert.Point]) -> [CAPAlert.Point] {
    let area = zip(points, points.dropFirst()).reduce(0) {
      $0 + $1.0.longitude * $1.1.latitude - $1.1.longitude * $1.0.latitude
    }
    return area < 0 ? points.reversed() : points
  }
}

extension CAPAlert.Circle {
  /// 32 points around it. Where a pole or the date line is near, they are cut off there.
  fileprivate var ring: [CAPAlert.Point] {
    let degrees = max(radius, 0.001) / 111.195
    let width = max(0.01, cos(centre.latitude * .pi / 180))
    let points = (0..<32).map { step -> CAPAlert.Point in
      let angle = Double(step) * .pi / 16
      return .init(
        latitude: min(90, max(-90, centre.latitude + degrees * sin(angle))),
        longitude: min(180, max(-180, centre.longitude + degrees / width * cos(angle))))
    }
    return points + points.prefix(1)
  }
}
