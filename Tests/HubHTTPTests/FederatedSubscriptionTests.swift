import Foundation
import NGSI
import Testing

@testable import Federation
@testable import Hub
@testable import HubHTTP

/// Subscriptions over context sources (ETSI GS CIM 009 clauses 5.8.1.4, 5.8.2.4, 5.8.5.4 and 5.8.6): hubs that subscribe
/// at one another.
@Suite struct FederatedSubscriptionTests {
  private let lamps = #"{"entities": [{"type": "Lamp"}]}"#
  private let wanted = #""entities": [{"type": "Lamp"}]"#

  private func lamp(_ name: String, _ members: String = #""level": {"type": "Property", "value": 1}"#) -> String {
    #"{"id": "urn:ngsi-ld:Lamp:\#(name)", "type": "Lamp", \#(members)}"#
  }

  private func body(_ message: NotificationMessage?) -> JSON {
    message.flatMap { try? JSONParser.parse($0.body) } ?? .null
  }

  /// The subscriptions that a hub holds.
  private func held(_ hub: TestHub) async -> [JSON] { await hub.get("subscriptions?limit=1000").json.array ?? [] }

  // Clauses: 5.8.1, 5.8.3, 5.8.5, 5.8.6, 4.3.5
  @Test func aSubscriberHearsOfAllDistricts() async throws {
    try await Districts.with { city in
      city.reach()
      await city.register("north.test", lamps)
      await city.register("south.test", lamps, operations: #""associationOps""#)
      let path = await city.metropolis.subscribe(wanted + #", "q": "level>=1""#, notification: #""format": "concise""#)
      await city.settle()
      for district in [city.north, city.south] {
        let copies = await held(district)
        #expect(copies.count == 1 && copies[0]["q"] == "level>=1")
        let uri = copies[0]["notification"]?["endpoint"]?["uri"]?.string ?? ""
        #expect(uri.hasPrefix("http://metropolis.test/city/v1/notifications/") && uri.utf8.count > 100)
      }
      _ = await city.metropolis.post("entities", lamp("m"))
      _ = await city.north.post("entities", lamp("n"))
      _ = await city.south.post("entities", lamp("s"))
      _ = await city.south.post("entities", lamp("dark", #""level": {"type": "Property", "value": 0}"#))
      let messages = await city.metropolis.recorder.wait(for: 3)
      #expect(messages.count == 3 && messages.allSatisfy { $0.url == "http://receiver.test/n" })
      let told = messages.map(body)
      let id = "urn:ngsi-ld:Subscription:" + (path.split(separator: ":").last.map(String.init) ?? "")
      #expect(told.allSatisfy { $0["subscriptionId"]?.string == id })
      let ids = told.compactMap { $0["data"]?.items.first?["id"]?.string }.sorted()
      #expect(ids == ["urn:ngsi-ld:Lamp:m", "urn:ngsi-ld:Lamp:n", "urn:ngsi-ld:Lamp:s"])
      // The form is the subscriber's, and no times that the sources were asked for show.
      #expect(told.allSatisfy { $0["data"]?.items.first?["level"] == 1 })
      let shown = await city.metropolis.get(path).json
      #expect(shown["sources"]?.items.compactMap { $0["status"] } == ["ok", "ok"])
      #expect(await eventually { city.metropolis.hub.notifier.totals.delivered == 3 })
      let totals = city.metropolis.hub.notifier.totals
      #expect(totals.due == 3 && totals.failed == 0 && totals.throttled == 0)
      _ = await city.metropolis.delete(path)
      await city.settle()
      for district in [city.north, city.south] { #expect(await held(district).isEmpty) }
      #expect(city.metropolis.hub.sourceSubscriptions { _ in true }.isEmpty)
    }
  }

  // Clauses: 5.8.1, 4.3.6.1, 4.3.6.5, 5.5.13, 5.12
  @Test func aSourceIsToldOnlyWhatConcernsIt() async throws {
    try await Districts.with { city in
      city.reach()
      let part =
        #"{"entities": [{"type": "Lamp", "id": "urn:ngsi-ld:Lamp:1"}], "propertyNames": ["level", "colour"]}"#
      await city.register(
        "north.test", part, mode: "exclusive", operations: #""createSubscription", "deleteSubscription""#,
        more: #""tenant": "lights", "contextSourceInfo": [{"key": "Authorization", "value": "urn:ngsi-ld:request"}],"#
          + #""management": {"localOnly": true}"#)
      // These three are not subscribed at: the one cannot, the second only adds, the third has other things.
      await city.register("south.test", lamps, operations: #""retrieveOps""#)
      await city.register("south.test", lamps, mode: "auxiliary")
      await city.register("south.test", #"{"entities": [{"type": "Pump"}]}"#)
      _ = await city.metropolis.post(
        "subscriptions",
        #"{"type": "Subscription", "entities": [{"type": "Lamp,Pole"}], "watchedAttributes": ["level", "height"],"#
          + #""notification": {"attributes": ["colour", "owner"], "endpoint": {"uri": "http://receiver.test/n"}}}"#,
        headers: ["Authorization": "Bearer x", "Via": "1.1 someone"])
      for more in [#""localOnly": true"#, #""csf": "endpoint==%22http://other.test%22""#] {
        _ = await city.metropolis.subscribe(wanted + ", " + more)
      }
      _ = await city.metropolis.subscribe(#""entities": [{"type": "*"}]"#)
      // Nothing is registered of what this one watches.
      _ = await city.metropolis.subscribe(wanted + #", "watchedAttributes": ["height"]"#)
      await city.settle()
      let calls = city.network.calls
      try #require(calls.count == 1)
      let headers = Dictionary(calls[0].headers.map { ($0.name, $0.value) }) { first, _ in first }
      #expect(calls[0].url == "http://north.test/ngsi-ld/v1/subscriptions" && headers["NGSILD-Tenant"] == "lights")
      #expect(headers["Authorization"] == "Bearer x")
      #expect(headers["Via"] == "1.1 someone, 1.1 " + city.metropolis.hub.alias(of: .default))
      let told = (calls[0].body.flatMap { try? JSONParser.parse($0) }) ?? .null
      #expect(told["entities"] == [["type": "Lamp", "id": "urn:ngsi-ld:Lamp:1"]])
      #expect(told["watchedAttributes"] == ["level"] && told["localOnly"] == true)
      #expect(told["notification"]?["attributes"] == ["colour"])
      #expect(told["expiresAt"] == "2026-03-02T12:00:00Z")
    }
  }

  // Clauses: 5.8.1, 5.8.2, 5.8.5, 5.3.3, 5.11.7
  @Test func whatChangesIsFollowed() async throws {
    try await Districts.with { city in
      city.reach()
      let path = await city.metropolis.subscribe(wanted)
      await city.settle()
      #expect(city.network.calls.isEmpty)
      // A registration comes later, gets narrower, moves, and goes.
      let registration = "csourceRegistrations/" + (await city.register("north.test", lamps))
      await city.settle()
      let first = await held(city.north)
      #expect(first.count == 1 && first[0]["watchedAttributes"] == nil)
      _ = await city.metropolis.patch(
        registration, #"{"information": [{"entities": [{"type": "Lamp"}], "propertyNames": ["level"]}]}"#)
      await city.settle()
      #expect(await held(city.north).map { $0["watchedAttributes"] } == [["level"]])
      _ = await city.metropolis.patch(registration, #"{"information": [{"entities": [{"type": "Lamp"}]}]}"#)
      await city.settle()
      let widened = await held(city.north)
      #expect(widened.count == 1 && widened[0]["watchedAttributes"] == nil && widened[0]["id"] == first[0]["id"])
      // The subscription changes, rests, and is taken up again.
      _ = await city.metropolis.patch(path, #"{"q": "level>5", "isActive": false}"#)
      await city.settle()
      #expect(await held(city.north).map { $0["status"] } == ["paused"])
      _ = await city.metropolis.patch(path, #"{"q": "urn:ngsi-ld:null", "isActive": true}"#)
      await city.settle()
      let active = await held(city.north)
      #expect(active.map { $0["status"] } == ["active"] && active[0]["q"] == nil)
      // Nothing changed: nothing is said.
      city.network.forgetCalls()
      _ = await city.metropolis.patch(path, #"{"notification": {"endpoint": {"uri": "http://receiver.test/other"}}}"#)
      await city.settle()
      #expect(city.network.calls.isEmpty)
      _ = await city.metropolis.patch(registration, #"{"endpoint": "http://south.test"}"#)
      await city.settle()
      #expect(await held(city.north).isEmpty)
      #expect(await held(city.south).count == 1)
      _ = await city.metropolis.delete(registration)
      await city.settle()
      #expect(await held(city.south).isEmpty)
      // One that ends takes what it has at sources along.
      await city.register("south.test", lamps)
      _ = await city.metropolis.patch(path, #"{"expiresAt": "2026-03-01T12:01:00Z"}"#)
      await city.settle()
      #expect(await held(city.south).map { $0["expiresAt"] } == ["2026-03-01T12:01:00Z"])
      city.metropolis.clock.move(61)
      await city.settle()
      #expect(city.metropolis.hub.sourceSubscriptions { _ in true }.isEmpty)
    }
  }

  // Clauses: 5.8.1, 5.2.9, 6.3.17
  @Test func aSourceThatIsAwayIsTriedAgainAndNeverTwiceSubscribedAt() async throws {
    try await Districts.with { city in
      city.reach()
      let registration = await city.register("north.test", lamps)
      city.network.fail("north.test", with: .unreachable("the link is cut"))
      let paths = [await city.metropolis.subscribe(wanted), await city.metropolis.subscribe(wanted)]
      await city.settle()
      // One call is enough to know.
      #expect(city.network.calls.count == 1)
      for path in paths {
        let source = await city.metropolis.get(path).json["sources"]?.items.first
        #expect(source?["status"] == "failed" && source?["reason"] == "the link is cut")
        #expect(source?["registrationId"]?.string == registration)
      }
      #expect(await city.metropolis.get("csourceRegistrations/\(registration)").json["status"] == "failed")
      #expect(city.metropolis.hub.sourceSubscriptions.figures.failing == 2)
      await city.settle()
      #expect(city.network.calls.count == 1)
      // It is there again, but its answers are lost.
      city.network.fail("north.test", with: nil)
      city.network.loseAnswers(of: "north.test", true)
      city.metropolis.clock.move(1.5)
      await city.settle()
      #expect(city.network.calls.count == 2)
      city.network.loseAnswers(of: "north.test", false)
      city.metropolis.clock.move(10)
      await city.settle()
      #expect(await held(city.north).count == 2)
      #expect(await city.metropolis.get(paths[0]).json["sources"]?.items.first?["status"] == "ok")
      #expect(city.metropolis.hub.sourceSubscriptions.figures.failing == 0)
      // One that is deleted while the source is away goes when it is back.
      city.network.fail("north.test", with: .late)
      _ = await city.metropolis.delete(paths[0])
      await city.settle()
      city.network.fail("north.test", with: nil)
      city.metropolis.clock.move(10)
      await city.settle()
      #expect(await held(city.north).count == 1)
      // What the source refuses is said, and does not hold up others.
      city.network.fail("north.test", with: .answered(status: 400, headers: [], body: Array(#"{"detail": "no"}"#.utf8)))
      let refused = await city.metropolis.subscribe(wanted)
      await city.settle()
      let source = await city.metropolis.get(refused).json["sources"]?.items.first
      #expect(source?["status"] == "failed" && source?["reason"] == "it answered 400: no")
      #expect(await city.metropolis.get(paths[1]).json["sources"]?.items.first?["status"] == "ok")
    }
  }

  // Clauses: 5.8.1, 4.20
  @Test func aSourceThatCannotChangeSubscriptionsHasOneEither() async throws {
    try await Districts.with { city in
      city.reach()
      await city.register("north.test", lamps, operations: #""createSubscription", "deleteSubscription""#)
      let path = await city.metropolis.subscribe(wanted)
      city.network.loseAnswers(of: "north.test", true)
      await city.settle()
      city.network.loseAnswers(of: "north.test", false)
      city.metropolis.clock.move(2)
      await city.settle()
      #expect(await held(city.north).count == 1)
      #expect(await city.metropolis.get(path).json["sources"]?.items.map { $0["status"] } == ["ok"])
      // A change makes another, and takes the first away.
      _ = await city.metropolis.patch(path, #"{"q": "level>3"}"#)
      await city.settle()
      #expect(await held(city.north).map { $0["q"] } == ["level>3"])
    }
  }

  // Clauses: 5.8.1, 5.8.5
  @Test func restartsLeaveNeitherOrphansNorDoubles() async throws {
    try await Districts.with { city in
      city.reach()
      await city.register("north.test", lamps)
      let kept = await city.metropolis.subscribe(wanted)
      let gone = await city.metropolis.subscribe(wanted)
      await city.settle()
      // Cut off before the source has answered, and before it has heard of a deletion.
      city.network.loseAnswers(of: "north.test", true)
      let late = await city.metropolis.subscribe(wanted)
      await city.settle()
      _ = await city.metropolis.delete(gone)
      city.network.loseAnswers(of: "north.test", false)
      let metropolis = try await city.restart(city.metropolis, as: "metropolis.test")
      let north = try await city.restart(city.north, as: "north.test")
      await metropolis.federation.settleSubscriptions()
      #expect(await held(north).count == 2)
      _ = await north.post("entities", lamp("n"))
      _ = await metropolis.recorder.wait(for: 2)
      let own = Set(metropolis.recorder.messages.compactMap { body($0)["subscriptionId"]?.string })
      #expect(own.count == 2 && metropolis.recorder.messages.count == 2)
      for path in [kept, late] { #expect(await metropolis.get(path).json["sources"]?.items.first?["status"] == "ok") }
      await metropolis.stop()
      await north.stop()
    }
  }

  // Clauses: 5.8.6
  @Test func theDoorIsOpenToItsSourceOnly() async throws {
    try await Districts.with { city in
      city.reach()
      await city.register("north.test", lamps)
      let path = await city.metropolis.subscribe(wanted)
      await city.settle()
      let copy = try #require(await held(city.north).first)
      let uri = copy["notification"]?["endpoint"]?["uri"]?.string ?? ""
      let id = copy["id"]?.string ?? ""
      func tell(_ uri: String, _ id: String, _ data: String, type: String = "Notification") async -> Int {
        let text = #"{"id": "urn:n:1", "type": "\#(type)", "subscriptionId": "\#(id)", "data": \#(data)}"#
        return await city.network.post(uri, Array(text.utf8))?.status ?? 0
      }
      let one = "[\(lamp("n"))]"
      #expect(await tell(uri + "0", id, one) == 404)
      #expect(await tell("http://metropolis.test/city/v1/notifications/\(id)", id, one) == 404)
      #expect(await tell(uri, "urn:ngsi-ld:Subscription:other", one) == 400)
      #expect(await tell(uri, id, one, type: "Subscription") == 400)
      for data in ["[]", "{}", "7", #"[{"id": "urn:ngsi-ld:Pump:1", "type": "Pump"}]"#, #"[{"id": "no"}]"#] {
        #expect(await tell(uri, id, data) == 400)
      }
      #expect(await city.network.post(uri, Array("{".utf8))?.status == 400)
      let many =
        "["
        + [String](repeating: #"{"id": "urn:ngsi-ld:Lamp:1", "type": "Lamp"}"#, count: 10_001).joined(separator: ",")
        + "]"
      #expect(await tell(uri, id, many) == 400)
      #expect(city.metropolis.hub.notifier.totals.due == 0)
      let (refused, count) = try city.metropolis.hub.refusedInput(in: .default, page: .init(limit: 10))
      #expect(count == 2 && refused.allSatisfy { $0.door == "notification" })
      // What can be taken of a message is.
      #expect(await tell(uri, id, "[\(lamp("n")), {\"id\": \"no\"}]") == 200)
      #expect(await city.metropolis.recorder.wait(for: 1).count == 1)
      // One that rests is told nothing, one that is gone has no door.
      _ = await city.metropolis.patch(path, #"{"isActive": false}"#)
      #expect(await tell(uri, id, one) == 200)
      _ = await city.metropolis.delete(path)
      #expect(await tell(uri, id, one) == 404)
      #expect(city.metropolis.hub.notifier.totals.due == 1)
    }
  }

  // Clauses: 5.8.1, 5.8.6, 4.3.6.7, 5.2.12
  @Test func partsArePutTogetherBeforeTheyAreJudged() async throws {
    try await Districts.with { city in
      city.reach()
      await city.register("north.test", lamps)
      await city.register("south.test", lamps)
      _ = await city.metropolis.subscribe(
        wanted + #", "q": "level>5;owner==\"city\"", "splitEntities": true"#,
        notification: #""attributes": ["level", "colour"], "sysAttrs": false"#)
      await city.settle()
      let copy = try #require(await held(city.north).first)
      #expect(copy["q"] == nil && copy["splitEntities"] == true && copy["notification"]?["attributes"] == nil)
      _ = await city.south.post("entities", lamp("1", #""owner": {"type": "Property", "value": "city"}"#))
      await city.rest()
      _ = await city.metropolis.post("entities", lamp("1", #""colour": {"type": "Property", "value": "red"}"#))
      await city.rest()
      _ = await city.north.post("entities", lamp("1", #""level": {"type": "Property", "value": 9}"#))
      let messages = await city.metropolis.recorder.wait(for: 1)
      let told = body(messages.first)["data"]?.items.first
      #expect(told?["level"]?["value"] == 9 && told?["colour"]?["value"] == "red" && told?["owner"] == nil)
      #expect(told?["createdAt"] == nil && told?["level"]?["modifiedAt"] == nil)
      // What does not match when it is whole was never due: the two parts before, and this one.
      _ = await city.north.patch("entities/urn:ngsi-ld:Lamp:1/attrs", #"{"level": {"type": "Property", "value": 2}}"#)
      await city.rest()
      // A change here concerns it as much as one there.
      _ = await city.north.patch("entities/urn:ngsi-ld:Lamp:1/attrs", #"{"level": {"type": "Property", "value": 7}}"#)
      _ = await city.metropolis.recorder.wait(for: 2)
      _ = await city.metropolis.patch(
        "entities/urn:ngsi-ld:Lamp:1/attrs?local=true", #"{"colour": {"type": "Property", "value": "blue"}}"#)
      let all = await city.metropolis.recorder.wait(for: 3)
      #expect(body(all.last)["data"]?.items.first?["colour"]?["value"] == "blue")
      #expect(body(all.last)["data"]?.items.first?["level"]?["value"] == 7)
      await city.rest()
      let totals = city.metropolis.hub.notifier.totals
      #expect(all.count == 3 && totals.due == 3 && totals.delivered == 3)
    }
  }

  // Clauses: 4.3.6.4, 5.8.1, 6.3.18
  @Test func aSubscriptionThatComesRoundEnds() async throws {
    try await Districts.with { city in
      city.reach()
      await city.register("north.test", lamps)
      await city.register("metropolis.test", lamps, at: city.north)
      let path = await city.metropolis.subscribe(wanted)
      await city.settle()
      #expect(await held(city.north).count == 1)
      #expect(await held(city.metropolis).count == 1)
      let round = city.network.calls.filter { $0.url.hasPrefix("http://metropolis.test") }
      #expect(round.count == 1)
      let shown = await held(city.north).first?["sources"]?.items.first
      #expect(shown?["status"] == "failed" && shown?["reason"] == "the request has come by it already")
      _ = await city.metropolis.post("entities", lamp("m"))
      _ = await city.north.post("entities", lamp("n"))
      #expect(await city.metropolis.recorder.wait(for: 2).count == 2)
      _ = await city.metropolis.delete(path)
      await city.settle()
      #expect(await held(city.north).isEmpty)
    }
  }

  // Clauses: 5.8.1, 5.8.2
  @Test func whatIsNotRenewedEnds() async throws {
    try await Districts.with { city in
      city.reach()
      await city.register("north.test", lamps)
      await city.register("south.test", lamps, operations: #""createSubscription", "deleteSubscription""#)
      let path = await city.metropolis.subscribe(wanted)
      await city.settle()
      let (north, south) = (await held(city.north), await held(city.south))
      #expect(north.map { $0["expiresAt"] } == ["2026-03-02T12:00:00Z"])
      // After a third of its time it is renewed; where none can be changed, another takes its place.
      city.metropolis.clock.move(8 * 3600 + 1)
      await city.settle()
      #expect(await held(city.north).map { $0["expiresAt"] } == ["2026-03-02T20:00:01Z"])
      let replaced = await held(city.south)
      #expect(replaced.map { $0["expiresAt"] } == ["2026-03-02T20:00:01Z"] && replaced[0]["id"] != south[0]["id"])
      // A source that has lost it is told anew.
      _ = await city.north.delete("subscriptions/" + (north[0]["id"]?.string ?? ""))
      city.metropolis.clock.move(8 * 3600 + 1)
      await city.settle()
      #expect(await held(city.north).count == 1)
      // One that is never renewed is told of nothing any more: the source itself sees to that.
      city.metropolis.clock.move(25 * 3600)
      #expect(await held(city.north).map { $0["status"] } == ["expired"])
      // It is made good when the hub is back.
      await city.settle()
      #expect(await held(city.north).map { $0["status"] } == ["active"])
      _ = await city.metropolis.delete(path)
      await city.settle()
      for district in [city.north, city.south] { #expect(await held(district).isEmpty) }
    }
  }
}
