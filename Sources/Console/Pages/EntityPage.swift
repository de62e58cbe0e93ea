import Hummingbird
import NGSI

/// `/entities/{id}`: all that is known of one entity.
enum EntityPage {
  static func answer(_ visit: Visit, id: String) async throws -> Response {
    guard let entity = try await visit.room.source.entity(id) else { return ErrorPage.noEntity(visit, id: id) }
    let room = visit.room
    let summary = Summarizer(rules: room.rules, names: room.names).summary(entity)
    var content: [String: Any] = visit.row(summary)
    content["attributes"] = entity.attributes.flatMap { set in
      set.instances.map { AttributeRow(visit, entity, set.name, $0).content }
    }
    let charts = history(visit, entity)
    content["history"] = charts
    content["hasHistory"] = !charts.isEmpty
    content["typeIRIs"] = entity.types
    if !entity.scopes.isEmpty { content["scopes"] = entity.scopes.joined(separator: ", ") }
    if let created = entity.createdAt { content["created"] = room.time.text(created) }
    if let modified = entity.modifiedAt { content["modified"] = room.time.text(modified) }
    content["raw"] = raw(entity)
    content["apiHref"] = "/ngsi-ld/v1/entities/" + Percent.encode(id)
    content["temporalHref"] = "/ngsi-ld/v1/temporal/entities/" + Percent.encode(id)
    if let cause = summary.cause {
      let rule = room.rules.rules[cause.rule]
      content["ruleSource"] = "\(rule.source.in(visit.language)) (\(rule.sourceDate))"
      content["isHouseRule"] = rule.basis == .house
    }
    return PageFrame.answer(
      visit, template: "entity", title: room.names.display(summary, visit.language), section: "entities",
      content: content)
  }

  static let maxCharts = 24

  /// One chart for each attribute that holds a number, with the bounds that its rules draw.
  private static func history(_ visit: Visit, _ entity: Entity) -> [[String: Any]] {
    let types = entity.types.map(Names.short)
    var charts: [[String: Any]] = []
    for set in entity.attributes where charts.count < maxCharts {
      guard let instance = set.instances.first(where: { $0.kind == .property && $0.value.number != nil }),
        instance.observedAt != nil
      else { continue }
      let short = Names.short(set.name)
      let isFraction = visit.room.names.isFraction(instance, named: short)
      let scale = isFraction ? 100.0 : 1
      var chart: [String: Any] = [
        "chartAttribute": set.name, "chartShort": short,
        "chartLabel": visit.room.names.attribute(short, visit.language),
        "chartUnit": visit.room.names.unit(isFraction ? "P1" : instance.unitCode), "chartIndex": "\(charts.count)",
        "chartScale": NumberText.short(scale),
      ]
      for (_, rule) in visit.room.rules.rules(attribute: short, types: types) {
        let bounds = rule.bounds(inUnit: instance.unitCode ?? "")
        if let bound = bounds.attention { chart["chartAttention"] = NumberText.short(bound * scale) }
        if let bound = bounds.alarm { chart["chartAlarm"] = NumberText.short(bound * scale) }
      }
      charts.append(chart)
    }
    return charts
  }

  /// The entity as the API gives it in the default context, indented.
  private static func raw(_ entity: Entity) -> String {
    let names = ["location", "observationSpace", "operationSpace"]
    let terms = names.map { ($0, Context.Term(iri: Core.namespace + $0)) }
    let context = Context(terms: Dictionary(uniqueKeysWithValues: terms), source: .null)
    var writer = JSONWriter()
    EntityWriter(context: context, representation: Representation(.normalized, systemAttributes: true))
      .write(entity, to: &writer)
    guard let json = try? JSONParser.parse(writer.bytes) else { return String(decoding: writer.bytes, as: UTF8.self) }
    return json.indented()
  }
}

/// One attribute instance as a row of the table.
struct AttributeRow {
  let content: [String: Any]

  static let maxText = 600

  init(_ visit: Visit, _ entity: Entity, _ name: String, _ attribute: Attribute) {
    let room = visit.room
    let short = Names.short(name)
    let label = room.names.attribute(short, visit.language)
    var row: [String: Any] = [
      "attributeName": label, "attributeIRI": name, "attributeKind": visit.text("kind_" + attribute.kind.rawValue),
    ]
    if label != short { row["attributeShort"] = short }
    if let datasetId = attribute.datasetId { row["datasetId"] = datasetId }
    if attribute.kind == .relationship || attribute.kind == .listRelationship {
      row["links"] = Self.targets(attribute.value).map { ["linkHref": Visit.entityPath($0), "linkText": $0] }
    } else {
      row["valueText"] = Self.text(attribute, short, visit)
    }
    if let observedAt = attribute.observedAt {
      row["valueTime"] = room.time.text(observedAt)
      row["valueISO"] = observedAt.description
      row["valueAge"] = visit.age(observedAt)
    }
    for (_, rule) in room.rules.rules(attribute: short, types: entity.types.map(Names.short)) {
      guard let state = rule.judge(attribute.value, unitCode: attribute.unitCode), state < .normal else { continue }
      row["valueState"] = state.name
      row["valueStateText"] = visit.text("state_" + state.name)
      let label = rule.label(state).in(visit.language)
      // A word and the label that explains it are often the same.
      if label != row["valueText"] as? String { row["valueCause"] = label }
    }
    let parts = attribute.subAttributes.flatMap { set in
      set.instances.map { part in
        [
          "partName": room.names.attribute(Names.short(set.name), visit.language),
          "partText": Self.text(part, Names.short(set.name), visit),
        ]
      }
    }
    if !parts.isEmpty { row["parts"] = parts }
    content = row
  }

  private static func text(_ attribute: Attribute, _ short: String, _ visit: Visit) -> String {
    if attribute.kind == .geoProperty { return place(attribute.value, visit) }
    if attribute.kind == .languageProperty, let map = attribute.value.object {
      return map.members.map { "\($0.key): \($0.value.string ?? JSONWriter.text($0.value))" }.joined(separator: " · ")
    }
    if let read = visit.room.names.reading(attribute, named: short, most: maxText) {
      return visit.reading(read.text, of: short, unit: read.unitCode)
    }
    let text = JSONWriter.text(attribute.value)
    return visit.reading(
      text.count > maxText ? text.prefix(maxText) + "…" : text, of: short, unit: attribute.unitCode)
  }

  private static func place(_ geometry: JSON, _ visit: Visit) -> String {
    guard let type = geometry["type"]?.string else { return JSONWriter.text(geometry) }
    let coordinates = JSONWriter.text(geometry["coordinates"] ?? .null)
    guard type == "Point", let position = geometry["coordinates"]?.array, position.count >= 2,
      let longitude = position[0].number, let latitude = position[1].number
    else {
      return "\(type) " + (coordinates.count > 120 ? coordinates.prefix(120) + "…" : coordinates)
    }
    return visit.text("coordinates", ["lat": fixed(latitude), "lon": fixed(longitude)])
  }

  /// Six digits: a tenth of a metre.
  private static func fixed(_ degrees: Double) -> String {
    let micro = (degrees * 1_000_000).rounded() / 1_000_000
    return "\(micro)"
  }

  private static func targets(_ value: JSON) -> [String] {
    value.items.compactMap { $0.string ?? $0["object"]?.string }
  }
}
