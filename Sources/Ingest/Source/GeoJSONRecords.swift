import City
import NGSI

/// The features of a GeoJSON file (RFC 7946) under a mapping; its columns are the properties' names, and `id`.
struct GeoJSONRecords: RecordSource {
  static let maxBytes = 256 << 20

  private let features: [JSON]
  private let headings: [String]
  private var mapper: RowMapper
  private var position = 0

  init(path: String, mapping: Mapping) throws(IngestError) {
    let bytes = try ByteSources.readAll(ByteSources.open(path), name: path, most: Self.maxBytes)
    try self.init(bytes, mapping: mapping, name: path)
  }

  init(_ bytes: [UInt8], mapping: Mapping, name: String) throws(IngestError) {
    let document: JSON
    do { document = try JSONParser.parse(bytes) } catch { throw IngestError("\(name): \(error)") }
    guard document["type"]?.string == "FeatureCollection", let features = document["features"]?.array else {
      throw IngestError("\(name): a GeoJSON FeatureCollection is expected")
    }
    self.features = features
    var names: [String] = ["id"]
    var seen: Set<String> = ["id"]
    for feature in features {
      for name in feature["properties"]?.object?.keys ?? [] where seen.insert(name).inserted { names.append(name) }
    }
    // A column that the mapping names and no feature has is a column without values.
    for name in mapping.columns where seen.insert(name).inserted { names.append(name) }
    headings = names
    mapper = try RowMapper(mapping, headings: names, name: name)
  }

  var progress: Double { features.isEmpty ? 1 : Double(position) / Double(features.count) }

  mutating func next() throws(IngestError) -> Record? {
    guard position < features.count else { return nil }
    let feature = features[position]
    position += 1
    var bytes: [UInt8] = []
    var ends: [Int] = []
    for name in headings {
      let value = feature["properties"]?[name] ?? (name == "id" ? feature["id"] : nil)
      switch value {
      case nil, .null?: break
      case .string(let text)?: bytes += text.utf8
      case let other?: bytes += JSONWriter.bytes(other)
      }
      ends.append(bytes.count)
    }
    let outcome = mapper.map(FieldRow(bytes: bytes, ends: ends), geometry: feature["geometry"])
    return Record(row: position, original: .json(feature), outcome: outcome)
  }
}
