import Store

/// Moves histories from the table of version 2, a row for each instance, into pieces.
enum HistoryMigration {
  static func run(_ connection: Connection) throws(StoreError) {
    let rows = try Statement(
      """
      SELECT series, time, number, flags, created, modified, value, unit, dataset, body FROM instance
      ORDER BY series, time, number
      """, on: connection)
    defer { rows.finalize() }
    var series: Int64?
    var writer = PieceWriter()
    while try rows.step() {
      if let series, series != rows.integer(0) { try writer.finish(series, on: connection) }
      series = rows.integer(0)
      try writer.add(record(rows), to: rows.integer(0), on: connection)
    }
    if let series { try writer.finish(series, on: connection) }
    rows.reset()
    try connection.execute("DROP TABLE instance")
  }

  private static func record(_ row: Statement) throws(StoreError) -> InstanceRecord {
    let flags = InstanceFlags(rawValue: row.integer(3))
    let content: InstanceRecord.Content =
      if flags.contains(.body) {
        .body(row.bytes(9))
      } else if flags.contains(.double) {
        .double(row.double(6))
      } else if flags.contains(.integer) {
        .integer(row.integer(6))
      } else if flags.contains(.text) {
        .text(row.text(6))
      } else {
        throw ByteReader.damaged
      }
    var record = InstanceRecord(
      key: InstanceKey(time: row.integer(1), number: row.integer(2)), flags: flags, content: content)
    if flags.contains(.created) { record.created = row.integer(4) }
    if flags.contains(.modified) { record.modified = row.integer(5) }
    if flags.contains(.unit) { record.unit = row.integer(7) }
    if flags.contains(.dataset) { record.dataset = row.integer(8) }
    return record
  }
}
