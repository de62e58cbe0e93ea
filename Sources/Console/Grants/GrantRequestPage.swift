import Hummingbird
import NGSI

/// `/grants/new`: asks for a grant; with `glass=1` it takes one at once.
enum GrantRequestPage {
  static func answer(_ visit: Visit) async throws -> Response {
    guard let source = visit.grants else { return GrantsPage.open(visit) }
    let offer: GrantOffer
    do throws(GrantRefusal) { offer = try await source.offer() } catch { return GrantsPage.refused(visit, error) }
    let form = GrantForm(
      isBreakGlass: isBreakGlass(visit), isCommand: isCommand(visit), offer: offer, now: visit.now,
      time: visit.room.time, led: visit.query)
    return await page(visit, form, offer)
  }

  static func answer(_ visit: Visit, _ sent: Query) async throws -> Response {
    guard let source = visit.grants else { return GrantsPage.open(visit) }
    let offer: GrantOffer
    do throws(GrantRefusal) { offer = try await source.offer() } catch { return GrantsPage.refused(visit, error) }
    let form = GrantForm(isBreakGlass: isBreakGlass(visit), isCommand: isCommand(visit), sent: sent)
    guard !form.asksForRows else { return await page(visit, form, offer) }
    switch form.wish(offer, now: visit.now, time: visit.room.time) {
    case .failure(let faults): return await page(visit, form, offer, faults.all, status: .badRequest)
    case .success(let wish):
      do throws(GrantRefusal) {
        let id = try await source.request(wish)
        return Answer.seeOther(
          visit.grantsPath("/" + Percent.encode(id), "done=" + (form.isBreakGlass ? "break-glass" : "request")))
      } catch {
        // Everything else was looked at before: the incident alone is known to the hub only.
        if error.kind == .invalid, wish.incident != nil {
          let fault = GrantForm.Fault(field: "incident", key: "faultIncidentEnded")
          return await page(visit, form, offer, [fault], detail: error.detail, status: error.status)
        }
        let sentence = visit.sentence(error, form.isBreakGlass ? "break-glass" : "request")
        return await page(visit, form, offer, sentence: sentence, detail: error.detail, status: error.status)
      }
    }
  }

  private static func isBreakGlass(_ visit: Visit) -> Bool { visit.query["glass"] == "1" }

  private static func isCommand(_ visit: Visit) -> Bool { visit.query["command"] == "1" && !isBreakGlass(visit) }

  private static func page(
    _ visit: Visit, _ form: GrantForm, _ offer: GrantOffer, _ faults: [GrantForm.Fault] = [], sentence: String? = nil,
    detail: String = "", status: HTTPResponse.Status = .ok
  ) async -> Response {
    let words = visit.room.strings
    func duration(_ seconds: Double) -> String { words.length(seconds, visit.language) }
    let said = Dictionary(faults.map { ($0.field, visit.text($0.key, $0.values)) }) { first, _ in first }
    var content: [String: Any] = [
      "isBreakGlass": form.isBreakGlass, "mayRequest": offer.mayRequest, "mayBreakGlass": offer.mayBreakGlass,
      "mayNot": form.isBreakGlass ? !offer.mayBreakGlass : !offer.mayRequest,
      "action": visit.grantsPath("/new", form.isBreakGlass ? "glass=1" : form.isCommand ? "command=1" : ""),
      "isCommand": form.isCommand, "commandEntity": form["commandEntity"],
      "commandAttributes": form["commandAttributes"],
      "texts": ["purpose", "legalBasis", "reason", "incident"].map { text(visit, form, $0, said) },
      "actions": GrantForm.actions.map { action in
        [
          "actionId": "a-" + action, "actionText": visit.text("action_" + action),
          "actionChosen": form["a-" + action] == "1",
        ] as [String: Any]
      },
      "rowCount": "\(form.rows)", "things": (0..<form.rows).map { thing(visit, form, $0, said) },
      "mayAddRows": form.rows < GrantForm.mostThings,
      "attributes": form["attributes"], "from": form["from"], "to": form["to"],
      "agency": form["agency"], "role": form["role"], "grantee_" + form.grantee: true,
      "ownAgency": visit.room.source.reader?.agency ?? "", "roles": offer.roles.map { ["roleName": $0] },
      "zoneHint": visit.text(
        "zoneHint", ["zone": visit.room.time.zone.identifier, "offset": visit.room.time.offset(visit.now)]),
      "longestHint": visit.text("longestHint", ["longest": duration(offer.longest)]),
      "reviewHint": visit.text("glassReview", ["review": duration(offer.review)]),
      "approvalsHint": visit.text("approvalsHint", ["n": "\(offer.approvals)"]),
      "lengths": GrantForm.minutes(upTo: offer.longestBreakGlass).map { minutes in
        [
          "minutes": "\(minutes)", "minutesText": duration(Double(minutes) * 60),
          "minutesChosen": form["minutes"] == "\(minutes)",
        ] as [String: Any]
      },
      "understood": form["understood"] == "1",
      "faults": faults.map { ["faultField": $0.field, "faultText": visit.text($0.key, $0.values)] },
      "hasFaults": !faults.isEmpty, "sentence": sentence ?? "", "detail": detail,
      "types": await types(visit),
    ]
    content.merge(visit.grantLinks) { _, new in new }
    content["fault_actions"] = said["a-read"] ?? ""
    content["fault_self"] = said["grantee-self"] ?? ""
    for field in [
      "agency", "role", "attributes", "from", "to", "minutes", "understood", "type0", "commandEntity",
      "commandAttributes",
    ] {
      content["fault_" + field] = said[field] ?? ""
    }
    return PageFrame.answer(
      visit, template: "grant-new",
      title: visit.text(form.isBreakGlass ? "glassTitle" : form.isCommand ? "commandTitle" : "askTitle"),
      section: "grants",
      content: content.withoutEmpty, status: status)
  }

  /// Types that there are, for those who may see them without a record.
  private static func types(_ visit: Visit) async -> [[String: String]] {
    // The board knows the default tenant.
    guard visit.room.source.reader?.mayGlance == true, visit.tenant.isEmpty else { return [] }
    return await visit.room.board.overview(at: visit.now).types.map {
      ["typeName": $0.type, "typeLabel": visit.room.names.type($0.type, visit.language)]
    }
  }

  private static func text(
    _ visit: Visit, _ form: GrantForm, _ field: String, _ said: [String: String]
  ) -> [String: Any] {
    let row: [String: Any] = [
      "fieldId": field, "fieldLabel": visit.text("field_" + field), "fieldHint": visit.text("hint_" + field),
      "fieldValue": form[field], "fieldFault": said[field] ?? "", "fieldNeeded": field != "incident",
    ]
    return row.withoutEmpty
  }

  private static func thing(
    _ visit: Visit, _ form: GrantForm, _ row: Int, _ said: [String: String]
  ) -> [String: Any] {
    let faults = ["id", "type", "scope"].compactMap { said["\($0)\(row)"] }
    let content: [String: Any] = [
      "rowNumber": "\(row)", "rowLabel": visit.text("thingRow", ["n": "\(row + 1)"]), "idValue": form["id\(row)"],
      "typeValue": form["type\(row)"], "scopeValue": form["scope\(row)"], "rowFault": faults.joined(separator: " "),
    ]
    return content.withoutEmpty
  }
}
