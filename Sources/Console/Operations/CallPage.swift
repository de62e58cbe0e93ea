import Foundation
import Hummingbird
import Incidents
import NGSI
import Safety

/// `/call`: help with one tap, for everybody; `/call/{ticket}`: what has come of it. Neither asks who reads, nor says anything of the city.
enum CallPage {
  /// What is offered first, as far as the city's plan knows it; everything else is under 'other'.
  private static let offered = ["emergency-call", "fire", "medical", "intrusion", "missing-person", "other"]

  static func answer(_ visit: Visit) -> Response {
    guard let safety = visit.room.source.safety else { return ErrorPage.notFound(visit) }
    return page(visit, safety, fault: nil)
  }

  static func answer(_ visit: Visit, _ form: Query) async -> Response {
    guard let safety = visit.room.source.safety else { return ErrorPage.notFound(visit) }
    let category = form["category"] ?? "emergency-call"
    var report = Report(source: "", number: "", channel: .page, category: String(category.prefix(100)))
    report.position = position(form)
    report.text = text(form["text"], SafetyService.CallBounds.text)
    report.contact = text(form["contact"], 40)
    report.isSilent = form["silent"] == "1"
    do throws(Problem) {
      let ticket = try await safety.call(report, in: .default)
      return Answer.seeOther("/call/\(Percent.encode(ticket))")
    } catch { return page(visit, safety, fault: visit.text("callFailed")) }
  }

  private static func page(_ visit: Visit, _ safety: SafetyService, fault: String?) -> Response {
    let known = safety.plan.categories
    let kinds = offered.filter { id in known.isEmpty ? id == "emergency-call" : known.contains { $0.id == id } }
    var content: [String: Any] = [
      "kinds": kinds.map {
        ["kindId": $0, "kindName": visit.categoryTitle($0, safety.plan), "isFirst": $0 == kinds.first] as [String: Any]
      }
    ]
    content["fault"] = fault
    return PageFrame.answer(
      visit, template: "call", title: visit.text("callTitle"), section: "none", content: content,
      status: fault == nil ? .ok : .serviceUnavailable)
  }

  // MARK: - The call

  static func answer(_ visit: Visit, ticket: String) -> Response {
    guard let safety = visit.room.source.safety else { return ErrorPage.notFound(visit) }
    return status(visit, safety, ticket, fault: nil)
  }

  static func answer(_ visit: Visit, ticket: String, _ form: Query) async -> Response {
    guard let safety = visit.room.source.safety else { return ErrorPage.notFound(visit) }
    do throws(Problem) {
      try await safety.add(
        text: text(form["text"], SafetyService.CallBounds.text), position: position(form),
        contact: text(form["contact"], 40), isSilent: form["silent"].map { $0 == "1" }, to: ticket, in: .default)
      return Answer.seeOther("/call/\(Percent.encode(ticket))")
    } catch { return status(visit, safety, ticket, fault: error) }
  }

  static func answer(_ visit: Visit, ticket: String, photo: [UInt8]) async -> Response {
    guard let safety = visit.room.source.safety else { return ErrorPage.notFound(visit) }
    do throws(Problem) {
      try await safety.add(photo: photo, to: ticket, in: .default)
      return Answer.json(["taken": true], visit)
    } catch { return status(visit, safety, ticket, fault: error) }
  }

  private static func status(_ visit: Visit, _ safety: SafetyService, _ ticket: String, fault: Problem?) -> Response {
    let call: SafetyService.Call
    do throws(Problem) { call = try safety.call(of: ticket, in: .default) } catch {
      return PageFrame.answer(
        visit, template: "call", title: visit.text("callTitle"), section: "none",
        content: ["fault": visit.text("callUnknown"), "kinds": [[String: Any]]()], status: .notFound)
    }
    let now = SafetyService.Call.Stage.allCases.firstIndex(of: call.stage) ?? 0
    var content: [String: Any] = [
      "ticket": ticket, "number": Visit.number(call.number),
      "category": visit.categoryTitle(call.category, safety.plan),
      "sentAt": visit.room.time.text(call.sentAt), "stage": call.stage.rawValue,
      "stageText": visit.text("callStage_" + call.stage.rawValue), "isEnded": call.stage == .ended,
      "stages": SafetyService.Call.Stage.allCases.enumerated().map { index, stage in
        [
          "stageName": visit.text("callStep_" + stage.rawValue), "isReached": index <= now, "isNow": index == now,
        ] as [String: Any]
      },
      "isSilent": call.isSilent, "photos": "\(call.photos)",
      "words": call.words.map {
        [
          "wordText": $0.text, "wordTime": String(visit.room.time.text($0.at).suffix(8)), "isCity": $0.isCity,
          "wordWho": visit.text($0.isCity ? "callCity" : "callYou"),
        ] as [String: Any]
      },
      "hasWords": !call.words.isEmpty,
    ]
    if let position = call.position {
      content["positionText"] = visit.place(position)
      content["uncertainty"] = position.uncertainty.map { "\($0)" } ?? "100000"
    }
    if let fault {
      content["fault"] = visit.text(
        fault.kind == .conflict ? "callOver" : fault.kind == .tooManyRequests ? "callTooMuch" : "callNotTaken")
    }
    return PageFrame.answer(
      visit, template: "call-status", title: visit.text("callTitle"), section: "none", content: content.withoutEmpty,
      status: fault.map { .init(code: $0.status) } ?? .ok)
  }

  // MARK: - Forms

  private static func text(_ text: String?, _ most: Int) -> String? {
    guard let text = text?.replacing("\r\n", with: "\n").trimming(), !text.isEmpty else { return nil }
    // A call is never refused for what is written in it.
    let clean = text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F || $0 == "\n" || $0 == "\t" }
    var cut = String(String.UnicodeScalarView(clean))
    while cut.utf8.count > most { cut.removeLast() }
    return cut.isEmpty ? nil : cut
  }

  private static func position(_ form: Query) -> Position? {
    guard let latitude = form["latitude"].flatMap({ Double($0) }),
      let longitude = form["longitude"].flatMap({ Double($0) })
    else { return nil }
    let accuracy = form["accuracy"].flatMap { Double($0) }
    // The 95 % of the Geolocation API (W3C, section 6.2).
    return Position(
      longitude: longitude, latitude: latitude, uncertainty: accuracy, confidence: accuracy.map { _ in 95 })
      ?? Position(longitude: longitude, latitude: latitude)
  }
}

/// `/operations/incidents/{id}/photos/{n}`: a photo that came with a call.
enum PhotoPage {
  static func answer(_ visit: Visit, id: String, number: String) async -> Response {
    guard let safety = visit.room.source.safety else { return ErrorPage.notFound(visit) }
    do throws(Problem) {
      let wanted = Int(number) ?? 0
      let photo = try await visit.room.source.asReader { () throws(Problem) in
        try safety.photo(wanted, of: id, in: .default)
      }
      var headers = Answer.common("image/jpeg", cache: "private, no-store")
      headers[.contentSecurityPolicy] = "default-src 'none'; sandbox"
      return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: photo)))
    } catch { return OperationsPage.refused(visit, error) }
  }
}
