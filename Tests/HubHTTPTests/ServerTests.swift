import Foundation
import Hummingbird
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import Testing

import Federation
import TestSupport
@testable import Hub
@testable import HubHTTP

// Clauses: none: HTTP itself (RFC 9110, RFC 9112)
/// What goes over the wire: one connection, several requests, in order, whatever they are.
@Suite("server", .serialized) struct ServerTests {
  private static let entity = #"{"id":"urn:x:1","type":"Room","level":{"type":"Property","value":1}}"#
  private static let create =
    "POST /ngsi-ld/v1/entities HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: \(entity.utf8.count)\r\n"
  private static func get(_ target: String, _ more: String = "") -> String {
    "GET \(target) HTTP/1.1\r\nHost: x\r\n\(more)\r\n"
  }
  private static let read = get("/ngsi-ld/v1/entities/urn:x:1")

  @Test("requests that come at once are answered in order, the API's and the pages'")
  func pipelining() async throws {
    try await withServer { server in
      try await server.talk { wire in
        wire.send(
          Self.create + "\r\n" + Self.entity + Self.get("/page") + Self.read + Self.get("/slow") + Self.read
            + Self.get("/page"))
        let answers = (0..<6).map { _ in wire.answer() }
        #expect(answers.map(\.status) == [201, 200, 200, 200, 200, 200])
        #expect(answers[1].body == "page" && answers[3].body == "slow" && answers[5].body == "page")
        #expect(answers[2].body.contains("urn:x:1") && answers[4].body == answers[2].body)
        #expect(answers[2].headers["server"] == "madang" && answers[2].headers["date"]?.hasSuffix("GMT") == true)
      }
    }
  }

  @Test("a page may answer before it has read its body")
  func earlyAnswer() async throws {
    try await withServer { server in
      try await server.talk { wire in
        wire.send("POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n")
        #expect(wire.answer().body == "early")
        wire.send(String(repeating: "x", count: 200_000) + Self.read)
        #expect(wire.answer().status == 404)
      }
    }
  }

  @Test("who asks before sending is told to go on")
  func expectContinue() async throws {
    try await withServer { server in
      try await server.talk { wire in
        wire.send(Self.create + "Expect: 100-continue\r\n\r\n")
        #expect(wire.answer().status == 100)
        wire.send(Self.entity)
        #expect(wire.answer().status == 201)
      }
    }
  }

