import Hummingbird
import NGSI

/// `/grants/{id}`: one grant, what was done about it, and what the reader may do.
enum GrantPage {
  /// What went wrong with a deed, shown on the page with what was typed.
  private struct Fault {
    var deed: String
    var sentence: String
    var detail = ""
    var status: HTTPResponse.Status
    var form: Query
  }

  static func answer(_ visit: Visit, id: String) async throws -> Response {
    guard let source = visit.grants else { return GrantsPage.open(visit, status: .notFound) }
    return await page(visit, source, id, nil)
  }

  /// Carries out what a form of the page asks for.
  static func answer(_ visit: Visit, id: String, _ form: Query) async throws -> Response {
    guard let source = visit.grants else { return GrantsPage.open(visit, status: .notFound) }
    let name = form["deed"] ?? ""
    guard ["approve", "refuse", "revoke", "review"].contains(name) else {
      return await page(visit, source, id, nil)
    }
    let note = (form["note"] ?? "").trimming()
    func fault(_ key: String) -> Fault {
      Fault(deed: name, sentence: visit.text(key), status: .badRequest, form: form)
    }
    if note.utf8.count > GrantForm.longestText {
      return await page(visit, source, id, fault("faultNoteLong"))
    }
    let said = note.isEmpty ? nil : note
    let deed: GrantDeed
    switch name {
    case "approve": deed = .approve(note: said)
    case "refuse":
      guard said != nil else { return await page(visit, source, id, fault("faultRefuseNote")) }
      deed = .refuse(note: said)
    case "revoke": deed = .revoke(note: said)
    default:
      guard let answer = form["justified"], ["yes", "no"].contains(answer), let said else {
        return await page(visit, source, id, fault("faultReview"))
      }
      deed = .review(isJustified: answer == "yes", note: said)
    }
    do throws(GrantRefusal) {
      try await source.carryOut(deed, on: id)
    } catch {
      return await page(
        visit, source, id,
        Fault(
          deed: name, sentence: visit.sentence(error, name), detail: error.detail, status: error.status, form: form))
    }
    // Loading the page again does nothing again.
    return Answer.seeOther(visit.grantsPath("/" + Percent.encode(id), "done=" + name))
  }

  private static func page(_ visit: Visit, _ source: any GrantSource, _ id: String, _ fault: Fault?) async -> Response {
    let grant: GrantView
    do throws(GrantRefusal) { grant = try await source.grant(id) } catch { return GrantsPage.refused(visit, error) }
    var content = visit.row(grant)
    content.merge(facts(visit, grant)) { _, new in new }
    content.merge(visit.grantLinks) { _, new in new }
    content["steps"] = grant.steps.map { step(visit, $0) }
    content["canDecide"] = grant.next.contains(.decide)
    // Who decides a request refuses it; to withdraw it is for who asked.
    content["canRevoke"] = grant.next.contains(.revoke) && !(grant.state == .requested && grant.next.contains(.decide))
    content["canReview"] = grant.next.contains(.review)
    content["canNothing"] = grant.next.isEmpty
    content["revokeLabel"] = visit.text(grant.state == .requested ? "withdraw" : "revoke")
    content["revokeHint"] = visit.text(grant.state == .requested ? "withdrawHint" : "revokeHint")
    if let fault {
      content["fault"] = fault.sentence
      content["faultDetail"] = fault.detail
      content["note_" + (fault.deed == "refuse" ? "approve" : fault.deed)] = fault.form["note"] ?? ""
      content["justified_" + (fault.form["justified"] ?? "")] = true
    } else if let done = visit.query["done"],
      ["request", "break-glass", "approve", "refuse", "revoke", "review"].contains(done),
      grant.steps.last?.kind == done
    {
      content["done"] = visit.text("done_" + done)
    }
    return PageFrame.answer(
      visit, template: "grant", title: grant.purpose, section: "grants", content: content.withoutEmpty,
      status: fault?.status ?? .ok)
  }

  private static func facts(_ visit: Visit, _ grant: GrantView) -> [String: Any] {
    let time = visit.room.time
    var facts: [String: Any] = [
      "grantId": grant.id, "legalBasis": grant.legalBasis, "actions": visit.actions(grant),
      "things": grant.things.map { thing(visit, $0) }, "hasThings": !grant.things.isEmpty,
      "attributes": grant.attributes.joined(separator: ", "),
      "from": time.text(grant.from), "fromTime": grant.from.description, "to": time.text(grant.to),
      "toTime": grant.to.description, "zone": "\(time.zone.identifier), \(time.offset(grant.to))",
      "length": visit.room.strings.length(
        ((grant.to.secondsSince1970 - grant.from.secondsSince1970) / 60).rounded() * 60, visit.language),
      "verdict": ["alarm": "red", "attention": "amber", "normal": "green"][grant.mark] ?? "plain",
      "meaning": meaning(visit, grant),
    ]
    if !grant.isBreakGlass {
      facts["approvals"] = visit.text(
        "approvalsOf", ["n": "\(grant.approvalsGiven)", "m": "\(grant.approvalsNeeded)"])
    }
    if grant.state == .active {
      facts["remaining"] = visit.room.strings.duration(
        grant.to.secondsSince1970 - visit.now.secondsSince1970, visit.language)
    }
    if let incident = grant.incident {
      facts["incident"] = incident
      if leadsToEntities(visit) { facts["incidentHref"] = Visit.entityPath(incident) }
    }
    if let command = grant.command { facts["command"] = command.indented() }
    return facts
  }

  private static func thing(_ visit: Visit, _ thing: GrantView.Thing) -> [String: Any] {
    var row: [String: Any] = ["thingText": visit.thing(thing)]
    if let id = thing.id, leadsToEntities(visit) { row["thingHref"] = Visit.entityPath(id) }
    return row
  }

  /// Pages of entities are for those who may watch, and show the default tenant.
  private static func leadsToEntities(_ visit: Visit) -> Bool {
    visit.room.source.reader?.mayWatch == true && visit.tenant.isEmpty
  }

  /// What its state means, and what comes next.
  private static func meaning(_ visit: Visit, _ grant: GrantView) -> String {
    let values = [
      "from": visit.room.time.text(grant.from), "to": visit.room.time.text(grant.to),
      "n": "\(max(grant.approvalsNeeded - grant.approvalsGiven, 0))",
    ]
    let isGiven = grant.state == .approved || grant.state == .active
    let key =
      if grant.next.contains(.review) {
        "meaningReview"
      } else if grant.next.contains(.decide) {
        isGiven ? "meaningDecideMore" : "meaningDecide"
      } else if isGiven, grant.command != nil {
        "meaningCommand"
      } else {
        "meaning_" + grant.state.rawValue
      }
    return visit.text(key, values)
  }

  private static func step(_ visit: Visit, _ step: GrantView.Step) -> [String: Any] {
    var row: [String: Any] = [
      "stepText": visit.text("step_" + step.kind), "stepWho": visit.who(step),
      "stepTime": step.at.description, "stepLocal": visit.room.time.text(step.at), "stepNote": step.note ?? "",
    ]
    if let isJustified = step.isJustified {
      row["stepVerdict"] = visit.text(isJustified ? "justifiedYes" : "justifiedNo")
    }
    if let entry = step.entry { row["stepEntry"] = "\(entry)" }
    return row.withoutEmpty
  }
}
