import NGSI

extension Command {
  /// Reads a command: an object whose `command` is its name, with the members that the name wants.
  ///
  /// - Throws: `BadRequestData` with the member's name.
  public init(json: JSON?) throws(Problem) {
    guard let name = json?.object?["command"]?.string else {
      throw .badRequest("'command' names what is to be done: \(Self.names.sorted().joined(separator: ", "))")
    }
    func fields(_ members: Set<String>) throws(Problem) -> Fields {
      try Fields(json, "", only: members.union(["command"]))
    }
    switch name {
    case "report": self = .report(try Report(json: fields(["report"]).object["report"]))
    case "repeated":
      let fields = try fields(["source", "number", "times"])
      self = .repeated(
        Report.Key(source: try fields.text("source", most: 200), number: try fields.text("number", most: 200)),
        times: try fields.need("times", fields.integer("times", in: 1...1_000_000_000)))
    case "merge": self = .merge(into: try fields(["into"]).text("into", most: 500))
    case "absorb":
      let fields = try fields(["incident", "reports", "units", "agencies", "severity", "alarming"])
      self = .absorb(
        Absorbed(
          incident: try fields.text("incident", most: 500),
          reports: try fields.list("reports", most: Incident.Bounds.reports) { json, path throws(Problem) in
            try Report(json: json, path)
          },
          units: try fields.list("units", most: Incident.Bounds.dispatches) { json, path throws(Problem) in
            try Dispatch.State(json: json, path)
          }, agencies: try fields.texts("agencies", most: Incident.Bounds.agencies),
          severity: try fields.choice("severity") ?? .unknown, isAlarming: try fields.flag("alarming") ?? false))
    case "acknowledge":
      _ = try fields([])
      self = .acknowledge
    case "assign":
      let to = try fields(["to"]).object["to"]
      self = .assign(to == nil || to == .null ? nil : try Party(json: to, "to"))
    case "classify":
      let fields = try fields(["category", "severity", "reason"])
      self = .classify(
        category: try fields.optional("category", most: 100), severity: try fields.choice("severity"),
        reason: try fields.text("reason"))
    case "locate":
      let fields = try fields(["position", "address"])
      self = .locate(
        try Position(json: fields.object["position"], "position"), address: try fields.optional("address", most: 500))
    case "involve": self = .involve(agency: try fields(["agency"]).text("agency", most: 200))
    case "begin": self = .begin(try Procedure(json: fields(["procedure"]).object["procedure"]))
    case "step":
      let fields = try fields(["step", "action", "note", "reason"])
      self = .step(id: try fields.text("step", most: 100), try StepAction(fields))
    case "dispatch": self = .dispatch(try Dispatch(fields(["unit", "agency", "task"])))
    case "unit":
      let fields = try fields(["unit", "status", "reason"])
      self = .unit(
        id: try fields.text("unit", most: 200), try fields.need("status", fields.choice("status")),
        reason: try fields.optional("reason"))
    case "grant": self = .grant(id: try fields(["grant"]).text("grant", most: 500))
    case "note":
      let fields = try fields(["text", "audience"])
      self = .note(try fields.text("text"), audience: try fields.texts("audience", most: Incident.Bounds.agencies))
    case "tell": self = .tell(try fields(["text"]).text("text", most: 1_000))
    case "handOver":
      let fields = try fields(["to", "summary"])
      self = .handOver(to: try Party(json: fields.object["to"], "to"), summary: try fields.text("summary"))
    case "resolve":
      let fields = try fields(["outcome", "text"])
      self = .resolve(Outcome(try fields.need("outcome", fields.choice("outcome")), text: try fields.text("text")))
    case "close": self = .close(summary: try fields(["summary"]).text("summary"))
    case "reopen": self = .reopen(reason: try fields(["reason"]).text("reason"))
    default:
      throw .badRequest(
        "there is no command '\(name.prefix(60))'; there are \(Self.names.sorted().joined(separator: ", "))")
    }
  }

  static let names: Set<String> = [
    "report", "repeated", "merge", "absorb", "acknowledge", "assign", "classify", "locate", "involve", "begin", "step",
    "dispatch", "unit", "grant", "note", "tell", "handOver", "resolve", "close", "reopen",
  ]

  /// What ``init(json:)`` reads.
  public var json: JSON {
    var object = JSONObject()
    object["command"] = .string(name)
    for member in members.members { object[member.key] = member.value }
    return .object(object)
  }

