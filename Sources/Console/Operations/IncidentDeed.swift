import Incidents
import NGSI
import Safety

/// What a form of the incident's page asks for.
struct IncidentDeed {
  /// What is wrong with a form: the key of a sentence that says what to do.
  struct Fault: Error {
    var key: String
    var deed: String
  }

  let name: String
  let command: Command
  /// The same form sent twice is the same command.
  let id: String

  static let longestText = Incident.Bounds.text

  /// - Throws: ``Fault`` for what is missing or too long; `Problem` for what cannot be read.
  init(_ form: Query, asking: Party, plan: SafetyPlan) throws {
    name = form["deed"] ?? ""
    let deed = name
    func text(_ field: String, _ key: String, needed: Bool = true) throws(Fault) -> String {
      // Lines of forms end with two characters.
      let text = (form[field] ?? "").replacing("\r\n", with: "\n").trimming()
      if text.isEmpty, needed { throw Fault(key: key, deed: deed) }
      if text.utf8.count > Self.longestText { throw Fault(key: "faultIncidentLong", deed: deed) }
      return text
    }
    guard let id = form["id"], !id.isEmpty, id.utf8.count <= 100, !id.hasPrefix(SafetyService.ownPrefix) else {
      throw Fault(key: "faultIncidentForm", deed: deed)
    }
    self.id = id
    switch name {
    case "acknowledge": command = .acknowledge
    case "take": command = .assign(asking)
    case "release": command = .assign(nil)
    case "handOver":
      let agency = try text("agency", "", needed: false)
      command = .handOver(
        to: Party(.person, id: try text("to", "faultHandOver"), agency: agency.isEmpty ? nil : agency),
        summary: try text("summary", "faultSummary"))
    case "note":
      let audience = try text("audience", "", needed: false).split { $0 == "," || $0.isWhitespace }.map(String.init)
      command = .note(try text("text", "faultNote"), audience: audience)
    case "tell": command = .tell(try text("text", "faultNote"))
    case "step":
      let step = try text("step", "faultIncidentForm")
      let said = try text("note", "", needed: false)
      switch form["action"] {
      case "start": command = .step(id: step, .start)
      case "done": command = .step(id: step, .done(note: said.isEmpty ? nil : said))
      case "skip": command = .step(id: step, .skip(reason: try text("note", "faultSkip")))
      case "undo": command = .step(id: step, .undo(reason: said.isEmpty ? "-" : said))
      default: throw Fault(key: "faultIncidentForm", deed: deed)
      }
    case "begin":
      guard let procedure = plan.procedure(form["procedure"] ?? "") else {
        throw Fault(key: "faultIncidentForm", deed: deed)
      }
      command = .begin(procedure)
    case "dispatch":
      command = .dispatch(
        Dispatch(
          unit: try text("unit", "faultUnit"), agency: try text("agency", "faultAgency"),
          task: try text("task", "", needed: false)))
    case "unit":
      guard let status = Dispatch.Status(rawValue: form["status"] ?? "") else {
        throw Fault(key: "faultIncidentForm", deed: deed)
      }
      let reason = try text("reason", "", needed: false)
      command = .unit(id: try text("unit", "faultIncidentForm"), status, reason: reason.isEmpty ? nil : reason)
    case "involve": command = .involve(agency: try text("agency", "faultAgency"))
    case "classify":
      let category = try text("category", "", needed: false)
      let severity = Severity(rawValue: form["severity"] ?? "")
      guard !category.isEmpty || severity != nil else { throw Fault(key: "faultClassify", deed: deed) }
      command = .classify(
        category: category.isEmpty ? nil : category, severity: severity, reason: try text("reason", "faultReason"))
    case "merge": command = .merge(into: try text("into", "faultMerge"))
    case "resolve":
      guard let kind = Command.Outcome.Kind(rawValue: form["outcome"] ?? "") else {
        throw Fault(key: "faultOutcome", deed: deed)
      }
      command = .resolve(.init(kind, text: try text("text", "faultOutcomeText")))
    case "close": command = .close(summary: try text("summary", "faultSummary"))
    case "reopen": command = .reopen(reason: try text("reason", "faultReason"))
    default: throw Fault(key: "faultIncidentForm", deed: deed)
    }
    // The same bounds as by the API.
    _ = try Command(json: command.json)
  }
}
