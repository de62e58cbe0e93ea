import GRDBSQLite
import NGSI
import Query
import Store

/// Holds a store against its own rules, on one snapshot: every row is read once, and every row that follows from
/// another (index, summary, bounds of a piece) is worked out anew and compared.
final class StoreChecker {
  let session: ReadSession
  let progress: (StoreProgress) -> Void
  var report = StoreReport()
  /// Tenants and the tenant of each name, by number.
  private var tenants: [Int64: String] = [:]
  private var nameTenants: [Int64: Int64] = [:]

  var connection: Connection { session.connection }

  init(_ session: ReadSession, progress: @escaping (StoreProgress) -> Void) {
    self.session = session
    self.progress = progress
  }

  /// - Parameter also: checks of what the store's owner keeps in it; gives findings.
  func run(also: (any StoreReader) throws -> [String]) {
    checkFile()
    part("names") { try checkNames() }
    part("entities") { try checkEntities() }
    part("histories") { try checkHistories() }
    part("documents") { try checkLists() }
    part("contents") { for finding in try also(session) { report.add(finding) } }
  }

  /// A part that cannot be read to its end is a finding; the others are checked all the same.
  private func part(_ name: String, _ body: () throws -> Void) {
    do { try body() } catch StoreError.failed(let why) {
      report.add("The \(name) cannot be read to their end: \(why).")
    } catch {
      report.add("The \(name) cannot be read to their end: \(error).")
    }
  }

  // MARK: The file

  /// SQLite's own check of pages, indexes and constraints.
  private func checkFile() {
    part("pages") {
      let pages = Int(try connection.value("PRAGMA page_count")) ?? 0
      progress(StoreProgress(stage: "pages", done: 0, total: pages))
      try forEachRow("PRAGMA integrity_check(\(StoreReport.mostFindings))") { row in
        let line = row.text(0)
        if line != "ok" { report.add("SQLite: \(line.replacing("\n", with: "; ")).") }
      }
      progress(StoreProgress(stage: "pages", done: pages, total: pages))
    }
  }

  private func checkNames() throws(StoreError) {
    try forEachRow("SELECT id, name FROM tenant") { row in
      tenants[row.integer(0)] = row.text(1)
      report.counts.tenants += 1
    }
    if tenants[1] != "" { report.add("The default tenant is not the first.") }
    try forEachRow("SELECT id, tenant, iri FROM name") { row in
      nameTenants[row.integer(0)] = row.integer(1)
      if tenants[row.integer(1)] == nil {
        report.add("The name \(row.text(2)) belongs to tenant \(row.integer(1)), which is not there.")
      }
    }
  }

  private func checkLists() throws(StoreError) {
    try forEachRow("SELECT tenant, collection, id, body FROM document") { row throws(StoreError) in
      report.counts.documents += 1
      let name = "The document \(row.text(2)) of \(row.text(1))\(self.suffix(tenant: row.integer(0)))"
      check(tenant: row.integer(0), of: name)
      do throws(StoreError) {
        try row.withBytes(3) { bytes throws(StoreError) in
          var reader = ByteReader(bytes)
          _ = try reader.json()
          guard reader.isAtEnd else { throw ByteReader.damaged }
        }
      } catch { report.add("\(name) cannot be decoded.") }
    }
    try forEachRow("SELECT sequence, tenant FROM outbox") { row in
      report.counts.outboxItems += 1
      check(tenant: row.integer(1), of: "The outbox item \(row.integer(0))")
    }
  }

  // MARK: For all parts

  func forEachRow<Failure: Error>(
    _ sql: String, _ body: (Statement) throws(Failure) -> Void
  ) throws(StoreError) where Failure: Error {
    let rows = try Statement(sql, on: connection)
    defer { rows.finalize() }
    while try rows.step() {
      do { try body(rows) } catch let error as StoreError { throw error } catch { throw .failed("\(error)") }
    }
  }

  func number(_ sql: String) throws(StoreError) -> Int { Int(try connection.value(sql)) ?? 0 }

  func check(tenant: Int64, of name: String) {
    if tenants[tenant] == nil { report.add("\(name) belongs to tenant \(tenant), which is not there.") }
  }

  /// How a finding names a tenant; nothing for the default one.
  func suffix(tenant: Int64) -> String {
    guard let name = tenants[tenant], !name.isEmpty else { return "" }
    return " (tenant \(name))"
  }

  /// The name of a number that stands in a value of this tenant.
  func iri(_ number: Int64, tenant: Int64) throws(StoreError) -> String {
    guard nameTenants[number] == tenant else { throw ByteReader.damaged }
    return try session.iri(number)
  }

  /// Compares how many rows a table has with how many follow from what it belongs to.
  func compare(_ table: String, _ expected: Int) throws(StoreError) {
    let found = try number("SELECT count(*) FROM \(table)")
    if found > expected { report.add("\(table) has \(found - expected) rows that belong to nothing.") }
  }
}
