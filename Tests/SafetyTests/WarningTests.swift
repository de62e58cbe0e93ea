import CAP
import Foundation
import Incidents
import NGSI
import Store
import Testing

@testable import Hub
@testable import Safety

@Suite struct WarningTests {
  private static let plan = """
    {"sender": "city@x", "name": {"ko": "도시", "en": "City"}, "geocode": "D", "categories": {"Fire": "fire"},
     "districts": [{"code": "1", "name": {"ko": "중구", "en": "Jung-gu"}, "ring": [[127, 37], [127.1, 37], [127.1, 37.1], [127, 37]]}]}
    """

  private final class City {
    let base: SafetyCity
    let hub: Hub
    private(set) var service: SafetyService

    init(rules: String? = nil) throws {
      base = try SafetyCity(rules: rules)
      hub = base.hub
      guard case .object(var json) = try JSONParser.parse(Array(SafetyCity.plan.utf8)) else {
        throw Problem.badRequest("")
      }
      json["warnings"] = try JSONParser.parse(Array(WarningTests.plan.utf8))
      let plan = try SafetyPlan(json: .object(json), centre: Position(longitude: 127, latitude: 37.5), radius: 30_000)
      service = SafetyService(hub: hub, plan: plan)
    }

    var warnings: WarningDesk { service.warnings }
    func value(_ id: String, _ name: String) throws -> JSON? {
      try hub.entity(id, in: .default)[attribute: Context.core.expand(name)]?.instances.first?.value
    }

    func take(_ alert: CAPAlert) async throws -> (Warning?, WarningDesk.Way) {
      try await warnings.take(Array(alert.xml.utf8), in: .default)
    }
  }

  private static func draft(_ change: (inout JSONObject) -> Void = { _ in }) throws -> JSON {
    let text = """
      {"id": "r1", "category": ["Fire"], "urgency": "Immediate", "severity": "Severe", "certainty": "Observed",
       "expires": "\(SafetyCity.start.adding(seconds: 3_600))", "responseTypes": ["Evacuate"],
       "info": [{"language": "ko-KR", "event": "화재", "headline": "화재 경보", "instruction": "서쪽으로"}, {"language": "en-US", "event": "Fire"}],
       "areas": [{"district": "1"}, {"description": {"ko": "공원", "en": "Park"}, "circle": {"longitude": 127.5, "latitude": 37.5, "radius": 500}},
         {"description": "x", "polygon": {"type": "Polygon", "coordinates": [[[128, 37], [128, 37.1], [128.1, 37.1], [128, 37]]]}}]}
      """
    guard case .object(var object) = try JSONParser.parse(Array(text.utf8)) else { throw Problem.badRequest("") }
    change(&object)
    return .object(object)
  }

