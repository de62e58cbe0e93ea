import Fuzzing
import NGSI
import Testing

@testable import CAP

@Suite struct AlertTests {
  @Test func whatIsWrittenIsReadAsTheSame() throws {
    var alert = Samples.whole
    #expect(alert.infos[0].areas[0].polygons.count == 1 && alert.infos[0].areas[0].circles.count == 1)
    let read = try Samples.read(alert.xml)
    for index in alert.infos.indices { alert.infos[index].description = "첫 줄\n둘째 줄  <b>" }
    #expect(read == alert)
    #expect(
      alert.xml.contains("<sent>2026-11-24T09:00:00-00:00</sent>")
        && alert.xml.contains("<circle>-35.15,129.05 0.5</circle>"))
    #expect(read.expires == Samples.time("2026-11-24T12:00:00Z") && read.info(in: "en")?.event == "Fire")
  }

  /// By the schema of OASIS, which knows what is wrong too.
  @Test func documentsAreValid() throws {
    let test = "documentsAreValid"
    guard try Samples.lint("<a/>", for: test) != "" else { return }
    #expect(try Samples.lint("<a/>", for: test) != nil)
    var alert = Samples.whole
    #expect(try Samples.lint(alert.xml, for: test) == nil)
    for (index, type) in CAPAlert.MessageType.allCases.enumerated() {
      (alert.status, alert.messageType) = (CAPAlert.Status.allCases[index], type)
      alert.scope = CAPAlert.Scope.allCases[index % 3]
      #expect(try Samples.lint(alert.xml, for: test) == nil)
    }
    alert.infos[0].categories = CAPAlert.Info.Category.allCases
    alert.infos[0].responses = CAPAlert.Info.Response.allCases
    for (index, urgency) in CAPAlert.Info.Urgency.allCases.enumerated() {
      var info = alert.infos[1]
      info.urgency = urgency
      info.severity = CAPAlert.Info.Severity.allCases[index]
      info.certainty = CAPAlert.Info.Certainty.allCases[index]
      alert.infos.append(info)
    }
    #expect(try Samples.lint(alert.xml, for: test) == nil)
    let bare = CAPAlert(
      identifier: "a", sender: "b", sent: Samples.time("1969-12-31T23:59:59.5Z"), status: .test,
      messageType: .acknowledgement)
    #expect(try Samples.lint(bare.xml, for: test) == nil)
    #expect(bare.xml.contains("1969-12-31T23:59:59-00:00"))
  }

  @Test(arguments: [
    ("<!DOCTYPE alert SYSTEM \"file:///etc/passwd\">", "document type"),
    ("<!DOCTYPE alert [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>", "document type"),
    (
      "<?xml version=\"1.0\"?><!-- a --><!DOCTYPE alert [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]>",
      "document type"
    ),
  ])
  func whatAsksForMoreThanItselfIsRefused(_ head: String, _ said: String) throws {
    let begun = ContinuousClock.now
    for text in ["x", "&x;", "&b;"] {
      let error = Samples.failure(head + Samples.with("<note>\(text)</note>"))
      #expect(error?.reason.contains(said) == true)
    }
    #expect(ContinuousClock.now - begun < .seconds(2))
  }

  @Test func laughsAreRefused() throws {
    var laughs = "<!DOCTYPE alert [<!ENTITY l0 \"lol\">"
    for level in 1..<30 { laughs += "<!ENTITY l\(level) \"" + String(repeating: "&l\(level - 1);", count: 10) + "\">" }
    #expect(
      Samples.failure(laughs + "]>" + Samples.with("<note>&l29;</note>"))?.reason.contains("document type") == true)
    // An entity that nobody declared, one in an attribute, and one in UTF-16, where the declaration would look otherwise.
    #expect(Samples.failure(Samples.with("<note>&l29;</note>")) != nil)
    #expect(Samples.failure(Samples.with("<note a=\"&l;\"/>")) != nil)
    let wide = (laughs + "]>" + Samples.minimal).utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
    #expect(throws: CAPError.self) { try CAPAlert(reading: [0xFF, 0xFE] + wide) }
    #expect(throws: CAPError.self) { try CAPAlert(reading: wide) }
  }

  @Test func boundsHold() throws {
    #expect(Samples.failure(Samples.with(String(repeating: " ", count: 1 << 20)))?.reason.contains("bytes") == true)
    #expect(
      Samples.failure(Samples.with(String(repeating: "<a>", count: 30) + String(repeating: "</a>", count: 30)))?.reason
        .contains("deep") == true)
    #expect(
      Samples.failure(Samples.with(String(repeating: "<a/>", count: 30_000)))?.reason.contains("elements") == true)
    #expect(Samples.failure(Samples.with(String(repeating: "<info/>", count: 21)))?.element == "info")
    #expect(Samples.failure(Samples.with("<note>\(String(repeating: "x", count: 20_001))</note>"))?.element == "note")
    let points = (0...1_001).map { "35.\(1_000 + $0),129.0" }.joined(separator: " ")
    let alert = try Samples.read(
      Samples.with(
        Samples.info.replacing("MORE", with: "<area><areaDesc>a</areaDesc><polygon>\(points)</polygon></area>")))
    #expect(alert.doubts.map(\.element) == ["info[0].area[0].polygon[0]"] && alert.doubts[0].reason.contains("1000"))
    let ring = "<polygon>" + String(repeating: "35,129 ", count: 900) + "</polygon>"
    let many = "<area><areaDesc>a</areaDesc>" + String(repeating: ring, count: 30) + "</area>"
    #expect(
      Samples.failure(Samples.with(Samples.info.replacing("MORE", with: many)))?.reason.contains("points") == true)
    for text in [
      "", "<", "<alert", "x", "<alert/>", "<alert xmlns=\"urn:oasis:names:tc:emergency:cap:1.2\"/>",
      Samples.minimal + "<a/>",
    ] {
      #expect(Samples.failure(text) != nil, "\(text)")
    }
  }

  /// What says who warns and whether for real has to be known.
  @Test(arguments: [
    ("<status>Actual", "<status>Real", "status"), ("<msgType>Alert", "<msgType>Shout", "msgType"),
    ("<scope>Public", "<scope>", "scope"), ("<identifier>i", "<identifier>a b", "identifier"),
    ("<sender>s", "<sender>a,b", "sender"),
    ("2026-11-24T09:00:00+09:00", "yesterday", "sent"), ("<sent>2026-11-24T09:00:00+09:00</sent>", "", "sent"),
    ("<sender>s</sender>", "<sender>s</sender><sender>t</sender>", "sender"),
  ])
  func aHeadThatCannotBeIsRefused(_ found: String, _ put: String, _ element: String) throws {
    let text = Samples.with("")
    try #require(text.contains(found))
    #expect(Samples.failure(text.replacing(found, with: put))?.element == element)
  }

  @Test func whatCannotBeInsideIsDoubted() throws {
    let text = Samples.with(
      "<references>a,b,2026-11-24T09:00:00Z bad a,b,c</references>"
        + Samples.info.replacing("<urgency>Immediate", with: "<urgency>Now").replacing(
          "<category>Fire", with: "<category>Volcano"
        )
        .replacing(
          "MORE",
          with: """
            <expires>1970</expires><onset>1970-01-01T00:00:00Z</onset><area><areaDesc>a</areaDesc>\
            <polygon>35,129 36,129 36,130 35,129</polygon><polygon>35,129 36,130 36,129 35,130 35,129</polygon>\
            <polygon>35,129 36,129 35,129</polygon><polygon>35,129 36,129 36,130</polygon><polygon>35,129 36,129 36,130 35,130</polygon>\
            <polygon>95,129 36,129 36,130 95,129</polygon><polygon>here</polygon>\
            <circle>35,129 1</circle><circle>35,129 -1</circle><circle>35,129</circle></area>
            """))
    let alert = try Samples.read(text)
    let info = try #require(alert.infos.first)
    #expect(alert.references.map(\.identifier) == ["b"])
    #expect(info.urgency == .unknown && info.categories == [.other] && info.expires == nil)
    // A time of 1970 is a time: whoever takes the message judges it.
    #expect(info.onset == DateTime(microseconds: 0))
    #expect(info.areas[0].polygons.count == 1 && info.areas[0].circles.count == 1)
    let reasons = alert.doubts.filter { $0.element.contains("polygon") }.map(\.reason)
    #expect(
      reasons.count == 6 && reasons.contains { $0.contains("crosses") }
        && reasons.contains { $0.contains("less than four") }
        && reasons.contains { $0.contains("end where") } && reasons.contains { $0.contains("no place") }
        && reasons.contains { $0.contains("no list") })
    #expect(alert.doubts.count == 13, "\(alert.doubts)")
  }

  @Test func textsAndCodings() throws {
    let alert = try Samples.read(
      "\u{FEFF}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- c -->"
        + Samples.with(
          "<note> <![CDATA[<!DOCTYPE a>]]>&amp;&#xAC00; </note><x:note xmlns:x=\"other\">n</x:note><incidents>a \"b c\"  d</incidents>"
        ))
    #expect(alert.note == "<!DOCTYPE a>&가" && alert.incidents == ["a", "b c", "d"])
    let earlier = try Samples.read(Samples.with("").replacing("cap:1.2", with: "cap:1.1"))
    #expect(earlier.status == .actual)
    #expect(Samples.failure(Samples.with("").replacing("cap:1.2", with: "cap:9")) != nil)
  }

  @Test func whateverIsReadIsWrittenWell() throws {
    struct Broken: Error { let what: String }
    let tokens = [
      "<", ">", "&", "</info>", "<info>", "<polygon>", "35,129", " ", "\"", "-", "1e400", "NaN", "&#0;", "&lt;", "가",
      "\u{1}",
      "<![CDATA[", "]]>", "<!--", "<!DOCTYPE", "<?", "?>", "xmlns=\"\"", "0001-01-01T00:00:00-23:59",
      "9999-12-31T23:59:59-14:00",
    ]
    let seeds = [Samples.whole.xml, Samples.with(Samples.info.replacing("MORE", with: ""))]
    let outcome = Fuzz(share: 0.3).run({ Mutation.text(&$0, seeds, tokens) }, isRefusal: { $0 is CAPError }) { text in
      var once = try Samples.read(text)
      do {
        once = try Samples.read(once.xml)
        once.doubts = []
        var again = try Samples.read(once.xml)
        again.doubts = []
        guard again == once else { throw Broken(what: once.xml) }
      } catch let error as CAPError { throw Broken(what: "\(error) in \(once.xml)") }
    }
    #expect(outcome.findings.isEmpty && outcome.isTelling, "\(outcome.findings.prefix(3))")
  }
}
