import GRDB
import StoreSQLite
import Testing

/// The store's own check, SQLite's, and that every index row belongs to an entity, on a closed store.
func checkIntegrity(_ path: String) throws {
  let findings = try SQLiteStore.check(path: path).findings
  #expect(findings == [])
  let database = try DatabaseQueue(path: path)
  try database.read { database in
    #expect(try String.fetchAll(database, sql: "PRAGMA integrity_check") == ["ok"])
    for table in ["entity_type", "entity_scope", "attribute_value"] {
      let strays = try Int.fetchOne(
        database, sql: "SELECT count(*) FROM \(table) WHERE pk NOT IN (SELECT pk FROM entity)")
      #expect(strays == 0, "rows of \(table) without entity")
    }
    let geometries = try Int.fetchOne(
      database, sql: "SELECT count(*) FROM geometry WHERE id >> 20 NOT IN (SELECT pk FROM entity)")
    #expect(geometries == 0, "geometries without entity")
    let pieces = try Int.fetchOne(
      database, sql: "SELECT count(*) FROM piece WHERE series NOT IN (SELECT id FROM series)")
    #expect(pieces == 0, "pieces without series")
    let arrivals = try Int.fetchOne(
      database, sql: "SELECT count(*) FROM arrival WHERE evolution NOT IN (SELECT pk FROM evolution)")
    #expect(arrivals == 0, "arrivals without evolution")
    let series = try Int.fetchOne(
      database, sql: "SELECT count(*) FROM series WHERE evolution NOT IN (SELECT pk FROM evolution)")
    #expect(series == 0, "series without evolution")
    let counts = try Int.fetchOne(database, sql: "SELECT count(*) FROM summary WHERE count <= 0")
    #expect(counts == 0, "empty counts")
  }
  try database.close()
}
