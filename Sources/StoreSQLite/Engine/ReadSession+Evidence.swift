import NGSI
import Store

// The evidence log. Positions and indexes fit in SQLite's integers: a log ends at 2^63 entries.

extension ReadSession {
  func evidenceCount() throws -> UInt64 {
    let statement = try connection.statement(.evidenceEnd)
    defer { statement.reset() }
    return try statement.step() ? UInt64(clamping: statement.integer(0)) : 0
  }

  func evidence(_ positions: Range<UInt64>) throws -> [EvidenceRecord] {
    let statement = try connection.statement(.evidence)
      .bind(1, Int64(clamping: positions.lowerBound)).bind(2, Int64(clamping: positions.upperBound))
    defer { statement.reset() }
    var records: [EvidenceRecord] = []
    while try statement.step() {
      records.append(
        EvidenceRecord(
          entry: statement.bytes(0), time: DateTime(microseconds: statement.integer(1)),
          subject: statement.isNull(2) ? nil : statement.bytes(2),
          register: statement.isNull(3) ? nil : statement.bytes(3)))
    }
    return records
  }

  func evidence(of subject: [UInt8], after position: UInt64?, limit: Int) throws -> [UInt64] {
    let statement = try connection.statement(.evidenceOfSubject)
      .bind(1, subject).bind(2, position.map { Int64(clamping: $0) } ?? -1).bind(3, max(0, limit))
    defer { statement.reset() }
    var positions: [UInt64] = []
    while try statement.step() { positions.append(UInt64(clamping: statement.integer(0))) }
    return positions
  }

  func evidenceTile(level: Int, index: UInt64) throws -> [UInt8]? {
    guard let place = Self.place(level: level, index: index) else { return nil }
    let statement = try connection.statement(.evidenceTile).bind(1, place)
    defer { statement.reset() }
    return try statement.step() ? statement.bytes(0) : nil
  }

  /// - Returns: `nil` for a tile that no log can have.
  static func place(level: Int, index: UInt64) -> Int64? {
    guard (0..<8).contains(level), index < 1 << 48 else { return nil }
    return Int64(level) << 48 + Int64(index)
  }
}

extension WriteSession {
  func appendEvidence(_ records: [EvidenceRecord]) throws -> UInt64 {
    try willChange()
    let last = try connection.statement(.evidenceEnd)
    defer { last.reset() }
    let isFirst = try !last.step()
    let first = isFirst ? 0 : last.integer(0)
    var time = isFirst ? .min : last.integer(1)
    let statement = try connection.statement(.appendEvidence)
    for (offset, record) in records.enumerated() {
      time = max(time, record.time.microseconds)
      statement.bind(1, first + Int64(offset)).bind(2, time).bind(3, record.entry)
      if let subject = record.subject { statement.bind(4, subject) } else { statement.bindNull(4) }
      if let register = record.register { statement.bind(5, register) } else { statement.bindNull(5) }
      try statement.run()
    }
    return UInt64(clamping: first)
  }

  func putEvidenceTile(_ hashes: [UInt8], level: Int, index: UInt64) throws {
    guard let place = Self.place(level: level, index: index) else {
      throw StoreError.failed("no log has a tile \(index) of level \(level)")
    }
    try willChange()
    try connection.statement(.putEvidenceTile).bind(1, place).bind(2, hashes).run()
  }
}
