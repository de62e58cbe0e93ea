import City
import NGSI

/// Agencies, stops, routes and shapes of a GTFS Schedule feed as GtfsAgency, GtfsStop, GtfsRoute and GtfsShape
/// (Smart Data Models, UrbanMobility).
///
/// Trips and stop times are a timetable, not state, and are left to whoever plans with the feed.
struct GTFSRecords: RecordSource {
  static let maxShapePoints = 2_000_000

  private var pending: [Record] = []
  private var position = 0

  init(path: String) throws(IngestError) {
    let archive = try ZipArchive(path: path)
    guard try archive.open("stops.txt") != nil else { throw IngestError("\(path): no stops.txt, so no GTFS feed") }
    try table("agency.txt", archive) { Self.agency($0) }
    try table("stops.txt", archive) { Self.stop($0) }
    try table("routes.txt", archive) { Self.route($0) }
    try shapes(archive)
  }

  var progress: Double { pending.isEmpty ? 1 : Double(position) / Double(pending.count) }

  mutating func next() throws(IngestError) -> Record? {
    guard position < pending.count else { return nil }
    position += 1
    return pending[position - 1]
  }

  /// A row by the names of its columns; an empty field counts as absent.
  private struct Row {
    var fields: [String: String]
    subscript(name: String) -> String? { fields[name] }
  }

  private mutating func add(_ original: JSON, _ outcome: Record.Outcome) {
    pending.append(Record(row: pending.count + 1, original: .json(original), outcome: outcome))
  }

  private func rows(_ name: String, _ archive: ZipArchive, _ body: (Row) throws(IngestError) -> Void)
    throws(IngestError)
  {
    guard let source = try archive.open(name) else { return }
    var reader = try CSVReader(source, name: "\(archive.path)/\(name)")
    guard try reader.next() != nil else { return }
    let found = reader
    let headings = (0..<found.count).map { found.text($0).trimmingSpaces }
    while try reader.next() != nil {
      var fields: [String: String] = [:]
      for (index, heading) in headings.enumerated() where index < reader.count {
        let text = reader.text(index).trimmingSpaces
        if !text.isEmpty { fields[heading] = text }
      }
      try body(Row(fields: fields))
    }
  }

  private mutating func table(
    _ name: String, _ archive: ZipArchive, _ entity: (Row) -> Result<JSON, IngestError>
  ) throws(IngestError) {
    var found: [(JSON, Result<JSON, IngestError>)] = []
    try rows(name, archive) { row in
      var original = JSONObject()
      for key in row.fields.keys.sorted() { original[key] = row[key].map(JSON.string) }
      found.append((.object(original), entity(row)))
    }
    for (original, result) in found {
      switch result {
      case .success(let json): add(original, Self.mapped(json))
      case .failure(let reason): add(original, .refused("\(name): \(reason)"))
      }
    }
  }

  private static func mapped(_ json: JSON) -> Record.Outcome {
    .entity(
      MappedEntity(
        id: json["id"]?.string ?? "", json: JSONWriter.bytes(json), observedAt: nil,
        valueCount: (json.object?.count ?? 2) - 2))
  }

  // MARK: Entities

  private static func entity(_ type: String, _ id: String?, _ values: [(String, JSON?)]) -> Result<JSON, IngestError> {
    guard let id else { return .failure(IngestError("the row has no id")) }
    var object = JSONObject()
    object["id"] = .string("urn:ngsi-ld:\(type):\(Self.escaped(id))")
    object["type"] = .string(type)
    for case (let name, let value?) in values { object[name] = value }
    return .success(.object(object))
  }

  private static func text(_ value: String?) -> JSON? { value.map { ["type": "Property", "value": .string($0)] } }

  private static func whole(_ value: String?) -> JSON? {
    value.flatMap { Int64($0) }.map { ["type": "Property", "value": .integer($0)] }
  }

  private static func link(_ type: String, _ id: String?) -> JSON? {
    id.map { ["type": "Relationship", "object": .string("urn:ngsi-ld:\(type):\(escaped($0))")] }
  }

