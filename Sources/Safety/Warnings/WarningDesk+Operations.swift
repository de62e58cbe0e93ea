import CAP
import Hub
import HubHTTP
import NGSI
import Store

// What is answered about warnings below `/city/v1/safety/`.
extension WarningDesk {
  static let capType = "application/cap+xml"

  var operations: [ServiceOperation] {
    [
      ServiceOperation(
        .post, "warnings", "Issues a warning",
        body: Self.draftSchema(["id", "category", "urgency", "certainty", "expires", "areas"]),
        statuses: [200, 201]
      ) { [self] call throws(Problem) in
        let (warning, isNew) = try await issue(call.body, in: call.tenant)
        return ServiceOperation.Answer(
          warning.json(at: hub.time), status: isNew ? 201 : 200, location: Self.door + "/" + warning.id)
      },
      ServiceOperation(
        .post, "warnings/{warning}/update", "Says anew what people are warned of",
        body: Self.draftSchema(["id", "category", "urgency", "certainty", "expires", "areas", "info"])
      ) { [self] call throws(Problem) in
        ServiceOperation.Answer(
          try await change(call.names["warning"] ?? "", .update, call.body, in: call.tenant).json(at: hub.time))
      },
      ServiceOperation(
        .post, "warnings/{warning}/cancel", "Says that a warning is over",
        body: [
          "type": "object", "required": ["id", "reason"],
          "properties": ["id": ["type": "string", "minLength": 1, "maxLength": 200], "reason": ["type": "object"]],
        ]
      ) { [self] call throws(Problem) in
        ServiceOperation.Answer(
          try await change(call.names["warning"] ?? "", .cancel, call.body, in: call.tenant).json(at: hub.time))
      },
      ServiceOperation(
        .get, "warnings", "The warnings in force, or all (state=all)", parameters: ["state"], isList: true
      ) { [self] call throws(Problem) in
        guard [nil, "in-force", "all"].contains(call.parameters["state"]) else {
          throw .badRequest("'state' is in-force or all")
        }
        if call.parameters["state"] == "all" {
          let heads = try hub.documents(
            of: SafetyService.name, in: WarningShelf.heads, from: call.page.offset, limit: call.page.limit,
            of: call.tenant)
          return ServiceOperation.Answer(.array(try shown(heads, in: call.tenant).map { $0.json(at: hub.time) }))
        }
        let all = try inForce(in: call.tenant)
        return ServiceOperation.Answer(
          .array(all.dropFirst(call.page.offset).prefix(call.page.limit).map { $0.json(at: hub.time) }),
          total: all.count)
      },
      ServiceOperation(
        .get, "warnings.atom", "The warnings in force that are for real and for all (Atom, RFC 4287)",
        gives: "application/atom+xml"
      ) { [self] call throws(Problem) in
        // Exercises, tests and what is not for all stand in no list that machines pass on.
        let warnings = try inForce(in: call.tenant).filter {
          $0.kind == .actual && $0.alert.scope == .open && $0.alert.status == .actual
        }
        return ServiceOperation.Answer(
          content: "application/atom+xml", Array(AtomFeed.text(warnings, plan.warnings, at: hub.time).utf8))
      },
      ServiceOperation(
        .get, "warnings/{warning}.cap", "A warning's last message (CAP 1.2)", gives: Self.capType
      ) { [self] call throws(Problem) in
        let (warning, messages) = try whole(call.names["warning"] ?? "", in: call.tenant)
        // Of others as it came, to the byte: a signature would break otherwise.
        let last = messages.last { $0["sequence"]?.integer.map(Int.init) == warning.sequence }
        return ServiceOperation.Answer(content: Self.capType, Array((last?["cap"]?.string ?? warning.alert.xml).utf8))
      },
      ServiceOperation(.get, "warnings/{warning}", "A warning with all of its messages") {
        [self] call throws(Problem) in
        let (warning, messages) = try whole(call.names["warning"] ?? "", in: call.tenant)
        guard case .object(var shown) = warning.json(at: hub.time) else { return ServiceOperation.Answer() }
        shown["messages"] = .array(messages)
        return ServiceOperation.Answer(.object(shown))
      },
      ServiceOperation(
        .post, "cap", "Takes a CAP message of others, as a warning or as a report of an incident (as=report)",
        parameters: ["as"], takes: [Self.capType, "application/xml", "text/xml"], statuses: [200, 201]
      ) { [self] call throws(Problem) in
        do throws(Problem) { return try await taken(call) } catch {
          if error.status < 500 {
            hub.noteRefused(
              RefusedInput(
                door: "cap", source: Caller.current.source ?? "", tenant: call.tenant, problem: error,
                sample: String(decoding: call.content.prefix(512), as: UTF8.self)))
          }
          throw error
        }
      },
    ]
  }

