import NGSI
import Testing

@testable import AgencyLink

/// Against the published module itself: its kept messages, and the names and codes in its sources.
@Suite struct PublishedModuleTests {
  private static let sources = "src/main/java/kr/re/keti/sc/interworking/"
  private static let rows = "src/main/resources/init.sql"

  @Test func aKeptMessageIsReadAndWrittenToTheByte() throws {
    guard let sql = Samples.published(Self.rows, for: "aKeptMessageIsReadAndWrittenToTheByte") else { return }
    let kept = sql.split(separator: "'").map(String.init).filter { $0.hasPrefix(#"{"svcTy""#) }
    let whole = kept.filter { $0.contains("evtId") }
    try #require(!whole.isEmpty)
    for text in whole {
      let message = try Message(reading: Samples.request(json: text))
      guard case .event(let body) = message.body else { throw MessageError("body", .missing) }
      #expect(body.status == .occurred && body.coordinates?.longitude != nil && body.items.count == 2)
      #expect(String(decoding: try message.request(.json, .platform).body, as: UTF8.self) == text)
    }
    // The others have no body: it came encrypted, or apart.
    for text in kept where !text.contains("evtId") {
      let error = Samples.failure { _ = try Message(reading: Samples.request(json: text)) }
      #expect(error == MessageError("body", .missing))
    }
  }

  @Test func keptBodiesAreRead() throws {
    guard let sql = Samples.published(Self.rows, for: "keptBodiesAreRead") else { return }
    let bodies = sql.split(separator: "'").map(String.init).filter { $0.hasPrefix(#"{ "startTag""#) }
    try #require(!bodies.isEmpty)
    for text in bodies {
      let form = FormCoding.write([
        .init(name: "svcTy", value: "EVENT"), .init(name: "sendCd", value: "A"), .init(name: "Body", value: text),
      ])
      let request = Samples.request(form: String(decoding: form, as: UTF8.self))
      guard case .event(let body) = try Message(reading: request).body else { throw MessageError("body", .missing) }
      #expect(!body.number.isEmpty && body.user?.id != nil && body.detail?.code != nil)
    }
  }

  @Test func namesAndTheirOrderAreThoseOfTheModule() throws {
    let model = Self.sources + "integrationplatform/model/"
    let test = "namesAndTheirOrderAreThoseOfTheModule"
    guard
      let message = Samples.published(model + "IntegrationPlatformAbstractMessage.java", for: test),
      let event = Samples.published(model + "IntegrationPlatformEventMessage.java", for: test)
    else { return }
    var envelope = Samples.envelope()
    envelope.callback = .init(isUsed: false, target: "http://127.0.0.1/")
    let body = Samples.body(.completed)
    let request = try Message(envelope, .event(body)).request(.json)
    let json = try JSONParser.parse(request.body)
    #expect(
      try members(message, before: "static class CallBack") + ["body"] == json.object?.keys)
    #expect(
      try members(event, after: "class EventBody", before: "static class OccurrenceLocation")
        == json["body"]?.object?.keys)
  }

  @Test func headersAndStatesAreThoseOfTheModule() throws {
    let test = "headersAndStatesAreThoseOfTheModule"
    guard
      let headers = Samples.published(Self.sources + "common/HttpConstants.java", for: test),
      let event = Samples.published(
        Self.sources + "integrationplatform/model/IntegrationPlatformEventMessage.java", for: test),
      let readme = Samples.published("README.md", for: test)
    else { return }
    let request = try Message(Samples.envelope(), .event(Samples.body())).request(.json)
    let theirs = Set(constants(headers).values.filter { $0.hasPrefix("X-") })
    #expect(theirs == Set(request.headers.map(\.name).filter { $0.hasPrefix("X-") }))
    let codes = constants(try part(event, after: "class OccurenceStatusCode", before: "class OccurenceStatusName"))
    #expect(Set(codes.values) == Set(OccurrenceStatus.allCases.map(\.rawValue)))
    let names = constants(try part(event, after: "class OccurenceStatusName", before: "class OccurenceStatusUser"))
    for (name, code) in codes where names[name] != nil {
      #expect(OccurrenceStatus(rawValue: code)?.name == names[name])
    }
    let answer = try part(readme, after: "3.1.3", before: "`result`")
    let json = try #require(answer.split(separator: "```json").last?.split(separator: "```").first)
    #expect(try Answer(reading: Array(json.utf8)) == .success(""))
  }

  private func part(_ text: String, after: String? = nil, before: String) throws -> String {
    let begin = try #require(after.map { text.firstRange(of: $0)?.upperBound } ?? text.startIndex)
    let end = try #require(text[begin...].firstRange(of: before)?.lowerBound)
    return String(text[begin..<end])
  }

  /// Constants of Java by their names.
  private func constants(_ text: String) -> [String: String] {
    Dictionary(
      text.matches(of: #/String\s+(\w+)\s*=\s*"([^"]*)"/#).map { (String($0.1), String($0.2)) },
      uniquingKeysWith: { first, _ in first })
  }

  /// Names on the wire of the members that stand between two places, in their order.
  private func members(_ text: String, after: String? = nil, before: String) throws -> [String] {
    let names = constants(text)
    return try part(text, after: after, before: before).matches(of: #/@JsonProperty\([\w.]*Name\.(\w+)\)/#).map {
      try #require(names[String($0.1)])
    }
  }
}
