import NGSI
import Store

// Histories: every piece and every arrival is decoded, down to the instance.

extension StoreChecker {
  private static let progressStep = 256

  func checkHistories() throws(StoreError) {
    let total = try number("SELECT count(*) FROM evolution")
    let next = try number("SELECT next FROM counter WHERE id = 1")
    var types = 0
    try forEachRow("SELECT pk, tenant, id, head FROM evolution ORDER BY pk") { row throws(StoreError) in
      if report.counts.histories % Self.progressStep == 0 {
        progress(StoreProgress(stage: "histories", done: report.counts.histories, total: total))
      }
      report.counts.histories += 1
      let (key, tenant) = (row.integer(0), row.integer(1))
      let name = "The history of \(row.text(2))\(suffix(tenant: tenant))"
      check(tenant: tenant, of: name)
      do throws(StoreError) {
        let names = try row.withBytes(3) { bytes throws(StoreError) in
          var reader = ByteReader(bytes)
          return try reader.names { number throws(StoreError) in try self.iri(number, tenant: tenant) }
        }
        types += try checkTypes(names, key: key, tenant: tenant, name: name)
      } catch { report.add("The types of \(Self.lowered(name)) cannot be decoded.") }
      try checkArrivals(of: key, tenant: tenant, name: name, next: next)
      for series in try session.series(of: key) {
        guard let attribute = try? iri(series.attribute, tenant: tenant) else {
          report.add("\(name) has an attribute without name.")
          continue
        }
        try checkPieces(of: series.id, tenant: tenant, name: "\(name), attribute \(attribute),", next: next)
      }
    }
    try compare("evolution_type", types)
    for (what, table, column, owner) in [
      ("Pieces", "piece", "series", "series"), ("Arrivals", "arrival", "evolution", "evolution"),
      ("Series", "series", "evolution", "evolution"),
    ] {
      let key = owner == "series" ? "id" : "pk"
      let strays = try number("SELECT count(*) FROM \(table) WHERE \(column) NOT IN (SELECT \(key) FROM \(owner))")
      if strays > 0 { report.add("\(what) that belong to no history: \(strays).") }
    }
    progress(StoreProgress(stage: "histories", done: total, total: total))
  }

  private static func lowered(_ name: String) -> String { name.prefix(1).lowercased() + name.dropFirst() }

  /// Gives how many rows there are to be.
  private func checkTypes(_ types: [String], key: Int64, tenant: Int64, name: String) throws(StoreError) -> Int {
    var numbers: Set<Int64> = []
    for type in types {
      guard let number = try session.number(of: type, in: tenant), numbers.insert(number).inserted else { continue }
      let found = try self.number("SELECT count(*) FROM evolution_type WHERE type = \(number) AND pk = \(key)")
      if found != 1 { report.add("\(name) is not listed under its type \(type).") }
    }
    return numbers.count
  }

  private func checkArrivals(of evolution: Int64, tenant: Int64, name: String, next: Int) throws(StoreError) {
    var rows: [(number: Int64, body: [UInt8])] = []
    try forEachRow("SELECT number, body FROM arrival WHERE evolution = \(evolution) ORDER BY number") { row in
      rows.append((row.integer(0), row.bytes(1)))
    }
    for (number, body) in rows {
      do throws(StoreError) {
        let isFirst = try Self.decode(body) { reader, state, isFirst throws(StoreError) in
          let attribute = Int64(truncatingIfNeeded: try reader.unsigned())
          _ = try self.iri(attribute, tenant: tenant)
          let record = try reader.record(after: &state)
          try self.check(record, next: next)
          return !isFirst || record.key.number == number
        }
        if !isFirst { report.add("\(name): the arrival \(number) holds another number.") }
      } catch { report.add("\(name): the arrival \(number) cannot be decoded.") }
    }
  }

  private func checkPieces(of series: Int64, tenant: Int64, name: String, next: Int) throws(StoreError) {
    var rows: [(id: Int64, first: Int64, last: Int64)] = []
    try forEachRow("SELECT id, first, last FROM piece INDEXED BY piece_time WHERE series = \(series)") { row in
      rows.append((row.integer(0), row.integer(1), row.integer(2)))
    }
    if rows.isEmpty { report.add("\(name) has no pieces.") }
    for (id, first, last) in rows {
      do throws(StoreError) {
        let records = try session.records(ofPiece: id)
        for record in records { try check(record, next: next) }
        guard let earliest = records.first, let latest = records.last else { throw ByteReader.damaged }
        if earliest.key.time != first || latest.key.time != last {
          report.add("\(name) has a piece (\(id)) that holds other times than its row says.")
        }
        if !zip(records, records.dropFirst()).allSatisfy({ $0.key < $1.key }) {
          report.add("\(name) has a piece (\(id)) that is not in order.")
        }
      } catch { report.add("\(name) has a piece (\(id)) that cannot be decoded.") }
    }
  }

  private func check(_ record: InstanceRecord, next: Int) throws(StoreError) {
    _ = try session.instance(record, withId: true)
    guard record.key.number < next else { throw ByteReader.damaged }
    report.counts.instances += 1
  }

  /// Reads what stands in the bytes, one by one; whether the body said yes each time.
  private static func decode(
    _ bytes: [UInt8], _ body: (inout ByteReader, inout RecordState, Bool) throws(StoreError) -> Bool
  ) throws(StoreError) -> Bool {
    let result: Result<Bool, StoreError> = bytes.withUnsafeBytes { bytes in
      Result { () throws(StoreError) in
        var reader = ByteReader(bytes)
        var state = RecordState()
        var isFirst = true
        var isAgreed = true
        repeat {
          isAgreed = try body(&reader, &state, isFirst) && isAgreed
          isFirst = false
        } while !reader.isAtEnd
        return isAgreed
      }
    }
    return try result.get()
  }
}
