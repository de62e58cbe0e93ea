import NGSI

/// What the board keeps of one entity.
struct EntitySummary: Sendable {
  /// One reading, by its short attribute name.
  struct Reading: Sendable {
    var attribute: String
    /// Shortened text of the value, without its unit.
    var text: String
    var unitCode: String?
  }

  enum Place: Sendable {
    case point(longitude: Double, latitude: Double)
    /// A line or an area, as GeoJSON; `height` in metres for buildings.
    case shape(JSON, height: Double?)
  }

  var id: String
  /// Short type names.
  var types: [String]
  var name: LocalizedText?
  var place: Place?
  /// How its readings stand, their age aside.
  var judged: EntityState
  /// The reading that made it so and the rule's place in the table.
  var cause: (rule: Int, reading: Reading)?
  var headline: Reading?
  /// Newest `observedAt` of its attributes.
  var observedAt: DateTime?
  /// From when on it counts as stale; `nil` when it is never.
  var staleAt: DateTime?
  /// Lowercased id, name and types, for the text search.
  var searchText: String

  /// State with age: an alarm stays one until a reading takes it back, all else grows stale.
  func state(at now: DateTime) -> EntityState {
    guard judged != .alarm, let staleAt, staleAt <= now else { return judged }
    return .stale
  }
}

/// Makes summaries of entities.
struct Summarizer: Sendable {
  let rules: StateRules
  let names: Names

  static let maxText = 80

  func summary(_ entity: Entity) -> EntitySummary {
    let types = entity.types.map(Names.short)
    var judged: (state: EntityState, cause: (rule: Int, reading: EntitySummary.Reading)?) = (.unknown, nil)
    var observedAt: DateTime?
    var readings: [String: EntitySummary.Reading] = [:]
    var firstMeasured: EntitySummary.Reading?
    for set in entity.attributes {
      let attribute = Names.short(set.name)
      for instance in set.instances {
        if let at = instance.observedAt, at > observedAt ?? at.adding(seconds: -1) { observedAt = at }
        guard instance.kind == .property || instance.kind == .vocabProperty else { continue }
        guard let read = names.reading(instance, named: attribute, most: Self.maxText) else { continue }
        let reading = EntitySummary.Reading(attribute: attribute, text: read.text, unitCode: read.unitCode)
        readings[attribute] = readings[attribute] ?? reading
        if firstMeasured == nil, instance.observedAt != nil, instance.value.number != nil { firstMeasured = reading }
        for (index, rule) in rules.rules(attribute: attribute, types: types) {
          guard let state = rule.judge(instance.value, unitCode: instance.unitCode), state < judged.state else {
            continue
          }
          judged = (state, state < .normal ? (index, reading) : nil)
        }
      }
    }
    if judged.state == .unknown, observedAt != nil { judged.state = .normal }
    let name = Self.name(entity)
    let preferred = names.headlines(types: types).lazy.compactMap { readings[$0] }.first
    return EntitySummary(
      id: entity.id, types: types, name: name, place: Self.place(entity), judged: judged.state, cause: judged.cause,
      headline: preferred ?? firstMeasured, observedAt: observedAt,
      staleAt: observedAt?.adding(seconds: rules.staleAge(types: types)),
      searchText: ([entity.id, name?.ko, name?.en].compactMap(\.self) + types).joined(separator: "\n").lowercased())
  }

  private static func name(_ entity: Entity) -> LocalizedText? {
    for set in entity.attributes where ["name", "title", "stationName"].contains(Names.short(set.name)) {
      guard let value = set.instances.first?.value else { continue }
      if let text = value.string, !text.isEmpty { return LocalizedText(String(text.prefix(200))) }
      if let map = value.object {
        let first = map.members.first?.value.string
        guard let en = map["en"]?.string ?? first, let ko = map["ko"]?.string ?? first else { continue }
        return LocalizedText(ko: String(ko.prefix(200)), en: String(en.prefix(200)))
      }
    }
    return nil
  }

  private static func place(_ entity: Entity) -> EntitySummary.Place? {
    let places = entity.attributes.filter { set in set.instances.first?.kind == .geoProperty }
    let footprint = places.first { Names.short($0.name) == "footprint" }
    guard let set = footprint ?? places.first(where: { Names.short($0.name) == "location" }) ?? places.first,
      let geometry = set.instances.first?.value, let type = geometry["type"]?.string
    else { return nil }
    guard type == "Point" else {
      return .shape(geometry, height: height(entity))
    }
    guard let position = geometry["coordinates"]?.array, position.count >= 2, let longitude = position[0].number,
      let latitude = position[1].number
    else { return nil }
    return .point(longitude: longitude, latitude: latitude)
  }

  /// Metres above ground: a measured height, or the floors at 3.3 m each (the usual storey of Korean apartments).
  private static func height(_ entity: Entity) -> Double? {
    var floors: Double?
    for set in entity.attributes {
      guard let number = set.instances.first?.value.number, number > 0, number < 2000 else { continue }
      switch Names.short(set.name) {
      case "height", "measuredHeight", "buildingHeight": return number
      case "floorsAboveGround", "storeysAboveGround", "numberOfFloors": floors = number
      default: continue
      }
    }
    return floors.map { $0 * 3.3 }
  }
}
