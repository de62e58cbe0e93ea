import AgencyLink
import Incidents
import NGSI

/// Whether something is real or of an exercise. It is a type, so that what is of the one cannot be sent where the other is
/// wanted: no sender takes the other's messages, and none can be made of the other's incidents.
protocol Footing: Sendable {
  /// Whether an incident stands on it.
  static func holds(_ exercise: String?) -> Bool
  /// A text as it leaves.
  static func marked(_ text: String, _ exercise: String?) -> String
}

enum RealFooting: Footing {
  static func holds(_ exercise: String?) -> Bool { exercise == nil }
  static func marked(_ text: String, _ exercise: String?) -> String { text }
}

enum ExerciseFooting: Footing {
  static func holds(_ exercise: String?) -> Bool { exercise != nil }
  static func marked(_ text: String, _ exercise: String?) -> String {
    "[훈련/EXERCISE \((exercise ?? "").wired(to: 60))] \(text)"
  }
}

/// A message about an incident that is to leave, on its footing.
struct Outgoing<On: Footing>: Sendable {
  let incident: String
  let exercise: String?
  let body: EventBody
  /// Why the far side refused it; a person decides.
  var setAside: String?

  /// - Returns: `nil` for an incident that does not stand on the footing.
  init?(
    of incident: Incident, by entry: Entry, _ link: ServiceLink, title: String, event: String, number: String,
    status: OccurrenceStatus
  ) {
    guard On.holds(incident.exercise) else { return nil }
    self.incident = incident.id
    exercise = incident.exercise
    var body = EventBody(event: event, number: number, status: .occurred)
    body.name = On.marked(title, incident.exercise).wired(to: 150)
    body.grade = link.grades[incident.severity]
    body.coordinates = incident.position.map { .init(longitude: $0.longitude, latitude: $0.latitude) }
    body.place = incident.address?.wired(to: 200)
    let text = incident.reports.first { $0.text != nil }?.text ?? title
    body.content = On.marked(text, incident.exercise).wired(to: 400)
    body.occurredAt = incident.openedAt
    body.items = [.init("INCIDENT", incident.id), .init("SEVERITY", incident.severity.rawValue)]
    if let exercise { body.items.append(.init("EXERCISE", exercise.wired(to: 60))) }
    let user = entry.by.id.isEmpty ? nil : EventBody.User(id: entry.by.id.wired(to: 100), name: nil)
    self.body = body.moved(to: status, at: entry.at, by: user)
  }

  /// Reads one that was kept.
  ///
  /// - Returns: `nil` for what was not kept by ``json``, and for what stands on another footing: a far side that was one of
  ///   exercises may have become a real one since.
  init?(kept json: JSON) {
    exercise = json["exercise"]?.string
    guard On.holds(exercise), let incident = json["incident"]?.string, let kept = json["body"],
      let body = try? EventBody(kept: kept)
    else { return nil }
    self.incident = incident
    self.body = body
    setAside = json["setAside"]?.string
  }

  var json: JSON {
    .object(
      JSONObject(of: [
        "incident": .string(incident), "exercise": exercise.map(JSON.string), "body": body.json,
        "setAside": setAside.map(JSON.string),
      ]))
  }
}

extension String {
  /// Fit for a field of that many characters: without controls but lines and tabs.
  func wired(to most: Int) -> String {
    let scalars = unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F || $0 == "\n" || $0 == "\t" }
    return String(String.UnicodeScalarView(scalars.prefix(most)))
  }
}
