import NGSI

/// The objects of a JSON document under a mapping: those of the array that `rows` leads to, or the one that stands there.
/// Columns are ways to values (``ColumnPath``).
struct JSONRecords: RecordSource {
  static let maxBytes = 256 << 20

  private let items: [JSON]
  private var row: JSONRow
  private var position = 0

  init(_ bytes: [UInt8], mapping: Mapping, name: String) throws(IngestError) {
    let document: JSON
    do { document = try JSONParser.parse(bytes) } catch { throw IngestError("\(name): \(error)") }
    try self.init(document, mapping: mapping, name: name)
  }

  init(_ document: JSON, mapping: Mapping, name: String) throws(IngestError) {
    guard let found = mapping.rows.map({ $0.value(in: document) }) ?? document else {
      throw IngestError("\(name): there is nothing at '\(mapping.rows?.text ?? "")', where the rows are to stand")
    }
    guard found.array != nil || found.object != nil else {
      throw IngestError("\(name): rows are an array of objects, or one object")
    }
    items = found.items
    row = try JSONRow(mapping, name: name)
  }

  var progress: Double { items.isEmpty ? 1 : Double(position) / Double(items.count) }

  mutating func next() throws(IngestError) -> Record? {
    guard position < items.count else { return nil }
    position += 1
    return row.record(items[position - 1], number: position)
  }
}

/// One JSON object a line under a mapping.
struct JSONLineRecords: RecordSource {
  private var lines: LineReader
  private var row: JSONRow
  private var number = 0

  init(_ source: any ByteSource, mapping: Mapping, name: String) throws(IngestError) {
    lines = LineReader(source, name: name, most: EntityRecords.maxLineBytes)
    row = try JSONRow(mapping, name: name)
  }

  var progress: Double { lines.progress }

  mutating func next() throws(IngestError) -> Record? {
    while let line = try lines.next() {
      number += 1
      if line.allSatisfy({ $0 <= 0x20 }) { continue }
      do { return row.record(try JSONParser.parse(line), number: number) } catch {
        let text = JSON.string(String(decoding: line.prefix(2000), as: UTF8.self))
        return Record(row: number, original: .json(text), outcome: .refused("\(error)"))
      }
    }
    return nil
  }
}

/// Makes rows of JSON objects by a mapping.
struct JSONRow {
  private let columns: [ColumnPath]
  private var mapper: RowMapper

  init(_ mapping: Mapping, name: String) throws(IngestError) {
    var seen: Set<String> = []
    let names = mapping.columns.filter { seen.insert($0).inserted }
    columns = names.map(ColumnPath.init)
    mapper = try RowMapper(mapping, headings: names, name: name)
  }

  /// - Parameter given: values by column that stand beside the object, such as levels of a topic.
  mutating func record(_ item: JSON, number: Int, given: [String: String] = [:]) -> Record {
    guard item.object != nil else {
      return Record(row: number, original: .json(item), outcome: .refused("a row is a JSON object"))
    }
    var bytes: [UInt8] = []
    var ends: [Int] = []
    for column in columns {
      if let text = given[column.text] {
        bytes += text.utf8
      } else {
        switch column.value(in: item) {
        case nil, .null?: break
        case .string(let text)?: bytes += text.utf8
        case let other?: bytes += JSONWriter.bytes(other)
        }
      }
      ends.append(bytes.count)
    }
    return Record(row: number, original: .json(item), outcome: mapper.map(FieldRow(bytes: bytes, ends: ends)))
  }
}
