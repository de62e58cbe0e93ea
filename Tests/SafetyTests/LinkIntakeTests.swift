import AgencyLink
import Foundation
import Incidents
import NGSI
import Store
import Testing

@testable import Hub
@testable import Safety

/// What comes in over the links.
@Suite struct LinkIntakeTests {
  private func incidents(_ city: LinkCity) -> [Incident] {
    city.service.book.queue(in: .default, at: SafetyCity.start, where: { _ in true }).map(\.incident).sorted {
      $0.id < $1.id
    }
  }

  private func failure(_ answer: Answer) -> String? { if case .failure(let text) = answer { text } else { nil } }

  @Test(arguments: [WireRequest.Format.json, .form]) func anEventBecomesAReport(_ format: WireRequest.Format)
    async throws
  {
    let city = try LinkCity()
    let key = try await city.session()
    #expect(try await city.tell(LinkCity.event("20261124090000001"), under: key, format) == .success(""))
    let incident = try #require(incidents(city).first)
    let report = try #require(incident.reports.first)
    #expect(report.source == "link:119" && report.number == "E-FIRE 20261124090000001" && report.channel == .agency)
    #expect(report.category == "fire" && report.doubts.isEmpty && report.position?.longitude == 127.01)
    #expect(incident.agencies == ["fire"] && incident.isAlarming && incident.exercise == nil)
    // The same again, also after a restart.
    #expect(try await city.tell(LinkCity.event("20261124090000001"), under: key) == .success(""))
    try await city.restart()
    #expect(failure(try await city.tell(LinkCity.event("20261124090000001"), under: key))?.contains("rrKey") == true)
    let next = try await city.session()
    #expect(try await city.tell(LinkCity.event("20261124090000001"), under: next) == .success(""))
    #expect(incidents(city).count == 1 && incidents(city)[0].sequence == incident.sequence)
    let usage = try #require(try city.usage("119")?["usage"]?["totals"])
    #expect(usage["received"] == 1 && usage["duplicate"]?.integer ?? 0 >= 1)
    await city.end()
  }

