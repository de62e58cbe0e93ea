import City
import MQTT
import NGSI

/// What messages of an adapter's topics say.
struct TopicReading {
  /// A topic pattern and how its messages are read.
  struct Route {
    var pattern: TopicPattern
    var plan: Manifest.Adapter.MQTT.Topic
    var mapping: Mapping?
    var row: JSONRow?
    var entity: Template
    var type: Template
    var attribute: Template
  }

  /// Largest payload where the manifest says none.
  static let mostBytes = 1 << 20

  private let adapter: Manifest.Adapter
  private let mostBytes: Int
  private var routes: [Route]

  /// - Parameter mappings: by place among the topics, the adapter's own where a topic names none.
  init(_ adapter: Manifest.Adapter, _ mqtt: Manifest.Adapter.MQTT, mappings: [Mapping?]) throws(IngestError) {
    self.adapter = adapter
    mostBytes = mqtt.mostBytes ?? Self.mostBytes
    routes = []
    for (plan, mapping) in zip(mqtt.topics, mappings) {
      let pattern: TopicPattern
      do throws(TopicPattern.Flaw) { pattern = try TopicPattern(plan.topic) } catch {
        throw IngestError("\(plan.topic): \(error.reason)")
      }
      routes.append(
        Route(
          pattern: pattern, plan: plan, mapping: mapping,
          row: try mapping.map { mapping throws(IngestError) in try JSONRow(mapping, name: plan.topic) },
          entity: Template(plan.entity ?? ""), type: Template(plan.type ?? ""),
          attribute: Template(plan.attribute ?? "")))
    }
  }

  /// Filters to subscribe to, each once.
  var filters: [String] {
    var seen: Set<String> = []
    return routes.map(\.pattern.filter).filter { seen.insert($0).inserted }
  }

  /// JSON-LD context of what a topic's messages say.
  func context(of topic: String) -> JSON {
    let mapping = routes.first { $0.pattern.values(in: topic) != nil }?.mapping
    return (mapping?.context ?? adapter.context).map(JSON.string) ?? .null
  }

  /// Types that a topic's entities have by the manifest; none where its levels or its messages say them.
  func types(of topic: String) -> [String] {
    guard let route = routes.first(where: { $0.pattern.values(in: topic) != nil }) else { return [] }
    guard adapter.format == .value else { return adapter.producedTypes(route.mapping) }
    return route.type.hasColumns ? [] : [route.type.text]
  }

  /// Adds what a message says; the first pattern that covers its topic reads it.
  ///
  /// - Parameter time: when it came.
  mutating func read(_ message: MQTTMessage, at time: DateTime, into input: inout AdaptedInput) {
    func refuse(_ problem: Problem) {
      input.refused.append(AdaptedInput.Refused(entityId: nil, part: Self.shown(message), problem: problem))
    }
    guard message.payload.count <= mostBytes else {
      return refuse(
        Problem(.payloadTooLarge, "a payload of \(message.payload.count) bytes, at most \(mostBytes) are taken"))
    }
    for index in routes.indices {
      guard let levels = routes[index].pattern.values(in: message.topic) else { continue }
      do throws(Problem) { try read(message, levels, by: index, at: time, &input) } catch { refuse(error) }
      return
    }
    refuse(.badRequest("no pattern of the adapter covers the topic '\(message.topic.prefix(200))'"))
  }

  private mutating func read(
    _ message: MQTTMessage, _ levels: [String: String], by index: Int, at time: DateTime, _ input: inout AdaptedInput
  ) throws(Problem) {
    if adapter.format == .value {
      input.entities.append(try value(message, levels, routes[index], at: time))
      return
    }
    let json: JSON
    do { json = try JSONParser.parse(message.payload) } catch { throw .badRequest("the payload is not JSON: \(error)") }
    guard adapter.format == .json else {
      let said = try Adapter(adapter).read(json, at: time)
      input.entities += said.entities
      input.refused += said.refused
      return
    }
    guard let rows = routes[index].mapping?.rows.map({ $0.value(in: json) }) ?? json else {
      throw .badRequest("there is nothing at '\(routes[index].mapping?.rows?.text ?? "")' in the payload")
    }
    guard rows.items.count <= Adapter.mostParts else {
      throw Problem(.payloadTooLarge, "a payload may have at most \(Adapter.mostParts) rows")
    }
    for (number, item) in rows.items.enumerated() {
      guard let record = routes[index].row?.record(item, number: number + 1, given: levels) else {
        throw .badRequest("the topic has no mapping")
      }
      input.add(record)
    }
  }

  /// A plain value: the topic says of what.
  private func value(_ message: MQTTMessage, _ levels: [String: String], _ route: Route, at time: DateTime)
    throws(Problem) -> JSON
  {
    for name in route.pattern.names where levels[name]?.isEmpty ?? true {
      throw .badRequest("the level '\(name)' of the topic is empty")
    }
    let id = route.entity.filled { Adapter.urnPart(levels[$0] ?? "") }
    guard IRI.isAbsolute(id) else { throw .badRequest("'\(id.prefix(100))' is no URI") }
    guard let type = Template.typeName(Array(route.type.filled { levels[$0] ?? "" }.utf8)) else {
      throw .badRequest("the topic's levels do not make the name of a type")
    }
    guard let attribute = Adapter.attributeName(route.attribute.filled { levels[$0] ?? "" }) else {
      throw .badRequest("the topic's levels do not make the name of an attribute")
    }
    var property = JSONObject()
    property["type"] = "Property"
    property["value"] = try Self.value(message.payload, as: route.plan.as ?? "number")
    // A retained message says what is, not since when.
    if !message.isRetained { property["observedAt"] = .string(time.description) }
    property["unitCode"] = route.plan.unitCode.map(JSON.string)
    var entity = JSONObject()
    entity["id"] = .string(id)
    entity["type"] = .string(type)
    entity[attribute] = .object(property)
    return .object(entity)
  }

  private static func value(_ payload: [UInt8], as kind: String) throws(Problem) -> JSON {
    guard let text = String(validating: payload, as: UTF8.self) else { throw .badRequest("the payload is not UTF-8") }
    switch kind {
    case "text":
      guard !text.isEmpty else { throw .badRequest("the payload is empty") }
      return .string(text)
    case "flag":
      switch text.trimmed.lowercased() {
      case "true", "1", "yes", "on": return true
      case "false", "0", "no", "off": return false
      default: throw .badRequest("the payload '\(text.prefix(60))' is neither true nor false")
      }
    default:
      var digits: [UInt8] = []
      guard NumberText.append(Array(text.trimmed.utf8)[...], to: &digits) != nil,
        let number = try? JSONParser.parse(digits)
      else { throw .badRequest("the payload '\(text.prefix(60))' is no number") }
      return number
    }
  }

  /// A message as the history of refused input shows it.
  private static func shown(_ message: MQTTMessage) -> JSON {
    [
      "topic": .string(String(message.topic.prefix(200))),
      "payload": .string(String(decoding: message.payload.prefix(300), as: UTF8.self)),
    ]
  }
}

extension Template {
  func filled(_ value: (String) -> String) -> String {
    parts.reduce(into: "") { text, part in
      switch part {
      case .text(let fixed): text += fixed
      case .column(let name): text += value(name)
      }
    }
  }
}

extension String {
  fileprivate var trimmed: String {
    func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
    var rest = utf8[...]
    while let first = rest.first, isSpace(first) { rest = rest.dropFirst() }
    while let last = rest.last, isSpace(last) { rest = rest.dropLast() }
    return String(decoding: rest, as: UTF8.self)
  }
}