  /// Percent-encodes what may not stand in a URI.
  private static func escaped(_ id: String) -> String {
    var text = ""
    for scalar in id.unicodeScalars {
      if scalar.value > 0x20, scalar.value != 0x7F, !"<>\"{}|\\^`%".unicodeScalars.contains(scalar) {
        text.unicodeScalars.append(scalar)
      } else {
        let hex = String(scalar.value, radix: 16, uppercase: true)
        text += "%" + (hex.count == 1 ? "0" : "") + hex
      }
    }
    return text
  }

  private static func agency(_ row: Row) -> Result<JSON, IngestError> {
    entity(
      "GtfsAgency", row["agency_id"] ?? row["agency_name"],
      [
        ("name", text(row["agency_name"])), ("page", text(row["agency_url"])),
        ("timezone", text(row["agency_timezone"])),
      ])
  }

  private static func stop(_ row: Row) -> Result<JSON, IngestError> {
    guard let latitude = row["stop_lat"].flatMap(Double.init), let longitude = row["stop_lon"].flatMap(Double.init),
      abs(latitude) <= 90, abs(longitude) <= 180
    else { return .failure(IngestError("stop_lat and stop_lon are no position in degrees")) }
    let point = Coordinate(longitude: longitude, latitude: latitude).point
    return entity(
      "GtfsStop", row["stop_id"],
      [
        ("name", text(row["stop_name"])), ("code", text(row["stop_code"])),
        ("location", ["type": "GeoProperty", "value": point]), ("locationType", whole(row["location_type"])),
        ("wheelChairAccessible", whole(row["wheelchair_boarding"])),
        ("hasParentStation", link("GtfsStop", row["parent_station"])),
      ])
  }

  private static func route(_ row: Row) -> Result<JSON, IngestError> {
    entity(
      "GtfsRoute", row["route_id"],
      [
        ("shortName", text(row["route_short_name"])), ("name", text(row["route_long_name"] ?? row["route_short_name"])),
        ("routeType", whole(row["route_type"])), ("routeColor", text(row["route_color"])),
        ("routeTextColor", text(row["route_text_color"])), ("operatedBy", link("GtfsAgency", row["agency_id"])),
      ])
  }

  private mutating func shapes(_ archive: ZipArchive) throws(IngestError) {
    var lines: [String: [(sequence: Int, point: Coordinate)]] = [:]
    var points = 0
    var broken = 0
    try rows("shapes.txt", archive) { row throws(IngestError) in
      points += 1
      guard points <= Self.maxShapePoints else {
        throw IngestError("\(archive.path)/shapes.txt: more than \(Self.maxShapePoints) points")
      }
      guard let id = row["shape_id"], let latitude = row["shape_pt_lat"].flatMap(Double.init),
        let longitude = row["shape_pt_lon"].flatMap(Double.init), abs(latitude) <= 90, abs(longitude) <= 180,
        let sequence = row["shape_pt_sequence"].flatMap({ Int($0) })
      else {
        broken += 1
        return
      }
      lines[id, default: []].append((sequence, Coordinate(longitude: longitude, latitude: latitude)))
    }
    for id in lines.keys.sorted() {
      let line = (lines[id] ?? []).sorted { $0.sequence < $1.sequence }.map(\.point.position)
      guard line.count > 1 else {
        add(["shape_id": .string(id)], .refused("shapes.txt: a shape of \(line.count) points"))
        continue
      }
      let geometry: JSON = ["type": "LineString", "coordinates": .array(line)]
      if case .success(let json) = Self.entity(
        "GtfsShape", id, [("location", ["type": "GeoProperty", "value": geometry])])
      {
        add(["shape_id": .string(id)], Self.mapped(json))
      }
    }
    if broken > 0 { add("shapes.txt", .refused("shapes.txt: \(broken) points without shape, position or sequence")) }
  }
}

extension String {
  var trimmingSpaces: String {
    var text = self[...]
    while let first = text.first, first.isWhitespace { text = text.dropFirst() }
    while let last = text.last, last.isWhitespace { text = text.dropLast() }
    return String(text)
  }
}
