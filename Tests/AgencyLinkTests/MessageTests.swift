import NGSI
import Testing

@testable import AgencyLink

@Suite struct MessageTests {
  private func text(_ request: WireRequest) -> String { String(decoding: request.body, as: UTF8.self) }

  @Test func anEventIsWrittenToTheByte() throws {
    let request = try Message(Samples.envelope(), .event(Samples.body())).request(.json)
    #expect(text(request) == Samples.eventText)
    #expect(
      request.headers.map { "\($0.name): \($0.value)" } == [
        "Content-Type: application/json", "Accept: application/json", "X-Scsns-svcTy: EVENT",
        "X-Scsns-sendCd: CITY0001", "X-Scsns-rcvCd: FIRE0001", "X-Scsns-sysCd: MDG", "X-Scsns-encAt: N",
        "X-Scsns-Secret: session-1", "X-Scsns-type: sync",
      ])
  }

  @Test func aLoginIsWrittenToTheByte() throws {
    let request = try Message(Samples.envelope(.authentication), .authentication(apiKey: "secret-1")).request(.json)
    #expect(text(request) == Samples.loginText)
    #expect(request["x-scsns-secret"] == "")
  }

  @Test func aFormIsWrittenToTheByte() throws {
    var body = EventBody(event: "E1", number: "7", status: .occurred)
    body.place = "가 b&c"
    var envelope = Envelope(.event, sender: "C", receiver: nil, system: nil)
    envelope.hops = [.init("C_MDG")]
    let request = try Message(envelope, .event(body)).request(.form)
    #expect(
      text(request) == "svcTy=EVENT&hdCnt=14&dtCnt=16&apSeq=%7B%22apCurrent%22%3A%221%22%2C%22apTotal%22%3A%221%22%7D"
        + "&cmnMtd=1&sendCd=C&encAt=N&tranTy=HTTP&bodyLen=94"
        + "&tranSysHis=%5B%7B%22tranSysHis%22%3A%22C_MDG%22%7D%5D"
        + "&Body=%7B%22evtId%22%3A%22E1%22%2C%22ocrNbr%22%3A%227%22%2C%22ocrSts%22%3A%2210%22%2C%22ocrPlc%22%3A%22"
        + "%EA%B0%80+b%26c%22%2C%22ocrEvtItemCnt%22%3A%220%22%2C%22ocrEvtItem%22%3A%5B%5D%7D")
    #expect(request["Content-Type"] == "application/x-www-form-urlencoded")
  }

  @Test(arguments: WireRequest.Format.allCases, Message.Dialect.allCases)
  func whatIsWrittenIsReadAgain(_ format: WireRequest.Format, _ dialect: Message.Dialect) throws {
    for status in OccurrenceStatus.allCases {
      var message = Message(Samples.envelope(), .event(Samples.body(status)))
      let request = try message.request(format, dialect)
      let read = try Message(reading: request)
      message.envelope.bodyLength = read.envelope.bodyLength
      if dialect == .platform {
        message.envelope.hops = [
          .init("CITY0001_MDG", name: "tranSysHis1"), .init("FIRE0001_SCSNS", name: "tranSysHis2"),
        ]
      }
      #expect(read == message)
      #expect(read.envelope.bodyLength != nil)
      #expect(read.secret(of: request) == "session-1")
    }
  }

  @Test func headersFillInWhatTheEnvelopeLeavesOut() throws {
    let bare = #"{"body":{"evtId":"E","ocrNbr":1,"ocrSts":"10"}}"#
    let headers: [WireRequest.Header] = [
      .init("X-SCSNS-SVCTY", "EVENT"), .init("x-scsns-sendcd", "A"), .init("X-Scsns-rcvCd", "B"),
      .init("X-Scsns-encAt", "N"), .init("X-Scsns-Secret", "k"),
    ]
    let request = Samples.request(json: bare, headers)
    let message = try Message(reading: request)
    #expect(message.envelope.sender == "A" && message.envelope.receiver == "B" && !message.envelope.isEncrypted)
    #expect(message.secret(of: request) == "k")
    guard case .event(let body) = message.body else { throw MessageError("body", .missing) }
    // A number is taken for a text, as Jackson does.
    #expect(body.number == "1")
    let both = #"{"svcTy":"EVENT","sendCd":"C","body":{"evtId":"E","ocrNbr":"1","ocrSts":"10"}}"#
    #expect(try Message(reading: Samples.request(json: both, headers)).envelope.sender == "C")
  }

  @Test func theStatusTextStandsInForTheStatus() throws {
    let text = #"{"svcTy":"EVENT","sendCd":"C","Body":{"evtId":"E","ocrNbr":"1","ocrEvtSts":{"ocrEvtStsCd":"50"}}}"#
    guard case .event(let body) = try Message(reading: Samples.request(json: text)).body else {
      throw MessageError("body", .missing)
    }
    #expect(body.status == .cleared)
  }

  @Test(arguments: [
    (#""svcTy":"EVENT","#, "", "svcTy", MessageError.Reason.missing),
    (#""svcTy":"EVENT""#, #""svcTy":"OTHER""#, "svcTy", .unknown),
    (#""sendCd":"CITY0001""#, #""sendCd":"CITY0001CITY0001X""#, "sendCd", .tooLong(16)),
    (#""sendCd":"CITY0001""#, #""sendCd":["CITY0001"]"#, "sendCd", .notText),
    (#""encAt":"N""#, #""encAt":"X""#, "encAt", .unknown),
    (#""reqDate":"20261124090000""#, #""reqDate":"20261324090000""#, "reqDate", .notTime),
    (#""apSeq":{"apCurrent":"1","apTotal":"1"}"#, #""apSeq":"1""#, "apSeq", .notObject),
    (#"{"tranSysHis":"FIRE0001_SCSNS"}"#, #"{"tranSysHis":{}}"#, "tranSysHis[1].tranSysHis", .notText),
    (#""body":{"#, #""Body":"x","body":{"#, "Body", .twice),
    (#""evtId":"TESTFIRE01","#, "", "body.evtId", .missing),
    (#""evtId":"TESTFIRE01""#, #""evtId":"""#, "body.evtId", .missing),
    (#""ocrNbr":"20261124085959123""#, #""ocrNbr":null"#, "body.ocrNbr", .missing),
    (#""ocrSts":"10""#, #""ocrSts":"60""#, "body.ocrSts", .unknown),
    (#""crdntX":"127.0276""#, #""crdntX":"227.0276""#, "body.ocrLc.crdntX", .notNumber),
    (#""crdntX":"127.0276""#, #""crdntX":"nan""#, "body.ocrLc.crdntX", .notNumber),
    (#""crdntY":"37.4979","#, "", "body.ocrLc.crdntY", .missing),
    (#""ocrEvtStsTime":"20261124090000""#, #""ocrEvtStsTime":"2026112409000""#, "body.ocrEvtStsTime", .notTime),
    (#""ocrPlc":"강남대로 396""#, #""ocrPlc":"\u0000""#, "body.ocrPlc", .controlCharacter),
    (#"{"key":"IMAGE_URL","#, "{", "body.ocrEvtItem[1].key", .missing),
    (#""ocrEvtItem":["#, #""ocrEvtItem":{"a":["#, "message", .notJSON),
    (#""evtGrad":"20""#, #""evtGrad":"20","evtGrad":"30""#, "message", .notJSON),
  ])
  func anErrorNamesItsField(_ found: String, _ put: String, _ field: String, _ reason: MessageError.Reason) throws {
    try #require(Samples.eventText.contains(found))
    let text = Samples.eventText.replacing(found, with: put)
    let error = Samples.failure { _ = try Message(reading: Samples.request(json: text)) }
    #expect(error == MessageError(field, reason))
    #expect(error?.description.contains("'\(field)'") == true)
  }

  @Test(arguments: [
    ("svcTy=EVENT&sendCd=%4", "sendCd", MessageError.Reason.notForm), ("%FF=1", "form", .notForm),
    ("svcTy=EVENT&svcTy=EVENT", "svcTy", .twice), ("svcTy=EVENT&sendCd=A&apSeq=%7B", "apSeq", .notJSON),
    ("svcTy=EVENT&sendCd=A", "Body", .missing), ("svcTy=EVENT&sendCd=A&Body=x", "Body", .notJSON),
    ("svcTy=EVENT&sendCd=A&Body=%7B%7D", "Body.ocrSts", .missing), ("", "svcTy", .missing),
    ((0...40).map { "f\($0)=1" }.joined(separator: "&"), "form", .tooMany(40)),
  ])
  func anErrorOfAFormNamesItsField(_ text: String, _ field: String, _ reason: MessageError.Reason) {
    #expect(
      Samples.failure { _ = try Message(reading: Samples.request(form: text)) } == MessageError(field, reason))
  }

  @Test func everythingHasABound() throws {
    var bounds = Bounds()
    bounds.request = 100
    let request = Samples.request(json: Samples.eventText)
    #expect(Samples.failure { _ = try Message(reading: request, bounds: bounds) }?.reason == .tooLong(100))
    bounds = Bounds()
    bounds.items = 1
    #expect(
      Samples.failure { _ = try Message(reading: request, bounds: bounds) }
        == MessageError("body.ocrEvtItem", .tooMany(1)))
    bounds = Bounds()
    bounds.hops = 1
    #expect(
      Samples.failure { _ = try Message(reading: request, bounds: bounds) } == MessageError("tranSysHis", .tooMany(1)))
    let deep = Samples.request(json: String(repeating: "[", count: 9) + String(repeating: "]", count: 9))
    #expect(Samples.failure { _ = try Message(reading: deep) } == MessageError("message", .notJSON))
    #expect(
      Samples.failure { _ = try Message(reading: WireRequest(headers: [], body: [])) }
        == MessageError("Content-Type", .unknown))
  }

  @Test func nothingLeavesThatTheFarSideCouldNotKeep() throws {
    func failure(_ change: (inout Envelope, inout EventBody) -> Void) -> MessageError? {
      var envelope = Samples.envelope()
      var body = Samples.body()
      change(&envelope, &body)
      return Samples.failure { _ = try Message(envelope, .event(body)).request(.json) }
    }
    #expect(failure { _, body in body.event = String(repeating: "e", count: 65) }?.field == "body.evtId")
    #expect(failure { _, body in body.content = String(repeating: "가", count: 8_000) }?.reason == .tooLong(8_192))
    #expect(failure { envelope, _ in envelope.sender = "A\r\nX: y" }?.field == "sendCd")
    #expect(failure { envelope, _ in envelope.session = "a\nb" }?.field == "rrKey")
    #expect(failure { _, _ in } == nil)
  }

  @Test func answers() throws {
    #expect(
      String(decoding: Answer.success("").bytes, as: UTF8.self)
        == #"{"startTag":"$DA","endTag":"$DB","finishTag":"$DF","result":"0","message":""}"#)
    for answer in [Answer.success("key-1"), .failure("'apSeq' is no JSON")] {
      #expect(try Answer(reading: answer.bytes) == answer)
    }
    #expect(Samples.failure { _ = try Answer(reading: Array("{}".utf8)) } == MessageError("answer.result", .missing))
    #expect(
      Samples.failure { _ = try Answer(reading: Array(#"{"result":"2"}"#.utf8)) }
        == MessageError("answer.result", .unknown))
    #expect(Samples.failure { _ = try Answer(reading: Array("<html>".utf8)) } == MessageError("answer", .notJSON))
  }

  @Test func timesAreKorean() throws {
    let time = try #require(DateTime("2026-11-23T15:30:59.987Z"))
    #expect(WireTime.text(time) == "20261124003059")
    #expect(WireTime.milliseconds(time) == "20261124003059987")
    #expect(WireTime.time("20261124003059987") == time)
    #expect(WireTime.day(time) == "20261124")
    for text in ["20260230000000", "20260101240000", "20260101000060", "2026010100000", "２0260101000000", "x"] {
      #expect(WireTime.time(text) == nil, "\(text)")
    }
    let leap = "20240229235959"
    #expect(WireTime.time(leap).map(WireTime.text) == leap)
    #expect(WireTime.text(DateTime(microseconds: -1)) == "19700101085959")
  }

  @Test func numbersNeverComeTwice() {
    var numbers = OccurrenceNumbers()
    let given = [0, 0, 0.0004, -5, 0.001, 1].map { numbers.next(at: Samples.start.adding(seconds: $0)) }
    #expect(given == given.sorted() && Set(given).count == given.count)
    #expect(given.first == "20261124090000000" && given.last == "20261124090001000")
  }
}
