import Foundation
import Hub
import HubHTTP
import NGSI
import Store

/// What is answered of video below `/city/v1/safety/`.
extension VideoDesk {
  private static let door = "/city/v1/safety"

  public var operations: [ServiceOperation] {
    [
      ServiceOperation(
        .get, "cameras", "The cameras that should be looked at now, best first, with the reasons and whether one may",
        parameters: ["incident"], isList: true
      ) { [self] call throws(Problem) in
        let sights = try sights(
          for: call.parameters["incident"], most: call.page.offset + call.page.limit, in: call.tenant)
        return ServiceOperation.Answer(.array(sights.dropFirst(call.page.offset).map(\.json)), total: sights.count)
      },
      ServiceOperation(
        .post, "cameras/{camera}/views",
        "Begins to look at a camera, or at a clip of it, under a grant for an incident",
        body: Self.viewSchema, statuses: [201]
      ) { [self] call throws(Problem) in
        let body = try Self.members(call.body, ["incident", "clip"])
        let view = try await open(
          call.names["camera"] ?? "", for: try Self.text("incident", body), clip: body["clip"]?.string)
        return ServiceOperation.Answer(view.json, status: 201, location: Self.door + "/views/" + view.token)
      },
      ServiceOperation(
        .get, "views/{view}/live.m3u8", "What the camera shows now, as a playlist (RFC 8216)",
        gives: "application/vnd.apple.mpegurl"
      ) { [self] call throws(Problem) in
        let text = try playlist(call.names["view"] ?? "")
        return ServiceOperation.Answer(content: "application/vnd.apple.mpegurl", Array(text.utf8))
      },
      ServiceOperation(.get, "views/{view}/clip.mp4", "The clip that the view is of", gives: "video/mp4") {
        [self] call throws(Problem) in
        ServiceOperation.Answer(content: "video/mp4", try clip(call.names["view"] ?? ""))
      },
      ServiceOperation(
        .get, "views/{view}/{segment}", "A file that the playlist names", gives: "video/mp4"
      ) { [self] call throws(Problem) in
        ServiceOperation.Answer(
          content: "video/mp4", try segment(call.names["view"] ?? "", call.names["segment"] ?? ""))
      },
      ServiceOperation(.delete, "views/{view}", "Ends a view", statuses: [204]) { [self] call throws(Problem) in
        try await close(call.names["view"] ?? "")
        return ServiceOperation.Answer(status: 204)
      },
      ServiceOperation(
        .get, "clips", "Clips of an incident's events", parameters: ["incident"], isList: true
      ) { [self] call throws(Problem) in
        guard let incident = call.parameters["incident"] else { throw .badRequest("'incident' names the incident") }
        let clips = try clips(of: incident, in: call.tenant)
        return ServiceOperation.Answer(
          .array(clips.dropFirst(call.page.offset).prefix(call.page.limit).map(\.json)), total: clips.count)
      },
      ServiceOperation(
        .post, "cameras/{camera}/exports", "Takes a piece of video out of the city: masked, marked and receipted",
        body: Self.exportSchema, statuses: [201]
      ) { [self] call throws(Problem) in
        let body = try Self.members(call.body, ["incident", "clip", "from", "to", "reason"])
        let made = try await export(
          call.names["camera"] ?? "", for: try Self.text("incident", body), try Self.piece(body),
          reason: try Self.text("reason", body))
        return ServiceOperation.Answer(made.receipt, status: 201, location: Self.door + "/exports/" + made.id)
      },
      ServiceOperation(.get, "exports/{export}", "The receipt of an export") { [self] call throws(Problem) in
        ServiceOperation.Answer(try receipt(call.names["export"] ?? "").0)
      },
      ServiceOperation(.get, "exports/{export}/video.mp4", "The video of an export", gives: "video/mp4") {
        [self] call throws(Problem) in
        ServiceOperation.Answer(content: "video/mp4", try await content(ofExport: call.names["export"] ?? ""))
      },
      ServiceOperation(
        .get, "video-report", "Who saw and took what in a period, on what ground, for who judges such access",
        parameters: ["from", "to"]
      ) { [self] call throws(Problem) in
        func time(_ name: String) throws(Problem) -> DateTime {
          guard let time = call.parameters[name].flatMap({ DateTime($0) }) else {
            throw .badRequest("'\(name)' is a time such as 2026-01-31T12:00:00Z")
          }
          return time
        }
        return ServiceOperation.Answer(try report(from: try time("from"), to: try time("to"), in: call.tenant).json)
      },
    ]
  }

  /// Clips of an incident that the caller may see whole; that there is one says nothing of what it shows.
  public func clips(of incident: String, in tenant: Tenant = .default) throws(Problem) -> [Clip] {
    _ = try safety.record(incident, in: tenant)
    return try station.clips { $0.incident == incident }
  }

  // MARK: - Bodies

  private static func members(_ body: JSON, _ known: Set<String>) throws(Problem) -> JSONObject {
    guard let object = body.object else { throw .badRequest("the body is an object") }
    if let other = object.members.first(where: { !known.contains($0.key) }) {
      throw .badRequest("there is no member '\(other.key.prefix(60))'")
    }
    return object
  }

  private static func text(_ name: String, _ body: JSONObject) throws(Problem) -> String {
    guard let text = body[name]?.string, !text.isEmpty, text.utf8.count <= 1_000 else {
      throw .badRequest("'\(name)' is a text of at most 1,000 bytes")
    }
    return text
  }

  private static func piece(_ body: JSONObject) throws(Problem) -> Piece {
    let times = ["from", "to"].map { body[$0]?.string.flatMap { DateTime($0) } }
    switch (body["clip"]?.string, times[0], times[1]) {
    case (let clip?, nil, nil): return .clip(clip)
    case (nil, let from?, let to?): return .span(from: from, to: to)
    default: throw .badRequest("an export has either 'clip', or the times 'from' and 'to'")
    }
  }

  private static let text: JSON = ["type": "string", "minLength": 1, "maxLength": 1_000]

  private static let viewSchema: JSON = [
    "type": "object", "required": ["incident"], "properties": ["incident": text, "clip": text],
    "additionalProperties": false,
  ]

  private static let exportSchema: JSON = [
    "type": "object", "required": ["incident", "reason"],
    "properties": [
      "incident": text, "reason": text, "clip": text, "from": ["type": "string", "format": "date-time"],
      "to": ["type": "string", "format": "date-time"],
    ], "additionalProperties": false,
  ]
}

extension VideoDesk.View {
  var json: JSON {
    .object(
      JSONObject(some: [
        "view": .string(id), "camera": .string(camera), "incident": .string(incident), "clip": clip.map(JSON.string),
        "address": .string("/city/v1/safety/views/" + token + (clip == nil ? "/live.m3u8" : "/clip.mp4")),
        "grant": grant.map { .string($0.id) }, "until": grant.map { .string($0.to.description) },
      ]))
  }
}

extension CameraSight {
  public var json: JSON {
    .object(
      JSONObject(some: [
        "camera": .string(camera.id), "name": .string(camera.name.ko), "nameEn": .string(camera.name.en),
        "state": .string(state), "points": .double(ranked.points),
        "reasons": .array(ranked.reasons.map(\.json)), "incident": incident.map(JSON.string),
        "leave": .string(leave.rawValue), "until": until.map { .string($0.description) },
      ]))
  }
}
