import Fuzzing
import NGSI
import Testing

@testable import AgencyLink

/// Nearly right messages: read and written as the same again, or refused with the name of a field (see `Fuzz`).
@Suite(.serialized) struct LinkFuzzTests {
  private struct Broken: Error { let what: String }

  private static let texts = [
    Samples.eventText, Samples.loginText,
    #"{"svcTy":"EVENT","sendCd":"A","encAt":"Y","Body":"a0b1","tranSysHis":{"a":"1","b":"2"}}"#,
    #"{"startTag":"$DA","result":"0","message":""}"#,
  ]
  private static let tokens = [
    "{", "}", "[", "]", ",", ":", "\"", "\\u0000", "null", "1e999", "-1", "true", "\"body\"", "\"Body\"", "\"ocrSts\"",
    "\"encAt\":\"Y\"", "\"91\"", "99999999999999", "가", "\u{0}", "%", "%00", "&", "=", "+", "svcTy", "tranSysHis",
  ]

  private func check(_ outcome: Fuzz.Outcome) {
    #expect(outcome.findings == [])
    #expect(outcome.isTelling, "\(outcome.taken) of \(outcome.tried) were taken")
  }

  private func isRefusal(_ error: any Error) -> Bool { (error as? MessageError).map { !$0.field.isEmpty } == true }

  /// Whatever is read and can be sent is read as the same again, written in any way.
  private func read(_ request: WireRequest) throws {
    let message = try Message(reading: request)
    for format in WireRequest.Format.allCases {
      for dialect in Message.Dialect.allCases {
        guard let written = try? message.request(format, dialect) else { continue }
        do {
          let again = try Message(reading: written)
          guard again.body == message.body, again.envelope.sender == message.envelope.sender else {
            throw Broken(what: "\(again)")
          }
        } catch let error as MessageError { throw Broken(what: "\(error) in \(written)") }
      }
    }
  }

  @Test func json() {
    check(
      Fuzz(share: 0.3).run {
        Mutation.text(&$0, Self.texts, Self.tokens)
      } isRefusal: {
        isRefusal($0)
      } parse: { (text: String) in
        try read(Samples.request(json: text))
      })
  }

  @Test func trees() throws {
    let seeds = try Self.texts.map { try JSONParser.parse($0) }
    let keys = ["body", "Body", "svcTy", "ocrSts", "ocrLc", "crdntX", "tranSysHis", "ocrEvtItem", "key", "apSeq", "x"]
    let values: [JSON] = [
      "10", "EVENT", "", .null, 1, 1.5, true, [], ["a"], .object(JSONObject()), "20261124090000", "127.5", "\u{7}",
      .string(String(repeating: "x", count: 5_000)),
    ]
    check(
      Fuzz(share: 0.3).run {
        Mutation.json(&$0, seeds, keys: keys, values: values)
      } isRefusal: {
        isRefusal($0)
      } parse: { (json: JSON) in
        try read(Samples.request(json: JSONWriter.text(json)))
      })
  }

  @Test func forms() throws {
    let form = try Message(Samples.envelope(), .event(Samples.body())).request(.form)
    let seeds = [form.body, Array("svcTy=EVENT&sendCd=A&encAt=Y&Body=abc".utf8)]
    check(
      Fuzz(share: 0.3).run {
        Mutation.bytes(&$0, seeds)
      } isRefusal: {
        isRefusal($0)
      } parse: { (bytes: [UInt8]) in
        try read(WireRequest(headers: form.headers, body: bytes))
      })
  }

  @Test func sealedBodies() throws {
    let cipher = try BodyCipher(key: "fuzz", encoding: .hex)
    guard case .sealed(let text) = try cipher.seal(Message(Samples.envelope(), .event(Samples.body()))).body else {
      throw Broken(what: "not sealed")
    }
    check(
      Fuzz(share: 0.1).run {
        $0.chance(5) ? text : Mutation.text(&$0, [text], ["0", "f", "zz", " "])
      } isRefusal: {
        ($0 as? MessageError) == MessageError("body", .unreadable)
      } parse: { (text: String) in
        _ = try cipher.open(Message(Samples.envelope(), .sealed(text)))
      })
  }

  @Test func answers() {
    check(
      Fuzz(share: 0.2).run {
        Mutation.text(&$0, [String(decoding: Answer.success("k").bytes, as: UTF8.self)], Self.tokens)
      } isRefusal: {
        isRefusal($0)
      } parse: { (text: String) in
        let answer = try Answer(reading: Array(text.utf8))
        guard try Answer(reading: answer.bytes) == answer else { throw Broken(what: text) }
      })
  }

  /// A far side that says anything at any time: nothing that was put in is lost.
  @Test func anyConversation() throws {
    let replies: [Reply] = [
      .answer(.success("k")), .answer(.success("")), .answer(.failure("no")), .garbled("HTTP 500"),
      .unreachable("down"),
    ]
    for seed in 0..<200 {
      var random = Seeded(UInt64(seed))
      var link = Link(outbox: Outbox(bound: 50), parallel: 3)
      var time = Samples.start
      var put = 0
      var done = 0
      var underWay: [Int] = []
      for _ in 0..<500 {
        time = time.adding(seconds: Double(random.below(100)))
        switch random.below(4) {
        case 0:
          let body = Samples.body(random.pick(OccurrenceStatus.allCases), number: "\(random.below(6))")
          if (try? link.outbox.put(Message(Samples.envelope(), .event(body)), at: time)) != nil { put += 1 }
        case 1 where !underWay.isEmpty:
          let reply = random.pick(replies)
          link.took(reply, for: underWay.remove(at: random.below(underWay.count)), at: time)
          if reply.failure == nil { done += 1 }
        case 2:
          if let entry = link.outbox.setAside.first { link.outbox.retry(entry.id, at: time) }
        default:
          switch link.step(at: time) {
          case .logIn: link.loggedIn(random.pick(replies), at: time)
          case .send(let entry, let key):
            #expect(!key.isEmpty && !underWay.contains(entry.id))
            underWay.append(entry.id)
          case .wait(let until): #expect(until.map { $0 >= time } != false)
          }
        }
        #expect(link.outbox.count == put - done && link.outbox.underWay == Set(underWay))
      }
      #expect(done > 0)
      // Once all goes well again, everything goes: no lane was forgotten.
      for id in underWay { link.took(.unreachable("end"), for: id, at: time) }
      for entry in link.outbox.setAside { link.outbox.retry(entry.id, at: time) }
      var goesOn = true
      while goesOn {
        switch link.step(at: time) {
        case .logIn: link.loggedIn(.answer(.success("k")), at: time)
        case .send(let entry, _): link.took(.answer(.success("")), for: entry.id, at: time)
        case .wait(let until?): time = max(time, until)
        case .wait(nil): goesOn = false
        }
      }
      #expect(link.outbox.isEmpty, "seed \(seed)")
    }
  }
}