  @Test func aWarningIsIssuedUpdatedAndCancelled() async throws {
    let city = try City()
    let (one, isNew) = try await city.warnings.issue(try Self.draft(), in: .default)
    #expect(isNew && one.id == "urn:ngsi-ld:Warning:20261118-0001" && one.alert.status == .actual)
    let again = try await city.warnings.issue(try Self.draft(), in: .default)
    #expect(!again.isNew && again.0.id == one.id)
    #expect(
      await problem { () throws(Problem) in
        _ = try await city.warnings.issue([:], in: .default)
      }?.detail.contains("'id'") == true)
    let other = try Self.draft { $0["severity"] = "Minor" }
    #expect(
      await problem { () throws(Problem) in try await city.warnings.issue(other, in: .default) }?.kind == .conflict)
    // In each language, with the district's code and border.
    let korean = try #require(one.alert.info(in: "ko"))
    let english = try #require(one.alert.info(in: "en"))
    #expect(
      korean.areas.map(\.description) == ["중구", "공원", "x"]
        && english.areas.map(\.description) == ["Jung-gu", "Park", "x"])
    #expect(korean.senderName == "도시" && english.senderName == "City" && korean.areas[0].geocodes == [.init("D", "1")])
    #expect(korean.areas[1].circles.first?.radius == 0.5 && korean.responses == [.evacuate])
    #expect(try city.value(one.id, "status") == "in-force" && city.value(one.id, "titleEnglish") == "Fire")
    let entity = try city.hub.entity(one.id, in: .default)
    #expect(entity.types == [Context.core.expand("Warning"), Context.core.expand("Alert")])
    let location = try #require(entity[attribute: Core.location]?.instances.first?.value)
    #expect(location["type"] == "MultiPolygon" && location["coordinates"]?.array?.count == 3)

    city.base.move(60)
    let updated = try await city.warnings.change(
      one.id, .update,
      try Self.draft {
        $0["id"] = "r2"; $0["severity"] = "Extreme"
      }, in: .default)
    #expect(
      updated.sequence == 2 && updated.alert.messageType == .update && updated.alert.references == [one.alert.reference]
    )
    #expect(updated.alert.identifier != one.alert.identifier)
    let over: JSON = ["id": "r3", "reason": ["ko": "진화됨", "en": "Extinguished"]]
    let cancelled = try await city.warnings.change(one.id, .cancel, over, in: .default)
    #expect(cancelled.alert.messageType == .cancel && cancelled.alert.references.count == 2 && cancelled.isCancelled)
    #expect(
      cancelled.alert.info(in: "ko")?.headline == "진화됨" && cancelled.alert.info(in: "en")?.responses == [.allClear])
    #expect(try city.value(one.id, "status") == "cancelled" && city.warnings.warningsInForce(in: .default).isEmpty)
    #expect(
      await problem { () throws(Problem) in
        try await city.warnings.change(
          one.id, .update, try WarningTests.checked { try Self.draft { $0["id"] = "r4" } }, in: .default)
      }?.kind == .conflict)
    #expect(try await city.warnings.change(one.id, .cancel, over, in: .default).sequence == 3, "the same request again")
    let kept = try city.hub.documents(of: "safety", in: WarningShelf.messages(of: one.id), limit: 10, of: .default)
    #expect(kept.map { $0.body["type"] } == ["Alert", "Update", "Cancel"])
    for message in kept { _ = try CAPAlert(reading: Array((message.body["cap"]?.string ?? "").utf8)) }
    await city.base.end()
  }

  private static func checked<Value>(_ body: () throws -> Value) throws(Problem) -> Value {
    do { return try body() } catch { throw .badRequest("\(error)") }
  }

  @Test func itEndsByItself() async throws {
    let city = try City()
    let (one, _) = try await city.warnings.issue(try Self.draft(), in: .default)
    #expect(try city.warnings.warningsInForce(in: .default).count == 1)
    city.base.move(3_601)
    #expect(try city.warnings.warningsInForce(in: .default).isEmpty)
    #expect(
      await problem { () throws(Problem) in
        try await city.warnings.change(one.id, .cancel, ["id": "x", "reason": ["ko": "a", "en": "b"]], in: .default)
      }?.detail.contains("expired") == true)
    // The next says so in the entity.
    _ = try await city.warnings.issue(
      try Self.draft {
        $0["id"] = "r2"; $0["expires"] = .string(SafetyCity.start.adding(seconds: 9_000).description)
      }, in: .default)
    #expect(try city.value(one.id, "status") == "expired")
    await city.base.end()
  }

  @Test(arguments: [
    (#"{"severity": "Terrible"}"#, "'severity'"), (#"{"category": []}"#, "'category'"),
    (#"{"category": ["Volcano"]}"#, "'category'"),
    (#"{"urgency": null}"#, "'urgency'"), (#"{"expires": "1970-01-01T00:00:00Z"}"#, "'expires'"),
    (#"{"expires": "2099-01-01T00:00:00Z"}"#, "'expires'"),
    (#"{"onset": "2098-01-01T00:00:00Z"}"#, "'onset'"), (#"{"areas": []}"#, "'areas'"),
    (#"{"areas": [{"description": "x"}]}"#, "'areas[0]'"),
    (#"{"areas": [{"district": "9"}]}"#, "'areas[0].district'"),
    (#"{"areas": [{"district": "1", "polygon": {"type": "Point"}}]}"#, "'areas[0].polygon'"),
    (
      #"{"areas": [{"description": "x", "polygon": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}}]}"#,
      "crosses itself"
    ),
    (
      #"{"areas": [{"description": "x", "polygon": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0]]]}}]}"#,
      "less than four"
    ),
    (
      #"{"areas": [{"description": "x", "polygon": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]], [[0, 0]]]}}]}"#,
      "no holes"
    ),
    (
      #"{"areas": [{"description": "x", "polygon": {"type": "Polygon", "coordinates": [[[0, 0], [999, 0], [1, 1], [0, 0]]]}}]}"#,
      "no place"
    ),
    (#"{"areas": [{"description": "x", "circle": {"longitude": 0, "latitude": 91, "radius": 5}}]}"#, "circle.latitude"),
    (#"{"info": [{"language": "ko", "event": "a"}, {"language": "KO", "event": "b"}]}"#, "twice"),
    (#"{"info": [{"language": "한국", "event": "a"}]}"#, "language"),
    (#"{"info": null}"#, "'info'"), (#"{"scope": "Private"}"#, "'addresses'"),
    (#"{"test": true, "exercise": "x"}"#, "not both"), (#"{"more": 1}"#, "'more'"),
  ])
  func whatIsWrongIsNamed(_ change: String, _ said: String) async throws {
    let city = try City()
    let members = try JSONParser.parse(Array(change.utf8)).object?.members ?? []
    let draft = try Self.draft { object in for member in members { object[member.key] = member.value } }
    let found = await problem { () throws(Problem) in try await city.warnings.issue(draft, in: .default) }
    #expect(
      found?.kind == .badRequestData && found?.detail.contains(said) == true, "\(found?.detail ?? "it was taken")")
    await city.base.end()
  }

  // MARK: - Exercises

  @Test func anExerciseIsNeverActual() async throws {
    let city = try City()
    let drill = try await city.service.report(SafetyCity.report("1"), exercise: "가을", in: .default).id
    let real = try await city.service.report(SafetyCity.report("1"), in: .default).id
    // It is one because the incident is one, whatever is said.
    let (one, _) = try await city.warnings.issue(
      try Self.draft {
        $0["incident"] = .string(drill); $0["info"] = nil; $0["severity"] = nil
      }, in: .default)
    #expect(
      one.alert.status == .exercise && one.kind == .exercise("가을") && one.alert.note == "가을"
        && one.alert.incidents == [drill])
    #expect(
      one.alert.infos.allSatisfy { $0.headline?.hasPrefix("[훈련/EXERCISE] ") == true }
        && one.alert.infos[0].severity == .severe)
    for extra in [#"{"exercise": "other"}"#, #"{"test": true}"#] {
      let members = try JSONParser.parse(Array(extra.utf8)).object?.members ?? []
      let draft = try Self.draft { object in
        object["id"] = "x"
        object["incident"] = .string(real)
        for member in members { object[member.key] = member.value }
      }
      #expect(
        await problem { () throws(Problem) in try await city.warnings.issue(draft, in: .default) }?.kind == .conflict)
    }
    let updated = try await city.warnings.change(one.id, .update, try Self.draft { $0["id"] = "r2" }, in: .default)
    let cancelled = try await city.warnings.change(
      one.id, .cancel, ["id": "r3", "reason": ["ko": "a", "en": "b"]], in: .default)
    #expect(updated.alert.status == .exercise && cancelled.alert.status == .exercise)
    #expect(cancelled.alert.infos[0].headline == "[훈련/EXERCISE] a")
    #expect(cancelled.alert.infos[0].event == "[훈련/EXERCISE] 화재")
    let (test, _) = try await city.warnings.issue(
      try Self.draft {
        $0["id"] = "t"; $0["test"] = true
      }, in: .default)
    #expect(test.alert.status == .test)
    let record = try city.service.record(drill, in: .default)
    #expect(
      record.entries.count { if case .note(let text, _) = $0.command { text.contains("warning") } else { false } } == 3)
    // By type: no message of one kind is made on another's footing.
    let kinds: [WarningKind] = [.actual, .exercise("x"), .test]
    let made = kinds.map { kind in
      [
        Issued<ActualWarning>(kind, "i", "s", SafetyCity.start, .alert, .open, { $0.status = .actual })?.alert.status,
        Issued<ExerciseWarning>(kind, "i", "s", SafetyCity.start, .alert, .open, { $0.status = .actual })?.alert.status,
        Issued<TestWarning>(kind, "i", "s", SafetyCity.start, .alert, .open, { $0.status = .actual })?.alert.status,
      ]
    }
    #expect(made == [[.actual, nil, nil], [nil, .exercise, nil], [nil, nil, .test]])
    await city.base.end()
  }

  // MARK: - Others

  private static func alert(
    _ identifier: String, _ type: CAPAlert.MessageType = .alert, status: CAPAlert.Status = .actual,
    at seconds: Double = 0, _ references: [CAPAlert.Reference] = []
  )
    -> CAPAlert
  {
    var alert = CAPAlert(
      identifier: identifier, sender: "kma@x", sent: SafetyCity.start.adding(seconds: seconds), status: status,
      messageType: type)
    alert.references = references
    var info = CAPAlert.Info(
      language: "ko-KR", categories: [.fire], event: "호우", urgency: .expected, severity: .severe, certainty: .likely)
    info.expires = SafetyCity.start.adding(seconds: 7_200)
    var area = CAPAlert.Area(description: "부산")
    if let circle = CAPAlert.Circle(centre: .init(latitude: 37.5, longitude: 127), radius: 1) {
      area.circles = [circle]
    }
    info.areas = [area]
    alert.infos = [info]
    return alert
  }

  @Test func warningsOfOthersAreTakenOnceAndFollowed() async throws {
    let city = try City()
    let first = Self.alert("a")
    let (one, way) = try await city.take(first)
    #expect(way == .opened && one?.isOwn == false && one?.state(at: city.hub.time) == "in-force")
    let id = try #require(one?.id)
    #expect(try await city.take(first).1 == .known)
    #expect(try await city.take(Self.alert("b", .update, at: 60, [first.reference])).1 == .changed)
    // Older than what is known: kept, and changes nothing.
    let late = try await city.take(Self.alert("late", .update, at: 30, [first.reference]))
    #expect(late.1 == .kept && late.0?.alert.identifier == "b")
    #expect(try await city.take(Self.alert("ack", .acknowledgement, at: 61, [first.reference])).1 == .kept)
    // An exercise changes nothing that is real.
    let drill = try await city.take(Self.alert("drill", .cancel, status: .exercise, at: 62, [first.reference]))
    #expect(drill.1 == .opened && drill.0?.id != id && drill.0?.kind.exercise == "cap:kma@x")
    #expect(try city.warnings.warningsInForce(in: .default).map { $0["id"] } == [.string(id)])
    let cancelled = try await city.take(Self.alert("c", .cancel, at: 63, [first.reference]))
    #expect(cancelled.1 == .changed && cancelled.0?.isCancelled == true && cancelled.0?.id == id)
    #expect(try city.value(id, "status") == "cancelled")
    // Nobody takes over another's, nor the city's own, nor its name.
    var stranger = Self.alert("x", .update, at: 90, [first.reference])
    stranger.sender = "other@x"
    #expect(
      await problem { () throws(Problem) in try await city.warnings.take(Array(stranger.xml.utf8), in: .default) }?.kind
        == .conflict)
    let (own, _) = try await city.warnings.issue(try Self.draft(), in: .default)
    let attack = Self.alert("y", .cancel, at: 90, [own.alert.reference])
    #expect(
      await problem { () throws(Problem) in try await city.warnings.take(Array(attack.xml.utf8), in: .default) }?.kind
        == .conflict)
    var false_ = Self.alert("z")
    false_.sender = "city@x"
    #expect(
      await problem { () throws(Problem) in try await city.warnings.take(Array(false_.xml.utf8), in: .default) }?.kind
        == .conflict)
    #expect(
      await problem { () throws(Problem) in
        try await city.warnings.change(id, .cancel, ["id": "q", "reason": ["ko": "a", "en": "b"]], in: .default)
      }?.detail.contains("kma@x") == true)
    // A cancel of what nobody knows is kept as what it is.
    let unknown = try await city.take(
      Self.alert("u", .cancel, at: 5, [.init(sender: "kma@x", identifier: "never", sent: SafetyCity.start)]))
    #expect(unknown.1 == .opened && unknown.0?.isCancelled == true)
    await city.base.end()
  }

  @Test func whatCannotBeIsKeptWithDoubts() async throws {
    let city = try City()
    var alert = Self.alert("a")
    alert.sent = DateTime(microseconds: 0)
    alert.infos[0].expires = nil
    let odd = alert.xml.replacing("<urgency>Expected", with: "<urgency>Soon").replacing(
      "<circle>37.5,127 1", with: "<polygon>1,2 3,4</polygon><circle>here")
    let (one, way) = try await city.warnings.take(Array(odd.utf8), in: .default)
    #expect(
      way == .opened
        && one?.alert.doubts.map(\.element).sorted() == [
          "info[0].area[0].circle[0]", "info[0].area[0].polygon[0]", "info[0].urgency", "sent",
        ])
    #expect(one?.state(at: city.hub.time) == "in-force", "it counts from when it came")
    #expect(
      await problem { () throws(Problem) in
        try await city.warnings.take(
          Array("<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><alert/>".utf8), in: .default)
      }?.detail.contains("document type") == true)
    await city.base.end()
  }

  @Test func aWarningOfOthersBecomesAReport() async throws {
    let city = try City()
    func take(_ alert: CAPAlert) async throws -> (SafetyService.Taken, WarningDesk.Way) {
      try await city.warnings.takeAsReport(Array(alert.xml.utf8), in: .default)
    }
    let first = Self.alert("a")
    let (taken, way) = try await take(first)
    let incident = try #require(taken.incident)
    #expect(way == .opened)
    let report = try #require(try city.service.record(incident, in: .default).incident.reports.first)
    #expect(
      report.source == "cap:kma@x" && report.number == "a" && report.category == "fire" && report.severity == .severe)
    #expect(report.position?.uncertainty == 1_000 && report.address == "부산" && report.doubts.isEmpty)
    #expect(try await take(first).1 == .known)
    var more = Self.alert("b", .update, at: 1, [first.reference])
    more.infos[0].description = "더 심함"
    #expect(try await take(more).0.incident == incident)
    for _ in 0..<2 { _ = try await take(Self.alert("c", .cancel, at: 2, [first.reference])) }
    let record = try city.service.record(incident, in: .default)
    #expect(
      record.incident.reports.count == 2
        && record.entries.count { if case .note(let text, _) = $0.command { text.contains("Cancel") } else { false } }
          == 1
    )
    let (drill, _) = try await take(Self.alert("d", status: .exercise))
    #expect(try city.service.record(try #require(drill.incident), in: .default).incident.exercise == "cap:kma@x")
    #expect(
      await problem { () throws(Problem) in
        try await city.warnings.takeAsReport(Array(Self.alert("e", status: .test).xml.utf8), in: .default)
      }?.kind == .badRequestData)
    await city.base.end()
  }

  // MARK: - Rules

  @Test func onlyWhoMayWarnsAndSees() async throws {
    let city = try City(
      rules: """
        permit(principal in Role::"operator", action in [Action::"read", Action::"create", Action::"update"], resource);
        permit(principal in Role::"reader", action == Action::"read", resource);
        """)
    let (kim, lee) = (SafetyCity.person("kim"), SafetyCity.person("lee", roles: ["reader"]))
    let draft = try Self.draft()
    let result = await Caller.$current.withValue(lee) {
      await problem { () throws(Problem) in try await city.warnings.issue(draft, in: .default) }
    }
    #expect(result?.kind == .forbidden)
    let none = try Caller.$current.withValue(lee) { try city.warnings.warningsInForce(in: .default) }
    #expect(none.isEmpty)
    let id = try await Caller.$current.withValue(kim) { try await city.warnings.issue(draft, in: .default).0.id }
    #expect(try Caller.$current.withValue(lee) { try city.warnings.warningsInForce(in: .default).count } == 1)
    #expect(
      await Caller.$current.withValue(lee) {
        await problem { () throws(Problem) in
          try await city.warnings.change(id, .cancel, ["id": "x", "reason": ["ko": "a", "en": "b"]], in: .default)
        }
      }?.kind == .forbidden)
    #expect(
      await Caller.$current.withValue(lee) {
        await problem { () throws(Problem) in
          try await city.warnings.take(Array(Self.alert("a").xml.utf8), in: .default)
        }
      }?.kind == .forbidden)
    #expect(throws: Problem.self) {
      try Caller.$current.withValue(SafetyCity.person("x", roles: [])) { try city.hub.entity(id, in: .default) }
    }
    await city.base.end()
  }
}
