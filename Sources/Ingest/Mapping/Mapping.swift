import City
import Crypto
import Foundation
import NGSI

/// How the rows of a file, or of a message, become entities: read from a YAML file, `docs/manifest.md` explains it.
public struct Mapping: Sendable {
  enum Format: String { case csv, geojson, json }

  enum ValueKind: String {
    case number, text, flag
  }

  /// An attribute and where its value comes from.
  struct AttributeRule {
    enum Origin {
      case column(String)
      case constant(JSON)
    }

    var name: String
    var origin: Origin
    var kind: ValueKind
    var unitCode: String?
    var range: ClosedRange<Double>?
    var isRequired: Bool
  }

  enum LocationRule {
    case columns(longitude: String, latitude: String)
    case constant(Coordinate)
    /// By the text in a column.
    case lookup(column: String, table: [String: Coordinate])
    /// The feature's own geometry (GeoJSON).
    case geometry
  }

  struct TimeRule {
    var template: Template
    var pattern: TimePattern
    var zone: TimeZone
    var allowsHour24: Bool
  }

  var format: Format
  var delimiter: UInt8
  /// Where the rows stand in a JSON document; the document itself without it.
  var rows: ColumnPath?
  var id: Template
  var type: Template
  var missing: Set<[UInt8]>
  var time: TimeRule?
  var location: LocationRule?
  var attributes: [AttributeRule]
  /// URL of the @context under which the names are meant; the core context without it.
  var context: String?
  /// SHA-256 of the file's canonical form; a position is only good for the mapping it was reached with.
  var fingerprint: String
}

// MARK: - Reading

extension Mapping {
  /// All columns that it names.
  var columns: [String] {
    var names = id.columns + type.columns + (time?.template.columns ?? [])
    switch location {
    case .columns(let longitude, let latitude): names += [longitude, latitude]
    case .lookup(let column, _): names.append(column)
    default: break
    }
    for rule in attributes { if case .column(let column) = rule.origin { names.append(column) } }
    return names
  }

  private static let column = Shape.text(maxLength: 200)

  static let shape = Shape.object([
    .required("mapping", .integer(1...1), "version of this format"),
    .required("format", .choice(["csv", "geojson", "json"]), "what the file is"),
    .optional("rows", .text(maxLength: 500), "JSON: where the rows stand, such as data.items; the document without it"),
    .optional("delimiter", .choice([",", ";", "\t", "|"]), "between fields of CSV; a comma without it"),
    .required(
      "entity",
      .object([
        .required("id", .text(maxLength: 500), "URI with {column} in it"),
        .required(
          "type", .pattern("[A-Za-z{][A-Za-z0-9_:/.#{}-]{0,300}", example: "AirQualityObserved"),
          "entity type, perhaps with {column} in it"),
      ]), "who the rows are about"),
    .optional(
      "missing", .list(.either([.choice([""]), .text(maxLength: 40)]), count: 0...50), "texts that mean: no value"),
    .optional(
      "observedAt",
      .object([
        .required("from", .text(maxLength: 200), "text with {column} in it"),
        .required(
          "pattern", .text(maxLength: 60), "such as yyyy-MM-dd HH:mm, iso8601, seconds or milliseconds (since 1970)"),
        .required("timeZone", .text(maxLength: 60), "IANA time zone of the times"),
        .optional("hour24", .flag, "whether 24:00 is read as midnight at the end of the day"),
      ]), "when the values were observed"),
    .optional(
      "location",
      .object([
        .optional("longitude", column, "column with the longitude in degrees"),
        .optional("latitude", column, "column with the latitude in degrees"),
        .optional("constant", .position, "the same position for all"),
        .optional("column", column, "column whose text is looked up"),
        .optional("lookup", .map(.position, keyPattern: ".{1,200}", count: 1...20_000), "position by that text"),
        .optional("geometry", .flag, "the feature's own geometry"),
      ]), "where it is"),
    .required(
      "attributes",
      .map(
        .object([
          .optional("column", column, "column of the value"),
          .optional("constant", .scalar, "the same value for all, sent once for each entity"),
          .optional("as", .choice(["number", "text", "flag"]), "how the value is read; number without it"),
          .optional("unitCode", .pattern("[A-Z0-9]{2,3}", example: "GQ"), "UN/CEFACT common code"),
          .optional("range", .list(.number(-1e15...1e15), count: 2...2), "least and greatest valid value"),
          .optional("required", .flag, "whether a row without the value is refused"),
          .optional("relabelled", .text(maxLength: 500), "why the column's own heading is not believed"),
        ]), keyPattern: "[A-Za-z][A-Za-z0-9_]{0,100}", count: 1...500), "attributes by name"),
    .optional("context", .pattern("https?://[^ <>]{1,500}", example: "https://example.org/context.jsonld"), "@context"),
  ])

  /// Reads a mapping file.
  /// - Throws: ``FileProblems`` with everything that is wrong.
  public static func read(path: String) throws(FileProblems) -> Mapping {
    try Mapping(YAMLReader.read(path: path, as: shape))
  }

