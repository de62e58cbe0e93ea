import NGSI
import Testing

@testable import AgencyLink

@Suite struct LinkedServiceTests {
  private func example() throws -> JSON {
    try JSONParser.parse(
      """
      {"services": [
        {"id": "112-video", "name": {"ko": "112센터 긴급영상 지원", "en": "Video for 112 centres"}, "city": "CITY000000", "agency": "POLICE0000", "system": "MDG", "events": ["EXAMPLE-112-VIDEO"], "encryption": "base64"},
        {"id": "112-dispatch", "name": {"ko": "112 긴급출동 지원", "en": "112 dispatch"}, "city": "CITY000000", "agency": "POLICE0000", "system": "MDG", "events": ["EXAMPLE-112-DISPATCH"], "encryption": "base64"},
        {"id": "119-dispatch", "name": {"ko": "119 긴급출동 지원", "en": "119 dispatch"}, "city": "CITY000000", "agency": "FIRE000000", "system": "MDG", "events": ["EXAMPLE-119-DISPATCH"], "encryption": "base64"},
        {"id": "disaster", "name": {"ko": "긴급재난상황 지원", "en": "Disaster"}, "city": "CITY000000", "agency": "SAFETY0000", "system": "MDG", "events": ["EXAMPLE-DISASTER"], "format": "form", "dialect": "platform"},
        {"id": "vulnerable-people", "name": {"ko": "사회적 약자 지원", "en": "Vulnerable people"}, "city": "CITY000000", "agency": "WELFARE000", "system": "MDG", "events": ["EXAMPLE-VULNERABLE"]}
      ]}
      """)
  }

  @Test func theFiveServices() throws {
    let services = try LinkedServices(json: try example())
    #expect(
      services.services.map(\.id) == ["112-video", "112-dispatch", "119-dispatch", "disaster", "vulnerable-people"])
    #expect(services.services.allSatisfy { $0.names["ko"] != nil && $0.names["en"] != nil })
    let dispatch = try #require(services["119-dispatch"])
    #expect(dispatch.encryption == .aria(.base64) && dispatch.format == .json && dispatch.dialect == .module)
    #expect(dispatch.eventPath == "/linkHttp/recvEvent.json")
    #expect(services["disaster"]?.format == .form && services["disaster"]?.dialect == .platform)
    let envelope = dispatch.envelope(.event, at: Samples.start, session: "k")
    #expect(envelope.hops.map(\.value) == ["CITY000000_MDG", "FIRE000000_SCSNS"] && envelope.sender == "CITY000000")
  }

  @Test(arguments: [
    ("\"112-video\"", "\"112-dispatch\"", "services[1].id", MessageError.Reason.twice),
    ("EXAMPLE-112-VIDEO", "EXAMPLE-112-DISPATCH", "services[1].events", .twice),
    ("\"form\"", "\"xml\"", "services[3].format", .unknown),
    ("\"platform\"", "\"other\"", "services[3].dialect", .unknown),
    ("\"base64\"", "\"rot13\"", "services[0].encryption", .unknown),
    ("\"FIRE000000\"", "\"FIRE0000000000000\"", "services[2].agency", .tooLong(16)),
    ("\"ko\":\"112센터 긴급영상 지원\"", "\"ko\":\"\"", "services[0].name.ko", .missing),
  ])
  func anErrorNamesItsMember(_ found: String, _ put: String, _ field: String, _ reason: MessageError.Reason) throws {
    let text = JSONWriter.text(try example())
    try #require(text.contains(found))
    let changed = try JSONParser.parse(text.replacing(found, with: put))
    #expect(Samples.failure { _ = try LinkedServices(json: changed) } == MessageError(field, reason))
  }

  @Test func useIsCounted() {
    var usage = Usage()
    #expect(usage.idle(at: Samples.start) == nil)
    usage.count(.received, at: Samples.start)
    usage.count(.duplicate, at: Samples.start.adding(seconds: 1))
    usage.count(.sent, at: Samples.start.adding(seconds: 86_400))
    usage.count(.failed, at: Samples.start.adding(seconds: 90_000))
    #expect(usage.totals == [.received: 1, .duplicate: 1, .sent: 1, .failed: 1])
    #expect(usage.uses(inDays: 1, until: Samples.start.adding(seconds: 90_000)) == 1)
    #expect(usage.uses(inDays: 2, until: Samples.start.adding(seconds: 90_000)) == 2)
    // A try is no use.
    #expect(usage.idle(at: Samples.start.adding(seconds: 90_000)) == 3_600)
    #expect(
      JSONWriter.text(usage.json)
        == #"{"totals":{"received":1,"duplicate":1,"sent":1,"failed":1},"days":{"20261124":{"received":1,"duplicate":1},"#
        + #""20261125":{"sent":1,"failed":1}},"lastUse":"2026-11-25T00:00:00Z"}"#)
  }

  @Test func daysHaveABound() {
    var usage = Usage()
    for day in 0..<500 { usage.count(.sent, at: Samples.start.adding(seconds: Double(day) * 86_400)) }
    #expect(usage.byDay.count == Usage.days && usage.totals[.sent] == 500)
    #expect(usage.byDay["20261124"] == nil)
  }
}
