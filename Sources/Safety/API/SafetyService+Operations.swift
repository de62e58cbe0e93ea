import Hub
import HubHTTP
import Incidents
import NGSI
import Store

/// What the service answers below `/city/v1/safety/`.
extension SafetyService {
  public var operations: [ServiceOperation] {
    [
      ServiceOperation(
        .post, "reports", "Takes a report of an incident", body: Self.reportSchema, statuses: [200, 201]
      ) { [self] call throws(Problem) in
        var body = call.body.object ?? JSONObject()
        let exercise = body["exercise"]
        body["exercise"] = nil
        guard exercise == nil || exercise?.string?.isEmpty == false else { throw .badRequest("'exercise' is a name") }
        let report = try Report(sent: call.body.object == nil ? call.body : .object(body))
        let taken = try await self.report(report, exercise: exercise?.string, in: call.tenant)
        return ServiceOperation.Answer(
          taken.json, status: taken.way == .opened ? 201 : 200, location: taken.incident.map { Self.door + "/" + $0 })
      },
      ServiceOperation(
        .get, "incidents", "The incidents that are open, in the order in which they want to be looked at", isList: true
      ) { [self] call throws(Problem) in
        let queue = try queue(in: call.tenant)
        let time = hub.time
        let part = queue.dropFirst(call.page.offset).prefix(call.page.limit)
        // Who is shown them is recorded where the rules want it.
        for item in part { _ = try hub.entity(item.incident.id, in: call.tenant) }
        return ServiceOperation.Answer(
          .array(part.map { $0.json(at: time, plan.targets) }), total: queue.count)
      },
      ServiceOperation(
        .get, "incidents/{incident}", "An incident with its record, as it is or was at a time", parameters: ["at"]
      ) { [self] call throws(Problem) in
        var at: DateTime?
        if let text = call.parameters["at"] {
          guard let time = DateTime(text) else { throw .badRequest("'at' is a time such as 2026-01-31T12:00:00Z") }
          at = time
        }
        return ServiceOperation.Answer(try shown(call.names["incident"] ?? "", at: at, in: call.tenant))
      },
      ServiceOperation(
        .post, "incidents/{incident}/commands", "Does something about an incident", body: Self.commandSchema
      ) { [self] call throws(Problem) in try await command(call) },
      ServiceOperation(
        .post, "mobile-locations",
        "Takes the position that a handset sent with an emergency call (AML, ETSI TS 103 625)",
        body: [
          "type": "object", "required": ["message", "from"],
          "properties": [
            "message": ["type": "string", "minLength": 1], "from": ["type": "string", "minLength": 5, "maxLength": 40],
          ],
        ]
      ) { [self] call throws(Problem) in
        let fields = try Fields(call.body, "", only: ["message", "from"])
        let location = try AdvancedMobileLocation(message: try fields.text("message"))
        switch try await locate(location, of: try fields.text("from", most: 40), in: call.tenant) {
        case .joined(let incident):
          return ServiceOperation.Answer(
            .object(JSONObject(of: ["way": "joined", "incident": incident.map(JSON.string)])))
        case .waiting: return ServiceOperation.Answer(["way": "waiting"])
        case .nowhere: return ServiceOperation.Answer(["way": "nowhere"])
        }
      },
      ServiceOperation(.get, "plan", "Codes, procedures and targets of the city") { [self] _ throws(Problem) in
        ServiceOperation.Answer(plan.json)
      },
    ] + links.operations + warnings.operations
  }

  // MARK: - Commands

  /// What people and programs may say; the rest is the service's own.
  private static let given: Set<String> = [
    "merge", "acknowledge", "assign", "classify", "locate", "involve", "begin", "step", "dispatch", "unit", "grant",
    "note", "tell", "handOver", "resolve", "close", "reopen",
  ]