  private var members: JSONObject {
    switch self {
    case .report(let report): JSONObject(of: ["report": report.json])
    case .repeated(let key, let times):
      JSONObject(of: [
        "source": .string(key.source), "number": .string(key.number), "times": .integer(Int64(times)),
      ])
    case .merge(let other): JSONObject(of: ["into": .string(other)])
    case .absorb(let other):
      JSONObject(of: [
        "incident": .string(other.incident), "reports": .array(other.reports.map(\.json)),
        "units": other.units.isEmpty ? nil : .array(other.units.map(\.json)),
        "agencies": other.agencies.isEmpty ? nil : .array(other.agencies.map(JSON.string)),
        "severity": .string(other.severity.rawValue), "alarming": .bool(other.isAlarming),
      ])
    case .acknowledge: JSONObject()
    case .assign(let party): JSONObject(of: ["to": party?.json])
    case .classify(let category, let severity, let reason):
      JSONObject(of: [
        "category": category.map(JSON.string), "severity": severity.map { .string($0.rawValue) },
        "reason": .string(reason),
      ])
    case .locate(let position, let address):
      JSONObject(of: ["position": position.json, "address": address.map(JSON.string)])
    case .involve(let agency): JSONObject(of: ["agency": .string(agency)])
    case .begin(let procedure): JSONObject(of: ["procedure": procedure.json])
    case .step(let id, let action): action.members(of: id)
    case .dispatch(let dispatch): dispatch.members
    case .unit(let unit, let status, let reason):
      JSONObject(of: [
        "unit": .string(unit), "status": .string(status.rawValue), "reason": reason.map(JSON.string),
      ])
    case .grant(let id): JSONObject(of: ["grant": .string(id)])
    case .tell(let text): JSONObject(of: ["text": .string(text)])
    case .note(let text, let audience):
      JSONObject(of: ["text": .string(text), "audience": audience.isEmpty ? nil : .array(audience.map(JSON.string))])
    case .handOver(let party, let summary): JSONObject(of: ["to": party.json, "summary": .string(summary)])
    case .resolve(let outcome):
      JSONObject(of: ["outcome": .string(outcome.kind.rawValue), "text": .string(outcome.text)])
    case .close(let summary): JSONObject(of: ["summary": .string(summary)])
    case .reopen(let reason): JSONObject(of: ["reason": .string(reason)])
    }
  }
}

extension Command.StepAction {
  private enum Name: String, CaseIterable { case start, done, skip, undo }

  fileprivate init(_ fields: Fields) throws(Problem) {
    switch try fields.need("action", fields.choice("action", Name.self)) {
    case .start: self = .start
    case .done: self = .done(note: try fields.optional("note"))
    case .skip: self = .skip(reason: try fields.text("reason"))
    case .undo: self = .undo(reason: try fields.text("reason"))
    }
  }

  fileprivate func members(of step: String) -> JSONObject {
    let (name, note, reason): (Name, String?, String?) =
      switch self {
      case .start: (.start, nil, nil)
      case .done(let note): (.done, note, nil)
      case .skip(let reason): (.skip, nil, reason)
      case .undo(let reason): (.undo, nil, reason)
      }
    return JSONObject(of: [
      "step": .string(step), "action": .string(name.rawValue), "note": note.map(JSON.string),
      "reason": reason.map(JSON.string),
    ])
  }
}

extension Dispatch {
  fileprivate init(_ fields: Fields) throws(Problem) {
    self.init(
      unit: try fields.text("unit", most: 200), agency: try fields.text("agency", most: 200),
      task: try fields.optional("task") ?? "")
  }

  fileprivate var members: JSONObject {
    JSONObject(of: ["unit": .string(unit), "agency": .string(agency), "task": task.isEmpty ? nil : .string(task)])
  }
}

extension Dispatch.State {
  init(json: JSON?, _ path: String) throws(Problem) {
    let fields = try Fields(json, path, only: ["unit", "agency", "task", "status", "times"])
    var times: [Dispatch.Status: DateTime] = [:]
    let said = try Fields(
      fields.object["times"], path + ".times", only: Set(Dispatch.Status.allCases.map(\.rawValue)))
    for status in Dispatch.Status.allCases { times[status] = try said.time(status.rawValue) }
    self.init(
      dispatch: try Dispatch(fields), status: try fields.need("status", fields.choice("status")), times: times)
  }

  public var json: JSON {
    var object = dispatch.members
    object["status"] = .string(status.rawValue)
    var reached = JSONObject()
    for status in Dispatch.Status.allCases { reached[status.rawValue] = times[status].map { .string($0.description) } }
    object["times"] = .object(reached)
    return .object(object)
  }
}

extension Entry {
  /// - Throws: `BadRequestData` with the member's name.
  public init(json: JSON?) throws(Problem) {
    let fields = try Fields(json, "entry", only: ["sequence", "id", "at", "by", "did"])
    self.init(
      sequence: try fields.need("sequence", fields.integer("sequence", in: 1...1_000_000)),
      id: try fields.text("id", most: 500), at: try fields.need("at", fields.time("at")),
      by: try Party(json: fields.object["by"]), command: try Command(json: fields.object["did"]))
  }

  public var json: JSON {
    .object(
      JSONObject(of: [
        "sequence": .integer(Int64(sequence)), "id": .string(id), "at": .string(at.description), "by": by.json,
        "did": command.json,
      ]))
  }
}
