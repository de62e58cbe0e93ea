import NGSI

/// The entities of an NGSI-LD file: one object, an array, or one object a line (`.jsonl`, `.ndjson`).
struct EntityRecords: RecordSource {
  static let maxBytes = 256 << 20
  static let maxLineBytes = 32 << 20

  private enum Form {
    case whole([JSON])
    case lines(LineReader)
  }

  private var form: Form
  private var row = 0

  init(path: String) throws(IngestError) {
    if Sources.hasLines(path) {
      form = .lines(LineReader(try ByteSources.open(path), name: path, most: Self.maxLineBytes))
      return
    }
    let bytes = try ByteSources.readAll(ByteSources.open(path), name: path, most: Self.maxBytes)
    do { form = .whole(try JSONParser.parse(bytes).items) } catch { throw IngestError("\(path): \(error)") }
  }

  var progress: Double {
    switch form {
    case .whole(let items): items.isEmpty ? 1 : Double(row) / Double(items.count)
    case .lines(let reader): reader.progress
    }
  }

  mutating func next() throws(IngestError) -> Record? {
    switch form {
    case .whole(let items):
      guard row < items.count else { return nil }
      row += 1
      return Self.record(items[row - 1], row: row)
    case .lines(var reader):
      defer { form = .lines(reader) }
      repeat {
        guard let line = try reader.next() else { return nil }
        row += 1
        if line.allSatisfy({ $0 <= 0x20 }) { continue }
        do { return Self.record(try JSONParser.parse(line), row: row) } catch {
          let text = JSON.string(String(decoding: line.prefix(2000), as: UTF8.self))
          return Record(row: row, original: .json(text), outcome: .refused("\(error)"))
        }
      } while true
    }
  }

  private static func record(_ json: JSON, row: Int) -> Record {
    guard let object = json.object, let id = (object["id"] ?? object["@id"])?.string,
      object["type"] ?? object["@type"] != nil
    else { return Record(row: row, original: .json(json), outcome: .refused("no entity: 'id' and 'type' are needed")) }
    let names = object.keys.filter { !["id", "@id", "type", "@type", "@context", "scope", "expiresAt"].contains($0) }
    let entity = MappedEntity(
      id: id, json: JSONWriter.bytes(json), observedAt: nil, valueCount: names.count,
      hasContext: object.contains("@context"))
    return Record(row: row, original: .json(json), outcome: .entity(entity))
  }
}

/// Lines of bytes, up to a length.
struct LineReader {
  private let source: any ByteSource
  private let name: String
  private let most: Int
  private var chunk: [UInt8] = []
  private var position = 0

  init(_ source: any ByteSource, name: String, most: Int) {
    self.source = source
    self.name = name
    self.most = most
  }

  var progress: Double { source.progress }

  mutating func next() throws(IngestError) -> [UInt8]? {
    var line: [UInt8] = []
    while true {
      if position == chunk.count {
        guard let more = try source.next() else { return line.isEmpty ? nil : line }
        chunk = more
        position = 0
      }
      let rest = chunk[position...]
      let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
      line += chunk[position..<end]
      guard line.count <= most else { throw IngestError("\(name): a line is longer than \(most) bytes") }
      position = end
      if end < chunk.count {
        position += 1
        return line
      }
    }
  }
}