  /// Reads a mapping from text; `path` is the name that errors show.
  /// - Throws: ``FileProblems`` with everything that is wrong.
  public static func read(text: String, path: String) throws(FileProblems) -> Mapping {
    try Mapping(YAMLReader.read(text: text, file: path, as: shape))
  }

  init(_ file: CheckedFile) throws(FileProblems) {
    var problems: [FileProblem] = []
    let value = file.value
    format = Format(rawValue: value["format"]?.string ?? "") ?? .csv
    delimiter = value["delimiter"]?.string?.utf8.first ?? UInt8(ascii: ",")
    id = Template(value["entity"]?["id"]?.string ?? "")
    type = Template(value["entity"]?["type"]?.string ?? "")
    rows = value["rows"]?.string.map(ColumnPath.init)
    missing = Set((value["missing"]?.array ?? [""]).map { Array(($0.string ?? "").utf8) })
    context = value["context"]?.string
    fingerprint = SHA256.hash(data: CanonicalJSON.bytes(value)).map { String(UInt16($0) + 256, radix: 16).dropFirst() }
      .joined()
    time = Self.time(value["observedAt"], file, &problems)
    location = Self.location(value["location"], file, format, &problems)
    attributes = []
    for member in value["attributes"]?.object ?? JSONObject() {
      if let rule = Self.attribute(member, file, &problems) { attributes.append(rule) }
    }
    if !id.isPlausibleURI {
      problems.append(
        file.problem(at: "entity.id", found: "'\(id.text)'", expected: "a URI such as urn:ngsi-ld:Type:{column}"))
    }
    if rows != nil, format != .json {
      problems.append(file.problem(at: "rows", found: "'rows' with \(format.rawValue)", expected: "it goes with json"))
    }
    guard problems.isEmpty else { throw FileProblems(problems) }
  }

  private static func time(_ value: JSON?, _ file: CheckedFile, _ problems: inout [FileProblem]) -> TimeRule? {
    guard let value else { return nil }
    let zone = TimeZone(identifier: value["timeZone"]?.string ?? "")
    let pattern = TimePattern(value["pattern"]?.string ?? "")
    if zone == nil {
      problems.append(
        file.problem(
          at: "observedAt.timeZone", found: "'\(value["timeZone"]?.string ?? "")'",
          expected: "an IANA time zone such as Asia/Seoul"))
    }
    if pattern == nil {
      problems.append(
        file.problem(
          at: "observedAt.pattern", found: "'\(value["pattern"]?.string ?? "")'",
          expected:
            "iso8601, seconds, milliseconds, or a pattern with y, M, d and perhaps H, m, s such as yyyy-MM-dd HH:mm"))
    }
    guard let zone, let pattern else { return nil }
    return TimeRule(
      template: Template(value["from"]?.string ?? ""), pattern: pattern, zone: zone,
      allowsHour24: value["hour24"]?.bool ?? false)
  }

  private static func location(
    _ value: JSON?, _ file: CheckedFile, _ format: Format, _ problems: inout [FileProblem]
  ) -> LocationRule? {
    guard let value else { return nil }
    func coordinate(_ json: JSON) -> Coordinate {
      Coordinate(longitude: json.array?[0].number ?? 0, latitude: json.array?[1].number ?? 0)
    }
    let keys = Set(value.object?.keys ?? [])
    if keys == ["longitude", "latitude"] {
      return .columns(
        longitude: value["longitude"]?.string ?? "", latitude: value["latitude"]?.string ?? "")
    }
    if keys == ["constant"], let position = value["constant"] { return .constant(coordinate(position)) }
    if keys == ["column", "lookup"], let table = value["lookup"]?.object {
      var positions: [String: Coordinate] = [:]
      for member in table { positions[member.key] = coordinate(member.value) }
      return .lookup(column: value["column"]?.string ?? "", table: positions)
    }
    if keys == ["geometry"], value["geometry"]?.bool == true, format == .geojson { return .geometry }
    problems.append(
      file.problem(
        at: "location", found: "the keys \(keys.sorted().joined(separator: ", "))",
        expected: "longitude and latitude; or constant; or column and lookup; or, for GeoJSON, geometry: true"))
    return nil
  }

  private static func attribute(
    _ member: JSONObject.Member, _ file: CheckedFile, _ problems: inout [FileProblem]
  ) -> AttributeRule? {
    let path = "attributes.\(member.key)"
    let origin: AttributeRule.Origin
    switch (member.value["column"]?.string, member.value["constant"]) {
    case (let column?, nil): origin = .column(column)
    case (nil, let constant?): origin = .constant(constant)
    default:
      problems.append(
        file.problem(at: path, found: "column and constant both, or neither", expected: "one of the two"))
      return nil
    }
    var range: ClosedRange<Double>?
    if let bounds = member.value["range"]?.array, let low = bounds[0].number, let high = bounds[1].number {
      if low <= high {
        range = low...high
      } else {
        problems.append(
          file.problem(at: path + ".range", found: "[\(low), \(high)]", expected: "the least value first"))
      }
    }
    return AttributeRule(
      name: member.key, origin: origin, kind: ValueKind(rawValue: member.value["as"]?.string ?? "number") ?? .number,
      unitCode: member.value["unitCode"]?.string, range: range, isRequired: member.value["required"]?.bool ?? false)
  }
}
