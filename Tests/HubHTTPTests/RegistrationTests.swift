import NGSI
import Testing

@testable import Hub
@testable import HubHTTP

/// Registrations of context sources, and who wants to hear of them.
@Suite struct RegistrationTests {
  private func registration(_ id: String, _ information: String, more: String = "") -> String {
    #"{"id": "urn:r:\#(id)", "type": "ContextSourceRegistration", "endpoint": "http://\#(id).test","#
      + #""information": [\#(information)]\#(more.isEmpty ? "" : ", " + more)}"#
  }

  private func ids(_ answer: Answer) -> [String] { (answer.json.array ?? []).compactMap { $0["id"]?.string } }

  // Clauses: 5.2.9, 5.2.10, 5.2.8, 5.2.11, 5.2.22, 5.2.34, 5.9.2, 4.20
  @Test(arguments: [
    #"{"type": "ContextSourceRegistration", "information": [{"entities": [{"type": "T"}]}]}"#,
    #"{"type": "Subscription", "endpoint": "http://a.test", "information": [{"entities": [{"type": "T"}]}]}"#,
    #"{"type": "ContextSourceRegistration", "endpoint": "ftp://a.test", "information": [{"propertyNames": ["p"]}]}"#,
    #"{"type": "ContextSourceRegistration", "endpoint": "http://a.test?x=1", "information": [{"propertyNames": ["p"]}]}"#,
    #"{"type": "ContextSourceRegistration", "endpoint": "http://a.test", "information": []}"#,
    #"{"type": "ContextSourceRegistration", "endpoint": "http://a.test", "information": [{}]}"#,
    #"{"type": "ContextSourceRegistration", "endpoint": "http://a.test", "information": [{"entities": []}]}"#,
    #"{"type": "ContextSourceRegistration", "endpoint": "http://a.test", "information": [{"entities": [{"id": "urn:a:1"}]}]}"#,
    #"{"type": "ContextSourceRegistration", "endpoint": "http://a.test", "information": [{"entities": [{"type": "T", "idPattern": "("}]}]}"#,
    #"{"type": "ContextSourceRegistration", "endpoint": "http://a.test", "mode": "maybe", "information": [{"propertyNames": ["p"]}]}"#,
    #"{"type": "ContextSourceRegistration", "endpoint": "http://a.test", "operations": ["fly"], "information": [{"propertyNames": ["p"]}]}"#,
    #"{"type": "ContextSourceRegistration", "endpoint": "http://a.test", "expiresAt": "2001-01-01T00:00:00Z", "information": [{"propertyNames": ["p"]}]}"#,
    #"{"type": "ContextSourceRegistration", "endpoint": "http://a.test", "contextSourceInfo": [{"key": "a b", "value": "c"}], "information": [{"propertyNames": ["p"]}]}"#,
    #"{"type": "ContextSourceRegistration", "endpoint": "http://a.test", "contextSourceInfo": [{"key": "X", "value": "a\r\nb"}], "information": [{"propertyNames": ["p"]}]}"#,
    #"{"type": "ContextSourceRegistration", "endpoint": "http://a.test", "management": {"timeout": 0}, "information": [{"propertyNames": ["p"]}]}"#,
    #"{"type": "ContextSourceRegistration", "endpoint": "http://a.test", "refreshRate": "often", "information": [{"propertyNames": ["p"]}]}"#,
    #"{"type": "ContextSourceRegistration", "endpoint": "http://a.test", "location": {"type": "Point"}, "information": [{"propertyNames": ["p"]}]}"#,
    #"{"type": "ContextSourceRegistration", "endpoint": "http://a.test", "observationInterval": {"endAt": "2026-01-01T00:00:00Z"}, "information": [{"propertyNames": ["p"]}]}"#,
    "[]", "7",
  ])
  func brokenRegistrationsAreRefused(_ document: String) async throws {
    try await withHub { hub in
      let answer = await hub.post("csourceRegistrations", document)
      #expect(answer.status == 400 && answer.problem == "BadRequestData", "\(answer.text)")
      #expect(answer.json["detail"]?.string?.isEmpty == false)
    }
  }