  @Test func laterStatesFollow() async throws {
    let city = try LinkCity()
    let key = try await city.session()
    func tell(_ status: OccurrenceStatus, _ seconds: Double, _ text: String = "연기가 보임") async throws -> Answer {
      var body = LinkCity.event("1", status, at: seconds)
      body.content = text
      return try await city.tell(body, under: key)
    }
    #expect(try await tell(.occurred, 0) == .success(""))
    let one = try #require(incidents(city).first?.id)
    #expect(try await tell(.updated, 1, "불꽃이 보임") == .success(""))
    #expect(incidents(city)[0].reports.count == 2)
    // The alarm still sounds: it is noted, and not resolved.
    #expect(try await tell(.cleared, 2) == .success(""))
    #expect(incidents(city)[0].status == .new && incidents(city)[0].isAlarming)
    #expect(try await tell(.updated, 3, "다시 불꽃") == .success(""))
    try await city.give(.acknowledge, to: one)
    #expect(try await tell(.cleared, 4) == .success(""))
    #expect(incidents(city)[0].status == .resolved && incidents(city)[0].outcome?.kind == .handled)
    // Older than what is known: kept, and changes nothing.
    #expect(try await tell(.updated, -5, "낡은 소식") == .success(""))
    #expect(incidents(city)[0].status == .resolved)
    #expect(try await tell(.updated, 5, "다시 불꽃") == .success(""))
    #expect(incidents(city)[0].status == .inProgress)
    #expect(try await tell(.completed, 6) == .success(""))
    #expect(failure(try await tell(.updated, 7))?.contains("may not follow") == true)
    let notes = try city.service.record(one, in: .default).entries.compactMap { entry -> String? in
      if case .note(let text, _) = entry.command { text } else { nil }
    }
    #expect(
      notes.contains { $0.contains("50 해제") } && notes.contains { $0.contains("91 종료") }
        && notes.contains { $0.contains("late") && $0.contains("낡은") })
    #expect(try city.usage("119")?["usage"]?["totals"]?["rejected"] == 1)
    await city.end()
  }

  /// Others saw it too: an agency does not end it alone.
  @Test func whatOthersReportedIsNotResolved() async throws {
    let city = try LinkCity()
    let key = try await city.session()
    _ = try await city.tell(LinkCity.event("1"), under: key)
    let one = try #require(incidents(city).first?.id)
    let other = try await city.open("9")
    try await city.give(.merge(into: one), to: other)
    try await city.give(.acknowledge, to: one)
    #expect(try await city.tell(LinkCity.event("1", .completed, at: 1), under: key) == .success(""))
    #expect(incidents(city)[0].status == .acknowledged)
    await city.end()
  }

  /// What it said of an incident that goes on elsewhere, it says of that one.
  @Test func newsFollowTheMerge() async throws {
    let city = try LinkCity()
    let key = try await city.session()
    _ = try await city.tell(LinkCity.event("1"), under: key)
    let one = try #require(incidents(city).first?.id)
    let other = try await city.open("9")
    try await city.give(.merge(into: other), to: one)
    var more = LinkCity.event("1", .updated, at: 1)
    more.content = "더 크다"
    #expect(try await city.tell(more, under: key) == .success(""))
    #expect(incidents(city).map(\.id) == [other] && incidents(city)[0].reports.count == 3)
    await city.end()
  }

  @Test func whatCannotBeIsKeptWithDoubts() async throws {
    let city = try LinkCity()
    let key = try await city.session()
    func raw(_ change: (inout JSONObject) -> Void) async throws -> Answer {
      var envelope = Envelope(.event, sender: "FIRE", receiver: "CITY", system: "X")
      envelope.session = key
      var request = try Message(envelope, .event(LinkCity.event("n"))).request(.json)
      guard case .object(var object) = try JSONParser.parse(request.body), case .object(var body)? = object["body"]
      else { throw Problem.badRequest("") }
      change(&body)
      object["body"] = .object(body)
      object["reqDate"] = "never"
      request.body = JSONWriter.bytes(.object(object))
      return try await city.post(request)
    }
    #expect(
      try await raw {
        $0["ocrNbr"] = "1"; $0["evtId"] = "E-VOLCANO"
      } == .success(""))
    #expect(
      try await raw {
        $0["ocrNbr"] = "2"; $0["ocrEvtTime"] = "19700101000000"
      } == .success(""))
    #expect(
      try await raw {
        $0["ocrNbr"] = "3"; $0["ocrEvtTime"] = "20261345000000"; $0["ocrLc"] = ["crdntX": "east", "crdntY": "37"]
      } == .success(""))
    #expect(
      try await raw {
        $0["ocrNbr"] = "4"; $0["ocrSts"] = "77"
      } == .success(""))
    #expect(
      try await raw {
        $0["ocrNbr"] = "5"; $0["ocrLc"] = ["crdntX": "0", "crdntY": "0"]
      } == .success(""))
    let reports = incidents(city).flatMap(\.reports)
    func doubts(_ number: String) -> Set<Report.Doubt>? { reports.first { $0.number.hasSuffix(" " + number) }?.doubts }
    #expect(
      doubts("1") == [.category] && doubts("2") == [.time] && doubts("3") == [.time, .place] && doubts("4") == []
        && doubts("5") == [.place])
    let third = try #require(reports.first { $0.number == "E-FIRE 3" }?.text)
    #expect(third.contains("[ocrEvtTime: 20261345000000]") && third.contains("east"))
    #expect(reports.first { $0.number == "E-FIRE 4" }?.text?.contains("[ocrSts: 77]") == true)
    // What is no message at all is said, and stands in the history of refused input.
    #expect(failure(try await raw { $0["ocrNbr"] = .null })?.contains("ocrNbr") == true)
    let (refusals, _) = try await Hub.asCity { try city.hub.refusedInput(in: .default, page: Page(limit: 10)) }
    #expect(refusals.contains { $0.door == "link" && $0.sample.contains("\"rrKey\":\"…\"") })
    #expect(refusals.allSatisfy { !$0.sample.contains(key) })
    _ = try await city.logIn("FIRE", "wrong-secret")
    let (logins, _) = try await Hub.asCity { try city.hub.refusedInput(in: .default, page: Page(limit: 10)) }
    #expect(logins.allSatisfy { !$0.sample.contains("wrong-secret") })
    // What the store cannot take now is no refusal of the wire.
    await city.stopStore()
    #expect(try await city.status(LinkCity.event("late"), under: key) == 503)
    await city.end()
  }

  @Test func whoIsNotTheAgencyIsNotHeard() async throws {
    let city = try LinkCity()
    #expect(failure(try await city.logIn("FIRE", "wrong"))?.contains("apiKey") == true)
    #expect(failure(try await city.logIn("NOBODY"))?.contains("sendCd") == true)
    #expect(failure(try await city.logIn("FIRE", from: "192.0.2.1"))?.contains("sendCd") == true)
    for key in [nil, "", "wrong"] {
      #expect(failure(try await city.tell(LinkCity.event("1"), under: key))?.contains("rrKey") == true)
    }
    let key = try await city.session()
    #expect(
      failure(try await city.tell(LinkCity.event("1"), from: "POLICE", under: key))?.contains("encryption") == true)
    let cipher = try BodyCipher(key: "secret", encoding: .base64)
    let crowd = LinkCity.event("1", .occurred, "E-CROWD")
    let wrong = try BodyCipher(key: "other", encoding: .base64)
    #expect(
      failure(try await city.tell(crowd, from: "POLICE", under: nil, cipher: wrong))?.contains("cannot be read") == true
    )
    #expect(incidents(city).isEmpty)
    // Its address proves the police, and its key the body.
    #expect(try await city.tell(crowd, from: "POLICE", under: nil, cipher: cipher) == .success(""))
    #expect(incidents(city).map(\.category) == ["crowd"])
    await city.end()
  }

  /// The messages that the published module has kept, as they stand in its repository (MADANG_KETI), come in at the door.
  @Test func keptMessagesOfTheModuleComeIn() async throws {
    let path = ProcessInfo.processInfo.environment["MADANG_KETI"] ?? ""
    let file = path + "/src/main/resources/init.sql"
    guard !path.isEmpty, let sql = try? String(contentsOfFile: file, encoding: .utf8) else {
      print("skipped: keptMessagesOfTheModuleComeIn, \(file) is absent")
      return
    }
    let kept = sql.split(separator: "'").map(String.init).filter { $0.hasPrefix(#"{"svcTy""#) && $0.contains("evtId") }
    try #require(!kept.isEmpty)
    for text in kept {
      let message = try JSONParser.parse(Array(text.utf8))
      let sender = try #require(message["sendCd"]?.string)
      let event = try #require(message["Body"]?["evtId"]?.string)
      let link = LinkCity.link(
        "119", "fire", sender, #"{"fire": "\#(event)"}"#, #""takes": {"addresses": ["10.1.2.3"]}"#)
      let city = try LinkCity([link])
      let request = WireRequest(headers: [.init("Content-Type", "application/json")], body: Array(text.utf8))
      for _ in 0..<2 { #expect(try await city.post(request) == .success("")) }
      let report = try #require(incidents(city).first?.reports.first)
      #expect(incidents(city).count == 1 && report.category == "fire" && report.position != nil)
      await city.end()
    }
  }

  @Test func aCertificateProvesAnAgency() async throws {
    let proof = #""takes": {"certificate": "urn:ngsi-ld:Device:link-fire"}"#
    let city = try LinkCity([LinkCity.link("119", "fire", "FIRE", #"{"fire": "E-FIRE"}"#, proof)])
    let request = try Message(
      Envelope(.event, sender: "FIRE", receiver: "CITY", system: "X"), .event(LinkCity.event("1"))
    ).request(.json)
    for device in [nil, "urn:ngsi-ld:Device:other"] {
      #expect(failure(try await city.post(request, device: device))?.contains("sendCd") == true)
    }
    #expect(try await city.post(request, device: "urn:ngsi-ld:Device:link-fire") == .success(""))
    await city.end()
  }

  /// Where rules say who may do what, links bring incidents as adapters do, and what leaves needs leave of nobody.
  @Test func linksWorkUnderRules() async throws {
    let city = try LinkCity(
      rules: """
        permit(principal in Role::"operator", action in [Action::"read", Action::"create", Action::"update"], resource);
        permit(principal is Adapter, action in [Action::"create", Action::"update"], resource is Entity)
        when { principal.produces.containsAny(resource.types) };
        """)
    city.run()
    let key = try await city.session()
    #expect(try await city.tell(LinkCity.event("1"), under: key) == .success(""))
    #expect(incidents(city).count == 1)
    try await Caller.$current.withValue(SafetyCity.person("kim")) {
      let one = try await city.open("9")
      try await city.give(.dispatch(.init(unit: "u", agency: "fire", task: "x")), to: one)
    }
    #expect(try await city.until { city.statuses("fire") == ["10"] })
    // A stranger decides nothing.
    let runner = try #require(city.service.links.state.withLock { $0.runners["119"] })
    city.sides.change("fire") { $0.refused = ["E-FIRE"] }
    try await Caller.$current.withValue(SafetyCity.person("kim")) {
      let two = try await city.open("333")
      try await city.give(.dispatch(.init(unit: "u", agency: "fire", task: "x")), to: two)
    }
    #expect(try await city.until { city.service.links.fare(of: "119").setAside == 1 })
    let kept = try Caller.$current.withValue(.city) {
      try city.hub.documents(of: "safety", in: LinkShelf.outbox(of: "119"), limit: 5, of: .default)
    }
    let serial = try #require(kept.first { $0.body["setAside"] != nil }?.id)
    let refused = await Caller.$current.withValue(SafetyCity.person("lee", roles: [])) {
      await problem { () throws(Problem) in try await runner.decide(serial, .discard, because: "x") }
    }
    #expect(refused?.kind == .forbidden && city.service.links.fare(of: "119").setAside == 1)
    try await Caller.$current.withValue(SafetyCity.person("kim")) {
      try await runner.decide(serial, .discard, because: "x")
    }
    #expect(try await city.until { city.service.links.fare(of: "119").setAside == 0 })
    await city.end()
  }

  @Test func whatAFarSideOfExercisesTellsIsOne() async throws {
    let city = try LinkCity()
    _ = try await city.tell(LinkCity.event("1"), from: "DRILL", under: nil)
    #expect(incidents(city).map(\.exercise) == ["link:drill"])
    await city.end()
  }

  /// An agency is not told of what it told.
  @Test func newsDoNotGoRound() async throws {
    let city = try LinkCity([
      LinkCity.fire.replacing(#""system": "MDG""#, with: #""states": {"report": "10"}, "system": "MDG""#)
    ])
    city.run()
    let key = try await city.session()
    _ = try await city.tell(LinkCity.event("1"), under: key)
    _ = try await city.open("333")
    #expect(try await city.until { city.statuses("fire") == ["10"] })
    #expect(city.sides.heard("fire")[0].body.coordinates?.x == "127.03")
    await city.end()
  }

  @Test func manyAtOnceAreTakenOnceEach() async throws {
    let city = try LinkCity()
    let key = try await city.session()
    let requests = try (0..<40).map { number in
      var envelope = Envelope(.event, sender: "FIRE", receiver: "CITY", system: "X")
      envelope.session = key
      var body = LinkCity.event("\(number % 10)")
      body.coordinates = .init(longitude: 127 + Double(number % 10) / 100, latitude: 37.5)
      body.occurredAt = nil
      body.statusAt = nil
      return try Message(envelope, .event(body)).request(.json)
    }
    nonisolated(unsafe) let shared = city
    let answers = await withTaskGroup(of: Answer?.self) { group in
      for request in requests { group.addTask { try? await shared.post(request) } }
      return await group.reduce(into: [Answer?]()) { $0.append($1) }
    }
    #expect(answers.allSatisfy { $0 == .success("") } && incidents(city).count == 10)
    #expect(
      try city.usage("119")?["usage"]?["totals"]?["received"] == 10
        && city.usage("119")?["usage"]?["totals"]?["duplicate"] == 30)
    await city.end()
  }
}