  private func taken(_ call: ServiceOperation.Call) async throws(Problem) -> ServiceOperation.Answer {
    switch call.parameters["as"] {
    case nil, "warning":
      let (warning, way) = try await take(call.content, in: call.tenant)
      return ServiceOperation.Answer(
        .object(
          JSONObject(of: [
            "way": .string(way.rawValue), "warning": warning.map { .string($0.id) },
            "doubts": warning.map { .array($0.alert.doubts.map(\.json)) },
          ])), status: way == .opened ? 201 : 200, location: warning.map { Self.door + "/" + $0.id })
    case "report":
      let (taken, way) = try await takeAsReport(call.content, in: call.tenant)
      return ServiceOperation.Answer(
        .object(JSONObject(of: ["way": .string(way.rawValue), "incident": taken.incident.map(JSON.string)])),
        status: way == .opened ? 201 : 200, location: taken.incident.map { SafetyService.door + "/" + $0 })
    default: throw .badRequest("'as' is warning or report")
    }
  }

  // MARK: - Reading

  /// All in force that the caller may see whole, the newest first.
  public func warningsInForce(in tenant: Tenant) throws(Problem) -> [JSON] {
    try inForce(in: tenant).map { $0.json(at: hub.time) }
  }

  private func inForce(in tenant: Tenant) throws(Problem) -> [Warning] {
    let active = try hub.documents(of: SafetyService.name, in: WarningShelf.active, limit: 1_000, of: tenant)
    var heads: [(id: String, body: JSON)] = []
    for (id, _) in active {
      if let head = try hub.document(of: SafetyService.name, id, in: WarningShelf.heads, of: tenant) {
        heads.append((id, head))
      }
    }
    let time = hub.time
    return try shown(heads, in: tenant).filter { $0.state(at: time) == "in-force" }.sorted {
      $0.alert.sent > $1.alert.sent
    }
  }

  private func shown(_ heads: [(id: String, body: JSON)], in tenant: Tenant) throws(Problem) -> [Warning] {
    let sees = try hub.sight(in: tenant)
    let time = hub.time
    var warnings: [Warning] = []
    for (id, head) in heads {
      guard let warning = try? WarningShelf.warning(id, head), sees(warning.facts(at: time)) else { continue }
      warnings.append(warning)
    }
    return warnings
  }

  /// - Throws: `ResourceNotFound` for one that the caller may not know of, `Forbidden` for one that he may see in part.
  private func whole(_ id: String, in tenant: Tenant) throws(Problem) -> (Warning, [JSON]) {
    let seen = try hub.entity(id, in: tenant)
    guard let head = try hub.document(of: SafetyService.name, id, in: WarningShelf.heads, of: tenant) else {
      throw .notFound("there is no warning \(id.prefix(200))")
    }
    let warning = try WarningShelf.warning(id, head)
    let all = Caller.$current.withValue(.city) { Result { () throws(Problem) in try hub.entity(id, in: tenant) } }
    guard seen.attributes.count == (try all.get().attributes.count) else {
      throw Problem(.forbidden, "rules hide part of the warning \(id); what you may see of it is its entity")
    }
    let messages = try hub.documents(
      of: SafetyService.name, in: WarningShelf.messages(of: id), limit: 2 * Warning.messages, of: tenant)
    return (warning, messages.map(\.body))
  }

  private static func draftSchema(_ required: [String]) -> JSON {
    func codes<Code: RawRepresentable & CaseIterable>(_: Code.Type) -> JSON where Code.RawValue == String {
      .array(Code.allCases.map { .string($0.rawValue) })
    }
    return [
      "type": "object", "required": .array(required.map(JSON.string)),
      "properties": [
        "id": ["type": "string", "minLength": 1, "maxLength": 200], "incident": ["type": "string", "minLength": 1],
        "exercise": ["type": "string", "minLength": 1], "test": ["type": "boolean"],
        "scope": ["type": "string", "enum": codes(CAPAlert.Scope.self)],
        "category": ["type": "array", "items": ["type": "string", "enum": codes(CAPAlert.Info.Category.self)]],
        "responseTypes": ["type": "array", "items": ["type": "string", "enum": codes(CAPAlert.Info.Response.self)]],
        "urgency": ["type": "string", "enum": codes(CAPAlert.Info.Urgency.self)],
        "severity": ["type": "string", "enum": codes(CAPAlert.Info.Severity.self)],
        "certainty": ["type": "string", "enum": codes(CAPAlert.Info.Certainty.self)],
        "onset": ["type": "string", "format": "date-time"], "expires": ["type": "string", "format": "date-time"],
        "info": ["type": "array", "items": ["type": "object"]],
        "areas": ["type": "array", "items": ["type": "object"]],
      ],
    ]
  }
}

extension CAPAlert.Doubt {
  var json: JSON { ["element": .string(element), "text": .string(text), "reason": .string(reason)] }
}
