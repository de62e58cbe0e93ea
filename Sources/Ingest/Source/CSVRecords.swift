import City
import NGSI

/// The rows of a CSV file under a mapping.
struct CSVRecords: RecordSource {
  private var reader: CSVReader
  private var mapper: RowMapper
  private let headings: [String]

  init(path: String, mapping: Mapping) throws(IngestError) {
    try self.init(ByteSources.open(path), mapping: mapping, name: path)
  }

  init(_ source: any ByteSource, mapping: Mapping, name: String) throws(IngestError) {
    reader = try CSVReader(source, name: name, delimiter: mapping.delimiter)
    guard case .fields? = try reader.next() else { throw IngestError("\(name): no heading in the first row") }
    let found = reader
    headings = (0..<found.count).map { found.text($0) }
    mapper = try RowMapper(mapping, headings: headings, name: name)
  }

  var progress: Double { reader.progress }

  mutating func next() throws(IngestError) -> Record? {
    guard let form = try reader.next() else { return nil }
    let fields = FieldRow(bytes: reader.bytes, ends: reader.ends)
    // The heading was the first.
    let row = reader.rowCount - 1
    let outcome: Record.Outcome =
      switch form {
      case .fields: mapper.map(fields)
      case .malformed(let flaw): .refused(flaw)
      }
    return Record(row: row, original: .fields(fields), outcome: outcome)
  }
}
