import NGSI

/// One row of a file: an entity to send, or the reason why not.
struct Record: Sendable {
  enum Outcome: Sendable {
    case entity(MappedEntity)
    case refused(String)
  }

  /// A row as it came, for the list of refused rows.
  enum Original: Sendable {
    case fields(FieldRow)
    case json(JSON)

    var json: JSON {
      switch self {
      case .json(let value): value
      case .fields(let row):
        .array((0..<row.count).map { .string(String(decoding: row.field($0), as: UTF8.self)) })
      }
    }
  }

  /// Row in its file, from 1, headings not counted.
  var row: Int
  /// Which file, where there are several.
  var file: Int = 0
  var original: Original
  var outcome: Outcome
}

/// An entity as JSON text, ready to be sent.
struct MappedEntity: Sendable {
  var id: String
  /// A whole JSON object.
  var json: [UInt8]
  var observedAt: DateTime?
  var valueCount: Int
  /// Whether the object has an `@context` of its own.
  var hasContext: Bool = false
}

/// Records in the order of their file.
protocol RecordSource {
  mutating func next() throws(IngestError) -> Record?
  /// Share of the file that has been read, 0 to 1.
  var progress: Double { get }
}