  // Clauses: 5.9.2, 5.9.3, 5.9.4, 5.10.1, 6.8, 6.9, 5.5.8
  @Test func registrationsAreMadeShownChangedAndDeleted() async throws {
    try await withHub { hub in
      let link = [
        "Link": "<\(TestContexts.city)>; rel=\"http://www.w3.org/ns/json-ld#context\"; type=\"application/ld+json\""
      ]
      let made = await hub.post(
        "csourceRegistrations",
        registration(
          "a", #"{"entities": [{"type": "Station"}], "propertyNames": ["pm10"]}"#, more: #""area": "north""#),
        headers: link)
      #expect(made.status == 201 && made.header("Location") == "/ngsi-ld/v1/csourceRegistrations/urn:r:a")
      let path = "csourceRegistrations/urn:r:a"
      let shown = await hub.get(path, headers: link).json
      #expect(shown["information"]?.items.first?["entities"]?.items.first?["type"] == "Station")
      // Another context, other names.
      let expanded = await hub.get(path).json
      #expect(expanded["information"]?.items.first?["propertyNames"] == ["https://example.org/pm10"])
      #expect(shown["status"] == nil && shown["createdAt"] == nil)
      #expect(await hub.get(path + "?options=sysAttrs").json["createdAt"] != nil)
      // Names that a patch without a context leaves alone keep their meaning.
      #expect(await hub.patch(path, #"{"endpoint": "http://b.test", "status": "ok"}"#).status == 204)
      let changed = await hub.get(path, headers: link).json
      #expect(changed["endpoint"] == "http://b.test")
      #expect(changed["information"]?.items.first?["entities"]?.items.first?["type"] == "Station")
      #expect(await hub.post("csourceRegistrations", registration("a", #"{"propertyNames": ["p"]}"#)).status == 409)
      #expect(await hub.patch("csourceRegistrations/urn:r:none", "{}").status == 404)
      #expect(await hub.get("csourceRegistrations/nothing").status == 400)
      #expect(await hub.delete(path).status == 204)
      #expect(await hub.get(path).status == 404)
      #expect(await hub.delete(path).status == 404)
    }
  }

  // Clauses: 5.9.4, 5.2.9
  /// A call that ends after its registration was deleted leaves nothing behind, and nothing for a later one of that id.
  @Test func figuresEndWithTheirRegistration() async throws {
    try await withHub { hub in
      let document = registration("1", #"{"entities": [{"type": "Lamp"}]}"#)
      #expect(await hub.post("csourceRegistrations", document).status == 201)
      let gone = try hub.hub.registration("urn:r:1", in: .default)
      hub.hub.note("it did not answer", of: gone)
      await hub.hub.keepSourceRecords()
      #expect(hub.hub.sourceRecords.count == 1)
      #expect(await hub.delete("csourceRegistrations/urn:r:1").status == 204)
      hub.hub.note(nil, of: gone)
      #expect(hub.hub.sourceRecords.count == 0)
      // Even if it is noted while the registration goes.
      hub.hub.sourceRecords.change("urn:r:1", in: .default) { $0.timesSent += 1 }
      await hub.hub.keepSourceRecords()
      #expect(hub.hub.sourceRecords.count == 0)
      _ = await hub.post("csourceRegistrations", document)
      #expect(await hub.get("csourceRegistrations/urn:r:1").json["timesSent"] == nil)
    }
  }

  // Clauses: 5.10.2, 5.12, 4.3.6.1
  @Test func whoMayHaveSomethingIsFound() async throws {
    try await withHub { hub in
      let square = #"{"type": "Polygon", "coordinates": [[[126,37],[128,37],[128,38],[126,38],[126,37]]]}"#
      for (id, information, more) in [
        ("type", #"{"entities": [{"type": "Lamp"}]}"#, ""),
        ("id", #"{"entities": [{"type": "Lamp", "id": "urn:l:1"}], "propertyNames": ["level"]}"#, ""),
        ("pattern", #"{"entities": [{"type": "Lamp", "idPattern": "^urn:l:[5-9]$"}]}"#, #""scope": "/Seoul/Mapo""#),
        ("names", #"{"propertyNames": ["level"], "relationshipNames": ["owner"]}"#, #""location": \#(square)"#),
        (
          "past", #"{"entities": [{"type": "Lamp"}]}"#,
          #""observationInterval": {"startAt": "2020-01-01T00:00:00Z", "endAt": "2021-01-01T00:00:00Z"}"#
        ),
      ] {
        let made = await hub.post("csourceRegistrations", registration(id, information, more: more))
        #expect(made.status == 201, "\(made.text)")
      }
      for (query, found) in [
        ("type=Lamp", ["type", "id", "pattern", "names"]),
        ("type=Lamp&id=urn:l:1", ["type", "id", "names"]),
        ("type=Lamp&id=urn:l:7", ["type", "pattern", "names"]),
        ("type=Lamp&idPattern=1$", ["type", "id", "pattern", "names"]),
        ("type=Pump", ["names"]),
        ("attrs=owner", ["type", "pattern", "names"]),
        ("attrs=colour", ["type", "pattern"]),
        ("q=level>1", ["type", "id", "pattern", "names"]),
        ("type=Lamp&scopeQ=/Seoul/%23", ["pattern"]),
        ("type=Lamp&georel=within&geometry=Point&coordinates=[127,37.5]", ["names"]),
        ("type=Lamp&georel=near;maxDistance==1000&geometry=Point&coordinates=[100,0]", []),
        ("type=Lamp&csf=endpoint==%22http://id.test%22", ["id"]),
        ("type=Lamp&timerel=before&timeAt=2020-06-01T00:00:00Z", ["past"]),
        ("type=Lamp&timerel=after&timeAt=2022-01-01T00:00:00Z", []),
      ] {
        let answer = await hub.get("csourceRegistrations?\(query)")
        #expect(ids(answer) == found.map { "urn:r:" + $0 }, "\(query): \(answer.text)")
      }
      #expect(await hub.get("csourceRegistrations?id=urn:l:1").status == 400)
      let page = await hub.get("csourceRegistrations?type=Lamp&limit=2&offset=1&count=true")
      #expect(ids(page) == ["urn:r:id", "urn:r:pattern"] && page.header("NGSILD-Results-Count") == "4")
    }
  }

  // Clauses: 6.3.9, 5.3.2
  /// Notifications of registrations carry what those of entities do: context, type, and the receiver's own headers.
  @Test func theyAreToldInTheFormThatIsAskedFor() async throws {
    try await withHub { hub in
      _ = await hub.post("csourceRegistrations", registration("1", #"{"entities": [{"type": "Lamp"}]}"#))
      for (id, accept) in [("urn:s:1", "application/json"), ("urn:s:2", "application/ld+json")] {
        let answer = await hub.post(
          "csourceSubscriptions",
          #"{"id": "\#(id)", "type": "Subscription", "entities": [{"type": "Lamp"}], "notification": {"endpoint":"#
            + #"{"uri": "http://receiver.test/n", "accept": "\#(accept)","#
            + #""receiverInfo": [{"key": "Authorization", "value": "Bearer x"}]}}}"#)
        #expect(answer.status == 201)
      }
      for message in await hub.recorder.wait(for: 2) {
        let body = try JSONParser.parse(message.body)
        let headers = Dictionary(message.headers.map { ($0.0, $0.1) }) { first, _ in first }
        let isLD = body["subscriptionId"] == "urn:s:2"
        #expect(headers["Content-Type"] == (isLD ? "application/ld+json" : "application/json"))
        #expect((body["@context"] != nil) == isLD && (headers["Link"] == nil) == isLD)
        #expect(isLD || headers["Link"]?.contains("http://www.w3.org/ns/json-ld#context") == true)
        #expect(headers["Authorization"] == "Bearer x")
      }
    }
  }

  // Clauses: 5.11.2, 5.11.3, 5.11.4, 5.11.5, 5.11.6, 5.11.7, 5.3.2, 5.3.3, 6.10, 6.11, 6.12, 6.13
  @Test func subscribersHearOfRegistrations() async throws {
    try await withHub { hub in
      _ = await hub.post("csourceRegistrations", registration("old", #"{"entities": [{"type": "Lamp"}]}"#))
      let subscription =
        #"{"id": "urn:s:1", "type": "Subscription", "entities": [{"type": "Lamp"}],"#
        + #""notification": {"endpoint": {"uri": "http://receiver.test/n"}}}"#
      #expect(await hub.post("csourceSubscriptions", subscription).status == 201)
      // The same id may stand among the subscriptions to entities.
      #expect(await hub.post("subscriptions", subscription).status == 201)
      func heard(_ count: Int) async -> (reason: JSON?, ids: [String]) {
        let messages = await hub.recorder.wait(for: count)
        let body = (try? JSONParser.parse(messages[min(count, messages.count) - 1].body)) ?? .null
        #expect(body["type"] == "ContextSourceNotification" && body["subscriptionId"] == "urn:s:1")
        return (body["triggerReason"], body["data"]?.items.compactMap { $0["id"]?.string } ?? [])
      }
      #expect(await heard(1) == ("newlyMatching", ["urn:r:old"]))
      let both = #"{"entities": [{"type": "Lamp"}]}, {"entities": [{"type": "Pump"}]}"#
      _ = await hub.post("csourceRegistrations", registration("new", both))
      #expect(await heard(2) == ("newlyMatching", ["urn:r:new"]))
      // Only what matches of it is told.
      let data = try JSONParser.parse(hub.recorder.messages[1].body)["data"]?.items.first
      #expect(data?["information"]?.items.count == 1)
      _ = await hub.patch("csourceRegistrations/urn:r:new", #"{"endpoint": "http://moved.test"}"#)
      #expect(await heard(3) == ("updated", ["urn:r:new"]))
      _ = await hub.patch("csourceRegistrations/urn:r:new", #"{"information": [{"entities": [{"type": "Pump"}]}]}"#)
      #expect(await heard(4) == ("noLongerMatching", ["urn:r:new"]))
      _ = await hub.delete("csourceRegistrations/urn:r:old")
      #expect(await heard(5) == ("noLongerMatching", ["urn:r:old"]))
      _ = await hub.post("csourceRegistrations", registration("other", #"{"entities": [{"type": "Bus"}]}"#))
      #expect(await hub.get("csourceSubscriptions").json.array?.count == 1)
      #expect(await hub.delete("csourceSubscriptions/urn:s:1").status == 204)
      #expect(await hub.get("csourceSubscriptions/urn:s:1").status == 404)
      #expect(await hub.get("subscriptions/urn:s:1").status == 200)
      await eventually { hub.hub.notifier.waiting == 0 }
      let totals = hub.hub.notifier.totals
      #expect(totals.due == 5 && totals.delivered == 5)
    }
  }

  // Clauses: 6.3.9, 5.3.2
  @Test(arguments: ["", #""accept": "application/ld+json", "#])
  func noticesOfRegistrationsAreWrittenAsTheEndpointSays(_ accept: String) async throws {
    try await withHub { hub in
      _ = await hub.post("csourceRegistrations", registration("old", #"{"entities": [{"type": "Lamp"}]}"#))
      let made = await hub.post(
        "csourceSubscriptions",
        #"{"type": "Subscription", "entities": [{"type": "Lamp"}], "notification": {"endpoint": {\#(accept)"#
          + #""uri": "http://receiver.test/n", "receiverInfo": [{"key": "X-Key", "value": "v"}]}}}"#)
      #expect(made.status == 201, "\(made.text)")
      let message = try #require(await hub.recorder.wait(for: 1).first)
      let headers = Dictionary(message.headers.map { ($0.0.lowercased(), $0.1) }) { first, _ in first }
      let body = try JSONParser.parse(message.body)
      #expect(message.url == "http://receiver.test/n" && headers["x-key"] == "v")
      if accept.isEmpty {
        #expect(headers["content-type"] == "application/json")
        #expect(headers["link"]?.contains("json-ld#context") == true && body["@context"] == nil)
      } else {
        #expect(headers["content-type"] == "application/ld+json")
        #expect(headers["link"] == nil && body["@context"] != nil)
      }
    }
  }
}
