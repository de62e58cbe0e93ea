import CAP
import NGSI

extension Warning {
  func json(at time: DateTime) -> JSON {
    .object(
      JSONObject(of: [
        "id": .string(id), "state": .string(state(at: time)), "kind": .string(kind.word),
        "exercise": kind.exercise.map(JSON.string), "own": .bool(isOwn), "sequence": .integer(Int64(sequence)),
        "incident": incident.map(JSON.string), "issuedAt": .string(issuedAt.description),
        "expires": .string(expires.description), "identifier": .string(alert.identifier),
        "sender": .string(alert.sender),
        "sent": .string(alert.sent.description), "capStatus": .string(alert.status.rawValue),
        "messageType": .string(alert.messageType.rawValue), "scope": .string(alert.scope.rawValue),
        "note": alert.note.map(JSON.string), "info": .array(alert.infos.map(\.json)),
        "location": alert.info(in: "ko").flatMap { Self.geometry($0.areas) },
        "doubts": alert.doubts.isEmpty ? nil : .array(alert.doubts.map(\.json)),
      ]))
  }
}

extension CAPAlert.Info {
  fileprivate var json: JSON {
    func text(_ time: DateTime?) -> JSON? { time.map { .string($0.description) } }
    return .object(
      JSONObject(of: [
        "language": .string(language), "category": .array(categories.map { .string($0.rawValue) }),
        "event": .string(event),
        "responseTypes": .array(responses.map { .string($0.rawValue) }), "urgency": .string(urgency.rawValue),
        "severity": .string(severity.rawValue), "certainty": .string(certainty.rawValue), "onset": text(onset),
        "expires": text(expires), "senderName": senderName.map(JSON.string), "headline": headline.map(JSON.string),
        "description": description.map(JSON.string), "instruction": instruction.map(JSON.string),
        "web": web.map(JSON.string),
        "contact": contact.map(JSON.string), "areas": .array(areas.map(\.json)),
      ]))
  }
}

extension CAPAlert.Area {
  fileprivate var json: JSON {
    [
      "description": .string(description),
      "polygons": .array(
        polygons.map { ["type": "Polygon", "coordinates": .array([.array($0.points.map(\.geoJSON))])] }),
      "circles": .array(
        circles.map {
          [
            "longitude": .double($0.centre.longitude), "latitude": .double($0.centre.latitude),
            "radius": .double($0.radius * 1_000),
          ]
        }), "geocodes": .array(geocodes.map { ["name": .string($0.name), "value": .string($0.value)] }),
    ]
  }
}

/// The list of warnings that machines look at (RFC 4287); each entry leads to its CAP document.
enum AtomFeed {
  static func text(_ warnings: [Warning], _ plan: WarningPlan?, at time: DateTime) -> String {
    func escaped(_ text: String) -> String { XMLText.escaped(text) }
    let updated = warnings.map(\.alert.sent).max() ?? time
    var text = """
      <?xml version="1.0" encoding="UTF-8"?>
      <feed xmlns="http://www.w3.org/2005/Atom">
      <id>urn:madang:warnings:\(escaped(plan?.sender ?? "city"))</id>
      <title>\(escaped(plan.map { "\($0.name.korean) / \($0.name.english)" } ?? "Warnings"))</title>
      <updated>\(updated)</updated>
      <link rel="self" href="\(WarningDesk.door).atom"/>

      """
    for warning in warnings {
      let info = warning.alert.info(in: "ko")
      text += """
        <entry>
        <id>\(escaped(warning.id))</id>
        <title>\(escaped(info?.headline ?? info?.event ?? ""))</title>
        <updated>\(warning.alert.sent)</updated>
        <author><name>\(escaped(info?.senderName ?? warning.alert.sender))</name></author>
        <summary>\(escaped(info?.description ?? ""))</summary>
        <link type="\(WarningDesk.capType)" href="\(WarningDesk.door)/\(escaped(warning.id)).cap"/>
        </entry>

        """
    }
    return text + "</feed>\n"
  }
}