  @Test("a body beyond the bound is refused at once, and the connection goes on", arguments: [true, false])
  func largeBody(isAnnounced: Bool) async throws {
    var limits = Limits()
    limits.bodyBytes = 1000
    try await withServer(limits: limits) { server in
      try await server.talk { wire in
        let head = "POST /ngsi-ld/v1/entities HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        if isAnnounced {
          wire.send(head + "Content-Length: 300000\r\n\r\n")
        } else {
          wire.send(head + "Transfer-Encoding: chunked\r\n\r\n5DC\r\n" + String(repeating: " ", count: 1500) + "\r\n")
        }
        let answer = wire.answer()
        #expect(answer.status == 413 && answer.body.contains("1000 bytes"))
        wire.send(isAnnounced ? String(repeating: " ", count: 300_000) : "0\r\n\r\n")
        wire.send(Self.read)
        #expect(wire.answer().status == 404)
      }
    }
  }

  @Test(
    "what is no HTTP is told so and let go",
    arguments: ["GARBAGE\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"])
  func garbage(_ text: String) async throws {
    try await withServer { server in
      try await server.talk { wire in
        wire.send(text)
        let answer = wire.answer()
        #expect(answer.status == 400 && answer.body.contains("no HTTP request"))
        #expect(answer.headers["connection"] == "close" && wire.isAtEnd)
      }
    }
  }

  @Test("a header list beyond the bound is refused")
  func longHeaders() async throws {
    try await withServer { server in
      try await server.talk { wire in
        wire.send(Self.get("/ngsi-ld/v1/types", "X: " + String(repeating: "a", count: 200_000) + "\r\n"))
        #expect(wire.answer().status == 400 && wire.isAtEnd)
      }
    }
  }

  @Test("who sends no more still hears the answer", arguments: ["/ngsi-ld/v1/types", "/slow"])
  func halfClose(_ target: String) async throws {
    try await withServer { server in
      try await server.talk { wire in
        wire.send(Self.get(target))
        wire.sendsNoMore()
        #expect(wire.answer().status == 200 && wire.isAtEnd)
      }
    }
  }

  @Test("who wants no other answer gets none", arguments: ["/ngsi-ld/v1/types", "/page"])
  func close(_ target: String) async throws {
    try await withServer { server in
      try await server.talk { wire in
        wire.send(Self.get(target, "Connection: close\r\n"))
        #expect(wire.answer().status == 200 && wire.isAtEnd)
      }
    }
  }

  @Test("HEAD tells the length of what it leaves out")
  func head() async throws {
    try await withServer { server in
      try await server.talk { wire in
        wire.send(Self.create + "\r\n" + Self.entity)
        #expect(wire.answer().status == 201)
        wire.send("HEAD /ngsi-ld/v1/entities/urn:x:1 HTTP/1.1\r\nHost: x\r\n\r\n" + Self.read)
        let head = wire.answer(hasBody: false)
        let full = wire.answer()
        #expect(head.status == 200 && head.headers["content-length"] == String(full.body.utf8.count))
      }
    }
  }

  /// Creates what an answer of ten megabytes is made of.
  private static func fill(_ wire: Wire) -> Bool {
    let text = String(repeating: "x", count: 20_000)
    return (0..<20).allSatisfy { step in
      let entities = (0..<25).map { #"{"id":"urn:x:\#(step * 25 + $0)","type":"Big","text":"\#(text)"}"# }
      wire.send(post("entityOperations/create", "[\(entities.joined(separator: ","))]"))
      return wire.answer().status == 201
    }
  }
  private static let longAnswerTarget = "/ngsi-ld/v1/entities?type=Big&limit=500"

  private static func post(_ path: String, _ body: String) -> String {
    "POST /ngsi-ld/v1/\(path) HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
      + "Content-Length: \(body.utf8.count)\r\n\r\n" + body
  }

  @Test("a long answer arrives whole, whatever ends the connection", arguments: ["close", "half", "1.0"])
  func longAnswer(_ manner: String) async throws {
    try await withServer { server in
      try await server.talk { wire in
        #expect(Self.fill(wire))
      }
      try await server.talk { wire in
        let target = Self.longAnswerTarget
        switch manner {
        case "close": wire.send(Self.get(target, "Connection: close\r\n"))
        case "1.0": wire.send("GET \(target) HTTP/1.0\r\n\r\n")
        default:
          wire.send(Self.get(target))
          wire.sendsNoMore()
        }
        // The client does not read at first, so that the answer cannot have gone out when the connection is to end.
        usleep(400_000)
        let answer = wire.answer()
        #expect(answer.status == 200 && answer.body.utf8.count > 10_000_000)
        #expect(wire.isAtEnd)
      }
    }
  }

  @Test("what was sent before the last byte is answered, behind a page too")
  func halfCloseBehindPages() async throws {
    try await withServer { server in
      try await server.talk { wire in
        wire.send(Self.get("/slow") + Self.create + "\r\n" + Self.entity + Self.get("/page") + Self.read)
        wire.sendsNoMore()
        #expect((0..<4).map { _ in wire.answer().status } == [200, 201, 200, 200])
        #expect(wire.isAtEnd)
      }
    }
  }

  @Test("garbage behind requests harms none of their answers")
  func garbageBehindRequests() async throws {
    try await withServer { server in
      try await server.talk { wire in
        wire.send(Self.get("/slow") + Self.create + "\r\n" + Self.entity + Self.read + "GARBAGE\r\n\r\n")
        #expect((0..<4).map { _ in wire.answer().status } == [200, 201, 200, 400])
        #expect(wire.isAtEnd)
      }
    }
  }

  @Test(
    "after a request for another protocol the connection ends, with its answer",
    arguments: [
      "GET /ngsi-ld/v1/types HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
      "GET /page HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
      "GET /page HTTP/1.1\r\nHost: x\r\nConnection: Close, TE\r\n\r\n", "GET /page HTTP/1.0\r\n\r\n",
    ])
  func otherProtocols(_ request: String) async throws {
    try await withServer { server in
      try await server.talk { wire in
        wire.send(request)
        let answer = wire.answer()
        #expect(answer.status == 200 && answer.headers["connection"] == "close" && wire.isAtEnd)
      }
    }
  }

  @Test("a HEAD that fails has no body either")
  func headOfNothing() async throws {
    try await withServer { server in
      try await server.talk { wire in
        wire.send("HEAD /ngsi-ld/v1/entities/urn:x:9 HTTP/1.1\r\nHost: x\r\n\r\n")
        wire.send("HEAD /ngsi-ld/v1/entityOperations/create HTTP/1.1\r\nHost: x\r\n\r\n" + Self.get("/page"))
        #expect(wire.answer(hasBody: false).status == 404)
        #expect(wire.answer(hasBody: false).status == 405)
        #expect(wire.answer().body == "page")
      }
    }
  }

  @Test("who announced a refused body is let go")
  func refusedAnnouncement() async throws {
    try await withServer { server in
      try await server.talk { wire in
        wire.send(
          "POST /ngsi-ld/v1/entities HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\nExpect: 100-continue\r\n\r\n")
        let answer = wire.answer()
        #expect(answer.status == 413 && answer.headers["connection"] == "close" && wire.isAtEnd)
      }
    }
  }

  @Test("targets may name the host, and a request must, once")
  func hosts() async throws {
    try await withServer { server in
      try await server.talk { wire in
        wire.send(Self.get("http://x/ngsi-ld/v1/types") + Self.get("http://x/page"))
        #expect(wire.answer().status == 200)
        #expect(wire.answer().body == "page")
        wire.send("GET /ngsi-ld/v1/types HTTP/1.1\r\n\r\n")
        #expect(wire.answer().status == 400 && wire.isAtEnd)
      }
    }
  }

  @Test("a slow reader is waited for as long as it reads, one that stops is not")
  func slowReaders() async throws {
    try await withServer(idle: .seconds(2)) { server in
      try await server.talk { wire in
        wire.send(Self.get("/big"))
        let slowly = wire.reads(for: 5, pausing: 0.05)
        #expect(slowly < 12_000_000 && slowly + wire.reads(for: 20, pausing: 0) > 64 << 20)
      }
      try await server.talk { wire in
        wire.send(Self.get("/big"))
        usleep(6_000_000)
        // What the kernel holds can still be read, then the connection is over.
        #expect(wire.reads(for: 10, pausing: 0) < 50_000_000)
      }
    }
  }

  @Test("when the server stops, who reads gets its answer whole, and who stalls is let go", arguments: ["api", "page"])
  func farewell(_ kind: String) async throws {
    let target = kind == "api" ? Self.longAnswerTarget : "/long"
    try await withServer(farewell: .milliseconds(800)) { server in
      try await server.talk { wire in #expect(kind == "page" || Self.fill(wire)) }
      let isAsked = AsyncStream.makeStream(of: Void.self)
      let hasReadOn = Atomic(false)
      async let whole = server.talk(window: 65_536) { wire in
        wire.send(Self.get(target))
        // Both answers are under way before the server is asked to stop.
        #expect(wire.hasBegun)
        isAsked.continuation.yield()
        let answer = wire.answer()
        #expect(answer.status == 200 && answer.body.utf8.count > 10_000_000)
      }
      async let stalled = server.talk(window: 65_536) { wire in
        wire.send(Self.get(target))
        #expect(wire.hasBegun)
        isAsked.continuation.yield()
        usleep(4_000_000)
        hasReadOn.store(true, ordering: .relaxed)
        #expect(wire.reads(for: 5, pausing: 0) < 10_000_000)
      }
      var asked = isAsked.stream.makeAsyncIterator()
      await asked.next()
      await asked.next()
      let took = await ContinuousClock().measure { await server.stop() }
      #expect(took > .milliseconds(700) && !hasReadOn.load(ordering: .relaxed), "\(took)")
      _ = try await (whole, stalled)
    }
  }

  /// Spikes around a circle: every edge reaches near the middle, so that whether any two cross takes time with the square
  /// of their number.
  private static func spikes(_ count: Int) -> String {
    let corners = (0..<count).map { index in
      let angle = 2 * Double.pi * Double(index) / Double(count)
      let radius = index.isMultiple(of: 2) ? 10 : 0.5
      return String(format: "[%.6f,%.6f]", radius * cos(angle), radius * sin(angle))
    }
    return "[[\((corners + corners.prefix(1)).joined(separator: ","))]]"
  }

  @Test("a polygon that takes long holds up no other connection of its event loop", arguments: ["stored", "asked for"])
  func laboriousPolygon(_ use: String) async throws {
    try await withServer(loops: 1) { server in
      try await server.talk { wire in
        wire.send(Self.create + "\r\n" + Self.entity)
        #expect(wire.answer().status == 201)
      }
      let labour = Task {
        try await server.talk { wire in
          switch use {
          case "stored":
            let value = #"{"type":"Polygon","coordinates":\#(Self.spikes(2_000))}"#
            wire.send(
              Self.post("entities", #"{"id":"urn:x:2","type":"A","place":{"type":"GeoProperty","value":\#(value)}}"#))
            #expect(wire.answer().status == 201)
          default:
            let area = Self.spikes(1_500).replacing("[", with: "%5B").replacing("]", with: "%5D")
            wire.send(
              Self.get("/ngsi-ld/v1/entities?type=Room&georel=within&geometry=Polygon&coordinates=\(area)"))
            #expect(wire.answer().status == 200)
          }
          return ContinuousClock.now
        }
      }
      let began = ContinuousClock.now
      let waits = try await server.talk { wire in
        var waits: [(from: ContinuousClock.Instant, to: ContinuousClock.Instant)] = []
        for _ in 0..<400 {
          let from = ContinuousClock.now
          wire.send(Self.read)
          #expect(wire.answer().status == 200)
          waits.append((from, .now))
          usleep(1000)
        }
        return waits
      }
      let end = try await labour.value
      let meanwhile = waits.filter { $0.from < end }
      let longest = meanwhile.map { $0.from.duration(to: $0.to) }.max() ?? .zero
      print("polygon \(use): \(began.duration(to: end)), meanwhile \(meanwhile.count) answers, the slowest \(longest)")
      #expect(meanwhile.count >= 5 && longest * 3 < began.duration(to: end))
    }
  }

  @Test("a body that drips is let go")
  func drippingBody() async throws {
    try await withServer(idle: .milliseconds(500)) { server in
      try await server.talk { wire in
        wire.send("POST /ngsi-ld/v1/entities HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        for _ in 0..<20 {
          wire.send(" ")
          usleep(100_000)
        }
        #expect(wire.isAtEnd)
      }
    }
  }

  @Test("a silent or half-sent request is let go, a slow answer is not")
  func idle() async throws {
    try await withServer(idle: .milliseconds(400)) { server in
      try await server.talk { wire in #expect(wire.isAtEnd) }
      try await server.talk { wire in
        wire.send("POST /ngsi-ld/v1/entities HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        #expect(wire.isAtEnd)
      }
      try await server.talk { wire in
        wire.send(Self.get("/slower"))
        #expect(wire.answer().body == "slower")
      }
    }
  }
}
