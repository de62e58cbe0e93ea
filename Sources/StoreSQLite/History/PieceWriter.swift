import Store

/// Writes records of one series, in order of time, as pieces.
struct PieceWriter {
  /// A piece of more bytes takes no further record: with its row it just fits a page of SQLite.
  static let fullBytes = 3_600

  private var bytes = ByteWriter()
  private var state = RecordState()
  private var first: Int64 = 0
  private var last: Int64 = 0
  /// The piece that is written on; `nil` where it will be a new one.
  private var id: Int64?

  init() {}

  /// Goes on where a piece ends, unless it is full.
  mutating func open(_ piece: Int64, _ body: UnsafeRawBufferPointer) throws(StoreError) {
    guard body.count < Self.fullBytes else { return }
    var reader = ByteReader(body)
    while !reader.isAtEnd { last = try reader.record(after: &state).key.time }
    bytes.bytes.append(contentsOf: body)
    id = piece
  }

  mutating func add(_ record: InstanceRecord, to series: Int64, on connection: Connection) throws(StoreError) {
    if bytes.bytes.count >= Self.fullBytes { try finish(series, on: connection) }
    if bytes.bytes.isEmpty {
      first = record.key.time
      last = first
    }
    bytes.record(record, after: &state)
    last = max(last, record.key.time)
  }

  /// Stores what was added; what follows makes a new piece.
  mutating func finish(_ series: Int64, on connection: Connection) throws(StoreError) {
    guard !bytes.bytes.isEmpty else { return }
    if let id {
      try connection.statement(.extendPiece).bind(1, id).bind(2, last).bind(3, bytes.bytes).run()
    } else {
      try connection.statement(.insertPiece).bind(1, series).bind(2, first).bind(3, last).bind(4, bytes.bytes).run()
    }
    id = nil
    bytes.bytes.removeAll(keepingCapacity: true)
    state = RecordState()
  }
}
