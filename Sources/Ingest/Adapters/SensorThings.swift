import City
import NGSI

/// Observations of OGC SensorThings (18-088, SensorThings API 1.1): single ones as they are pushed, lists of them, and
/// the data-array extension (section 12). The plan says which entity and attribute a Datastream speaks for.
struct SensorThingsReader {
  let plan: Manifest.Adapter

  func read(_ message: JSON, at now: DateTime) throws(Problem) -> AdaptedInput {
    let items = message.array ?? message["value"]?.array ?? [message]
    var input = AdaptedInput()
    var readings: [(time: DateTime, entity: JSON)] = []
    for item in items {
      if let rows = item["dataArray"] {
        try readings += expand(rows, item, now, &input)
      } else {
        observe(item, datastream: Self.datastream(of: item), now, &readings, &input)
      }
      guard readings.count + input.refused.count <= Adapter.mostParts else {
        throw Problem(.payloadTooLarge, "a message may have at most \(Adapter.mostParts) observations")
      }
    }
    input.entities = readings.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }
      .map(\.element.entity)
    return input
  }

  /// `{"Datastream": {"@iot.id": …}, "components": […], "dataArray": [[…]]}`
  private func expand(_ rows: JSON, _ item: JSON, _ now: DateTime, _ input: inout AdaptedInput) throws(Problem)
    -> [(time: DateTime, entity: JSON)]
  {
    let components = (item["components"]?.array ?? []).compactMap(\.string)
    guard let list = rows.array, !components.isEmpty else {
      throw .badRequest("'dataArray' and 'components' are lists")
    }
    guard list.count <= Adapter.mostParts else {
      throw Problem(.payloadTooLarge, "a message may have at most \(Adapter.mostParts) observations")
    }
    var readings: [(time: DateTime, entity: JSON)] = []
    for row in list {
      guard let values = row.array, values.count == components.count else {
        input.refuse(row, "a row of 'dataArray' has \(components.count) values")
        continue
      }
      var observation = JSONObject()
      for (name, value) in zip(components, values) { observation[name] = value }
      observe(.object(observation), datastream: Self.datastream(of: item), now, &readings, &input)
    }
    return readings
  }

  /// The id of the Datastream: a number or a text, by reference or inline, or in the link that a server gives.
  private static func datastream(of item: JSON) -> String? {
    if let id = item["Datastream"]?["@iot.id"] ?? item["datastream"]?["@iot.id"] {
      return id.string ?? id.integer.map(String.init)
    }
    guard let link = item["Datastream@iot.navigationLink"]?.string, let open = link.lastIndex(of: "("),
      link.hasSuffix(")")
    else { return nil }
    return String(link[link.index(after: open)...].dropLast()).replacing("'", with: "")
  }

  private func observe(
    _ observation: JSON, datastream: String?, _ now: DateTime, _ readings: inout [(time: DateTime, entity: JSON)],
    _ input: inout AdaptedInput
  ) {
    guard let datastream else { return input.refuse(observation, "an Observation names its Datastream") }
    guard let target = plan.datastreams?[datastream] else {
      return input.refuse(observation, "the Datastream '\(datastream.prefix(80))' is not known to the adapter")
    }
    guard let result = observation["result"], result != .null else {
      return input.refuse(observation, "an Observation has a 'result'", entityId: target.entity)
    }
    var time = now
    if let said = observation["phenomenonTime"] ?? observation["resultTime"], said != .null {
      // An interval (ISO 8601 "start/end") counts by its end.
      guard let text = said.string?.split(separator: "/").last, let read = DateTime(String(text)) else {
        return input.refuse(observation, "'phenomenonTime' is no time", entityId: target.entity)
      }
      time = read
    }
    var property = JSONObject()
    property["type"] = "Property"
    property["value"] = result
    property["observedAt"] = .string(time.description)
    property["unitCode"] = target.unitCode.map(JSON.string)
    if let quality = observation["resultQuality"], quality != .null {
      property["resultQuality"] = ["type": "Property", "value": quality]
    }
    var entity = JSONObject()
    entity["id"] = .string(target.entity)
    entity["type"] = .string(target.type ?? plan.type ?? "Device")
    entity[target.attribute] = .object(property)
    readings.append((time, .object(entity)))
  }
}