  private func command(_ call: ServiceOperation.Call) async throws(Problem) -> ServiceOperation.Answer {
    guard var body = call.body.object else { throw .badRequest("a command is an object") }
    guard let name = body["command"]?.string, Self.given.contains(name) else {
      throw .badRequest("'command' is one of \(Self.given.sorted().joined(separator: ", "))")
    }
    let wrapper = try Fields(
      .object(JSONObject(uniqueMembers: body.members.filter { ["id", "expected"].contains($0.key) })), "",
      only: ["id", "expected"])
    let id = try wrapper.text("id", most: 200)
    guard !id.hasPrefix(Self.ownPrefix) else { throw .badRequest("an 'id' does not begin with '\(Self.ownPrefix)'") }
    let expected = try wrapper.integer("expected", in: 1...1_000_000)
    body["id"] = nil
    body["expected"] = nil
    if name == "begin", let procedure = body["procedure"]?.string {
      guard let known = plan.procedure(procedure) else {
        throw .badRequest("there is no procedure '\(procedure.prefix(60))'")
      }
      body["procedure"] = known.json
    }
    let (incident, entry) = try await carryOut(
      try Command(json: .object(body)), as: id, on: call.names["incident"] ?? "", expected: expected, in: call.tenant)
    return ServiceOperation.Answer(
      ["entry": entry.json, "incident": incident.json(at: hub.time, plan.targets)])
  }

  // MARK: - What is shown

  private func shown(_ id: String, at time: DateTime?, in tenant: Tenant) throws(Problem) -> JSON {
    let record = try record(id, in: tenant)
    links.looked(at: record.incident)
    var incident = record.incident
    var entries = record.entries
    if let time {
      guard let then = record.incident(at: time) else { throw .notFound("the incident was not reported by \(time)") }
      incident = then
      entries = Array(entries.prefix(then.sequence))
    }
    let reader = Party(Caller.current)
    let shown = entries.filter { $0.isFor(reader) }
    return [
      "incident": incident.json(at: time ?? hub.time, plan.targets), "entries": .array(shown.map(\.json)),
      "hidden": .integer(Int64(entries.count - shown.count)),
    ]
  }

  private static let reportSchema: JSON = [
    "type": "object", "required": ["source", "number", "channel", "category"],
    "properties": [
      "source": ["type": "string", "minLength": 1, "maxLength": 200],
      "number": ["type": "string", "minLength": 1, "maxLength": 200],
      "channel": ["type": "string", "enum": .array(Report.Channel.allCases.map { .string($0.rawValue) })],
      "category": ["type": "string", "minLength": 1, "maxLength": 100],
      "severity": ["type": "string", "enum": .array(Severity.allCases.map { .string($0.rawValue) })],
      "observedAt": ["type": "string", "format": "date-time"], "position": positionSchema,
      "address": ["type": "string"], "text": ["type": "string"],
      "about": ["type": "array", "items": ["type": "string"]],
      "contact": ["type": "string"], "silent": ["type": "boolean"],
      "exercise": ["type": "string", "minLength": 1],
    ],
  ]

  private static let positionSchema: JSON = [
    "type": "object", "required": ["longitude", "latitude"],
    "properties": [
      "longitude": ["type": "number", "minimum": -180, "maximum": 180],
      "latitude": ["type": "number", "minimum": -90, "maximum": 90], "uncertainty": ["type": "number", "minimum": 0],
      "confidence": ["type": "integer", "minimum": 0, "maximum": 100],
    ],
  ]

  private static let commandSchema: JSON = [
    "type": "object", "required": ["command", "id"],
    "properties": [
      "command": ["type": "string", "enum": .array(given.sorted().map(JSON.string))],
      "id": ["type": "string", "minLength": 1, "maxLength": 200], "expected": ["type": "integer", "minimum": 1],
    ],
  ]
}

extension Entry {
  /// Whether somebody may read it: notes may be for some agencies only.
  func isFor(_ reader: Party) -> Bool {
    guard case .note(_, let audience) = command, !audience.isEmpty else { return true }
    return reader.kind == .city || by.isSame(as: reader) || reader.agency.map(audience.contains) ?? false
  }
}
