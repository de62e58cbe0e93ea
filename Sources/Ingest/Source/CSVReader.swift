/// Reads CSV (RFC 4180) row by row from bytes that come in chunks; quoted fields may hold line breaks.
///
/// SwiftCSV reads whole files into memory and decodes every field as a `String`; the recorded series have millions of
/// fields. Fields are left as bytes here.
struct CSVReader {
  static let maxRowBytes = 1 << 20
  static let maxFields = 4096

  enum Row {
    case fields
    /// The row's form is broken, and how.
    case malformed(String)
  }

  private let source: any ByteSource
  private let name: String
  private let delimiter: UInt8
  private var chunk: [UInt8] = []
  private var position = 0
  /// Unquoted bytes of the row's fields, one after the other.
  private(set) var bytes: [UInt8] = []
  /// Where each field ends in ``bytes``.
  private(set) var ends: [Int] = []
  /// Rows read, blank lines not counted.
  private(set) var rowCount = 0

  init(_ source: any ByteSource, name: String, delimiter: UInt8 = UInt8(ascii: ",")) throws(IngestError) {
    self.source = source
    self.name = name
    self.delimiter = delimiter
    _ = try fill()
    if chunk.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
  }

  var progress: Double { source.progress }
  var count: Int { ends.count }

  func range(_ field: Int) -> Range<Int> { (field == 0 ? 0 : ends[field - 1])..<ends[field] }

  func text(_ field: Int) -> String { String(decoding: bytes[range(field)], as: UTF8.self) }

  private mutating func fill() throws(IngestError) -> Bool {
    guard let next = try source.next() else { return false }
    chunk = next
    position = 0
    return true
  }

  /// Reads the next row into ``bytes`` and ``ends``; `nil` at the end. Blank lines are passed over.
  mutating func next() throws(IngestError) -> Row? {
    bytes.removeAll(keepingCapacity: true)
    ends.removeAll(keepingCapacity: true)
    var flaw: String?
    var isQuoted = false
    var quoteJustEnded = false
    var fieldStart = 0
    while true {
      if position == chunk.count, try !fill() {
        guard !isQuoted else { throw IngestError("\(name): row \(rowCount + 1) opens a quote that never closes") }
        guard !bytes.isEmpty || !ends.isEmpty else { return nil }
        return finish(flaw)
      }
      let byte = chunk[position]
      position += 1
      if isQuoted {
        if byte == UInt8(ascii: "\"") {
          isQuoted = false
          quoteJustEnded = true
        } else {
          bytes.append(byte)
          try bound()
        }
        continue
      }
      switch byte {
      case delimiter:
        ends.append(bytes.count)
        fieldStart = bytes.count
        quoteJustEnded = false
        guard ends.count < Self.maxFields else {
          throw IngestError("\(name): row \(rowCount + 1) has more than \(Self.maxFields) fields")
        }
      case UInt8(ascii: "\""):
        if quoteJustEnded {
          bytes.append(byte)
          isQuoted = true
        } else if bytes.count == fieldStart {
          isQuoted = true
        } else {
          flaw = "a quote inside a field that is not quoted"
          bytes.append(byte)
        }
        quoteJustEnded = false
      case UInt8(ascii: "\n"):
        if bytes.isEmpty, ends.isEmpty, !quoteJustEnded { continue }
        return finish(flaw)
      case UInt8(ascii: "\r"): continue
      default:
        if quoteJustEnded { flaw = "text after a closing quote" }
        bytes.append(byte)
        try bound()
      }
    }
  }

  private func bound() throws(IngestError) {
    guard bytes.count <= Self.maxRowBytes else {
      throw IngestError("\(name): row \(rowCount + 1) is longer than \(Self.maxRowBytes) bytes; is a quote left open?")
    }
  }

  private mutating func finish(_ flaw: String?) -> Row {
    ends.append(bytes.count)
    rowCount += 1
    return flaw.map(Row.malformed) ?? .fields
  }
}
