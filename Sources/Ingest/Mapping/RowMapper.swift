import City
import Foundation
import NGSI

/// Turns rows into entities by a mapping whose columns have been found in the heading.
///
/// The hot path of a replay: it copies bytes into JSON text and makes no value trees.
struct RowMapper {
  private struct Rule {
    var rule: Mapping.AttributeRule
    /// Position of the column.
    var column: Int
    /// `"pm25":{"type":"Property","value":`
    var before: [UInt8]
    /// `,"unitCode":"GQ"`
    var unit: [UInt8]
  }

  private enum Piece {
    case text([UInt8])
    case column(Int)
  }

  /// What is known about an entity that has been met.
  private struct Known {
    var id: String
    /// `{"id":"…","type":"…"`
    var before: [UInt8]
    var hasConstants = false
  }

  /// Entities that are remembered; one that comes back later is made anew, and sends what is constant again.
  static let maxKnown = 100_000

  private let mapping: Mapping
  private let headings: [String]
  private let rules: [Rule]
  private let constants: [UInt8]
  private let id: [Piece]
  private let type: [Piece]
  private let time: [Piece]
  private let locationColumns: [Int]
  private var zones: ZoneTable?
  private var known: [[UInt8]: Int] = [:]
  private var entities: [Known] = []

  /// - Throws: ``IngestError`` that names the columns that are missing.
  init(_ mapping: Mapping, headings: [String], name: String) throws(IngestError) {
    self.mapping = mapping
    self.headings = headings
    var absent: [String] = []
    func find(_ column: String) -> Int {
      if let position = headings.firstIndex(of: column) { return position }
      absent.append(column)
      return 0
    }
    func pieces(_ template: Template) -> [Piece] {
      template.parts.map { part in
        switch part {
        case .text(let text): .text(Array(text.utf8))
        case .column(let column): .column(find(column))
        }
      }
    }
    id = pieces(mapping.id)
    type = pieces(mapping.type)
    time = mapping.time.map { pieces($0.template) } ?? []
    zones = mapping.time.map { ZoneTable($0.zone) }
    rules = mapping.attributes.compactMap { rule in
      guard case .column(let column) = rule.origin else { return nil }
      var before = JSONWriter(capacity: 64)
      before.write(rule.name)
      before.json(#":{"type":"Property","value":"#.utf8)
      var unit = JSONWriter(capacity: 32)
      if let code = rule.unitCode {
        unit.json(#","unitCode":"#.utf8)
        unit.write(code)
      }
      return Rule(rule: rule, column: find(column), before: before.bytes, unit: unit.bytes)
    }
    switch mapping.location {
    case .columns(let longitude, let latitude): locationColumns = [find(longitude), find(latitude)]
    case .lookup(let column, _): locationColumns = [find(column)]
    default: locationColumns = []
    }
    constants = Self.constants(mapping)
    guard absent.isEmpty else {
      let list = absent.map { "'\($0)'" }.joined(separator: ", ")
      throw IngestError(
        "\(name): the mapping names the columns \(list), the file has \(headings.map { "'\($0)'" }.joined(separator: ", "))"
      )
    }
  }

  /// `,"name":{…},"location":{…}` of what is the same for all rows of all entities.
  private static func constants(_ mapping: Mapping) -> [UInt8] {
    var writer = JSONWriter()
    for rule in mapping.attributes {
      guard case .constant(let value) = rule.origin else { continue }
      var attribute: JSON = ["type": "Property", "value": value]
      if let unit = rule.unitCode { attribute = ["type": "Property", "value": value, "unitCode": .string(unit)] }
      writer.json(",".utf8)
      writer.write(rule.name)
      writer.json(":".utf8)
      writer.write(attribute)
    }
    if case .constant(let place) = mapping.location { writer.json(location(place.point)) }
    return writer.bytes
  }

  private static func location(_ geometry: JSON) -> [UInt8] {
    var writer = JSONWriter()
    writer.json(#","location":{"type":"GeoProperty","value":"#.utf8)
    writer.write(geometry)
    writer.json("}".utf8)
    return writer.bytes
  }

  /// The entity of a row.
  /// - Parameter geometry: a feature's geometry.
  mutating func map(_ reader: FieldRow, geometry: JSON? = nil) -> Record.Outcome {
    guard reader.count == headings.count else {
      return .refused("\(reader.count) fields, expected the \(headings.count) of the heading")
    }
    let observedAt: DateTime?
    switch observed(reader) {
    case .success(let time): observedAt = time
    case .failure(let reason): return .refused(reason.description)
    }
    let position: Int
    switch entity(reader) {
    case .success(let found): position = found
    case .failure(let reason): return .refused(reason.description)
    }
    var json = entities[position].before
    json.reserveCapacity(json.count + rules.count * 110 + 200)
    var stamp: [UInt8] = []
    if let observedAt { stamp = Array(",\"observedAt\":\"\(observedAt)\"}".utf8) } else { stamp = [UInt8(ascii: "}")] }
    var count = 0
    for rule in rules {
      let field = reader.field(rule.column)
      if mapping.missing.contains(Array(field)) {
        if rule.rule.isRequired { return .refused("\(rule.rule.name): no value in '\(headings[rule.column])'") }
        continue
      }
      json.append(UInt8(ascii: ","))
      json += rule.before
      if let reason = Self.append(field, rule.rule, heading: headings[rule.column], to: &json) {
        return .refused(reason)
      }
      json += rule.unit
      json += stamp
      count += 1
    }
    guard count > 0 || rules.isEmpty else { return .refused("no value in any of the mapped columns") }
    if !entities[position].hasConstants {
      switch place(reader, geometry) {
      case .success(let bytes): json += bytes
      case .failure(let reason): return .refused(reason.description)
      }
      json += constants
      entities[position].hasConstants = observedAt != nil
    }
    json.append(UInt8(ascii: "}"))
    return .entity(
      MappedEntity(
        id: entities[position].id, json: json, observedAt: observedAt,
        valueCount: count))
  }

  // MARK: Parts of a row

  private mutating func observed(_ reader: FieldRow) -> Result<DateTime?, IngestError> {
    guard let rule = mapping.time else { return .success(nil) }
    let text = fill(time, reader)
    switch rule.pattern.read(text, allowsHour24: rule.allowsHour24) {
    case .instant(let time): return .success(time)
    case .local(let day, let seconds):
      // Hour 24 is 0 h of the next day.
      if let time = zones?.instant(day: day + seconds / 86_400, seconds: seconds % 86_400) { return .success(time) }
      return .failure(
        IngestError("the time '\(String(decoding: text, as: UTF8.self))' does not exist in \(rule.zone.identifier)"))
    case .invalid:
      return .failure(IngestError("the time '\(String(decoding: text.prefix(60), as: UTF8.self))' cannot be read"))
    }
  }

  private func fill(_ pieces: [Piece], _ reader: FieldRow) -> [UInt8] {
    var text: [UInt8] = []
    for piece in pieces {
      switch piece {
      case .text(let bytes): text += bytes
      case .column(let column): text += reader.field(column)
      }
    }
    return text
  }

  private mutating func entity(_ reader: FieldRow) -> Result<Int, IngestError> {
    let raw = fill(id, reader)
    // Two types of one id are two to the memory; a line feed stands in neither.
    let key = type.count > 1 || mapping.type.hasColumns ? raw + [0x0A] + fill(type, reader) : raw
    if let position = known[key] { return .success(position) }
    for case .column(let column) in id + type where mapping.missing.contains(Array(reader.field(column))) {
      return .failure(IngestError("no value in '\(headings[column])', which the id or type needs"))
    }
    let text = Self.uri(raw)
    guard IRI.isAbsolute(text) else { return .failure(IngestError("'\(text.prefix(100))' is no URI")) }
    guard let typeName = Template.typeName(fill(type, reader)) else {
      return .failure(IngestError("the columns of 'type' do not make the name of a type"))
    }
    var writer = JSONWriter()
    writer.json(#"{"id":"#.utf8)
    writer.write(text)
    writer.json(#","type":"#.utf8)
    writer.write(typeName)
    if entities.count >= Self.maxKnown {
      known = [:]
      entities = []
    }
    known[key] = entities.count
    entities.append(Known(id: text, before: writer.bytes))
    return .success(entities.count - 1)
  }

  /// Percent-encodes what a URI may not have (RFC 3986 section 2.1).
  private static func uri(_ raw: [UInt8]) -> String {
    var bytes: [UInt8] = []
    let hex = Array("0123456789ABCDEF".utf8)
    for byte in raw {
      switch byte {
      case 0...0x20, 0x7F, UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""), UInt8(ascii: "{"),
        UInt8(ascii: "}"), UInt8(ascii: "|"), UInt8(ascii: "\\"), UInt8(ascii: "^"), UInt8(ascii: "`"):
        bytes += [UInt8(ascii: "%"), hex[Int(byte >> 4)], hex[Int(byte & 15)]]
      default: bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Appends the value as JSON; the reason when it is not valid.
  private static func append(
    _ field: ArraySlice<UInt8>, _ rule: Mapping.AttributeRule, heading: String, to json: inout [UInt8]
  ) -> String? {
    func shown() -> String { String(decoding: field.prefix(60), as: UTF8.self) }
    switch rule.kind {
    case .number:
      guard let value = NumberText.append(field, to: &json) else {
        return "\(rule.name): '\(shown())' in '\(heading)' is no number"
      }
      if let range = rule.range, !range.contains(value) {
        return "\(rule.name): \(shown()) in '\(heading)' is outside \(range.lowerBound) to \(range.upperBound)"
      }
    case .text:
      guard let text = String(validating: field, as: UTF8.self) else { return "\(rule.name): not UTF-8" }
      json += JSONWriter.bytes(.string(text))
    case .flag:
      switch shown().lowercased() {
      case "true", "1", "yes", "y": json += Array("true".utf8)
      case "false", "0", "no", "n": json += Array("false".utf8)
      default: return "\(rule.name): '\(shown())' in '\(heading)' is neither true nor false"
      }
    }
    return nil
  }

  private func place(_ reader: FieldRow, _ geometry: JSON?) -> Result<[UInt8], IngestError> {
    switch mapping.location {
    case nil, .constant: return .success([])
    case .geometry:
      guard let geometry else { return .failure(IngestError("the feature has no geometry")) }
      if let failure = Geometry.failure(of: geometry) { return .failure(IngestError(failure)) }
      return .success(Self.location(geometry))
    case .lookup(_, let table):
      let text = String(decoding: reader.field(locationColumns[0]), as: UTF8.self)
      guard let place = table[text] else {
        return .failure(IngestError("location: '\(text.prefix(60))' is not in the mapping's table"))
      }
      return .success(Self.location(place.point))
    case .columns:
      var numbers: [UInt8] = []
      guard let longitude = NumberText.append(reader.field(locationColumns[0]), to: &numbers),
        let latitude = NumberText.append(reader.field(locationColumns[1]), to: &numbers),
        abs(longitude) <= 180, abs(latitude) <= 90
      else { return .failure(IngestError("location: no longitude and latitude in degrees")) }
      return .success(Self.location(["type": "Point", "coordinates": [.double(longitude), .double(latitude)]]))
    }
  }
}

/// The fields of one row.
struct FieldRow: Sendable {
  let bytes: [UInt8]
  let ends: [Int]

  var count: Int { ends.count }

  func field(_ index: Int) -> ArraySlice<UInt8> { bytes[(index == 0 ? 0 : ends[index - 1])..<ends[index]] }
}
