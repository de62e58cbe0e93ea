import Hub
import Incidents
import NGSI

/// How records are kept: a document for each entry, which is never written again, and the entity that says what is known.
struct RecordShelf {
  static func entries(of incident: String) -> String { "incident/\(incident)" }

  /// Documents of reports: by source and number, which incident they went into.
  static let reports = "reports"
  /// How many incidents were opened on each day.
  static let days = "days"
  static let heads = "heads"
  /// The ids of incidents that are open, to have them at hand after a start.
  static let open = "open"
  /// How often what was said was said again since that was last written down, by incident.
  static let repeats = "repeats"

  /// Reads a record, from what is at hand where that is what the store has.
  ///
  /// - Throws: `ResourceNotFound`; `InternalError` for a record that is damaged.
  static func record(_ id: String, _ known: Record?, _ transaction: ServiceTransaction) throws -> Record {
    guard let head = try transaction.document(id, in: heads) else {
      throw Problem.notFound("there is no incident \(id.prefix(200))")
    }
    let count = Int(head["sequence"]?.integer ?? 0)
    if let known, known.incident.sequence == count { return known }
    let bodies = try transaction.documents(in: entries(of: id), limit: Incident.Bounds.entries).map(\.body)
    return try fold(id, head, bodies)
  }

  static func fold(_ id: String, _ head: JSON, _ bodies: [JSON]) throws(Problem) -> Record {
    var entries: [Entry] = []
    for body in bodies { entries.append(try Entry(json: body)) }
    do throws(CommandRefusal) {
      let record = try Record(id: id, exercise: head["exercise"]?.string, folding: entries)
      guard record.incident.sequence == Int(head["sequence"]?.integer ?? 0) else { throw .notReported }
      return record
    } catch { throw Problem(.internalError, "the record of \(id) is damaged: \(error)") }
  }

  /// Keeps what has come to a record, with the entity and a statement for each entry.
  ///
  /// - Parameter asCity: whether it follows from something that the caller was permitted already.
  static func keep(
    _ record: Record, from first: Int, _ plan: SafetyPlan, asCity: Bool = false, _ transaction: inout ServiceTransaction
  ) throws {
    let incident = record.incident
    let entity = facts(incident, plan)
    if asCity { try transaction.putAsCity(entity) } else { try transaction.put(entity) }
    for entry in record.entries where entry.sequence >= first {
      let body = entry.json
      try transaction.keep(body, as: "\(incident.id)#\(entry.sequence)", in: entries(of: incident.id))
      transaction.state("incident-step", entry.command.name, of: incident.id, body)
    }
    let head = JSONObject(of: [
      "sequence": .integer(Int64(incident.sequence)), "exercise": incident.exercise.map(JSON.string),
    ])
    try transaction.keep(.object(head), as: incident.id, in: heads)
    if incident.status.isOver {
      try transaction.drop(incident.id, in: open)
    } else if try transaction.document(incident.id, in: open) == nil {
      try transaction.keep([:], as: incident.id, in: open)
    }
    try LinkShelf.tell(record, from: first, plan, transaction)
  }
}

extension RecordShelf {
  /// The incident's entity, with the titles that people read.
  static func facts(_ incident: Incident, _ plan: SafetyPlan) -> Entity {
    var entity = incident.facts
    if let title = plan.category(incident.category)?.title {
      entity.set("title", .string(title.korean))
      entity.set("titleEnglish", .string(title.english))
    }
    return entity
  }
}

extension Entity {
  fileprivate mutating func set(_ name: String, _ value: JSON) {
    let name = Context.core.expand(name)
    self[attribute: name] = AttributeSet(name: name, instances: [Attribute(kind: .property, value: value)])
  }
}
