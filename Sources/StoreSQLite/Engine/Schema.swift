import GRDB
import Store

/// The tables, version by version. `user_version` tells how far a file is.
enum Schema {
  /// What leads from one version to the next: statements, then work on the rows.
  private typealias Step = (sql: String, work: ((Connection) throws(StoreError) -> Void)?)

  private static var steps: [Step] {
    [(version1, nil), (version2, nil), (version3, HistoryMigration.run), (version4, nil)]
  }

  static var version: Int { steps.count }

  /// Brings a file to the newest version, all or nothing.
  static func migrate(_ database: Database) throws {
    let found = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
    guard found < version else { return }
    try database.inTransaction(.immediate) {
      for step in steps[found...] {
        try database.execute(sql: step.sql)
        guard let work = step.work, let handle = database.sqliteConnection else { continue }
        let connection = Connection(handle: handle)
        defer { connection.finalizeStatements() }
        try work(connection)
      }
      try database.execute(sql: "PRAGMA user_version = \(version)")
      return .commit
    }
  }

  /// Looks at a file before anything in it is changed.
  /// - Throws: when it is another program's, or newer than this one.
  static func requireKnown(_ database: Database) throws {
    let found = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
    try refuse(version: found, tables: try Set(String.fetchAll(database, sql: tableNames)))
  }

  /// The version of a file that holds a store.
  /// - Throws: when it holds none that this program can read.
  static func version(of connection: Connection, at path: String) throws(StoreError) -> Int {
    let found: Int
    var tables: Set<String> = []
    do throws(StoreError) {
      found = Int(try connection.value("PRAGMA user_version")) ?? 0
      let rows = try Statement(tableNames, on: connection)
      defer { rows.finalize() }
      while try rows.step() { tables.insert(rows.text(0)) }
    } catch { throw .failed("\(path) cannot be read: \(error.reason)") }
    guard found > 0 || !tables.isEmpty else { throw .failed("\(path) holds no store: it is an empty database") }
    try refuse(version: found, tables: tables)
    return found
  }

  private static let tableNames = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
  /// Tables of every version.
  private static let ownTables: Set = [
    "tenant", "name", "counter", "entity", "evolution", "series", "document", "outbox",
  ]

  /// Another program's tables must not be taken for ours, nor ours be made among them.
  private static func refuse(version found: Int, tables: Set<String>) throws(StoreError) {
    guard found == 0 ? tables.isEmpty : found > 0 && ownTables.isSubset(of: tables) else {
      throw .failed("the file belongs to another program")
    }
    guard found <= version else {
      throw .failed("the store has version \(found); this program knows versions up to \(version)")
    }
  }

  /// Names belong to a tenant, so every table that has a type or attribute number is divided by tenant for free.
  private static let version1 = """
    CREATE TABLE tenant(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    INSERT INTO tenant(id, name) VALUES (1, '');
    CREATE TABLE name(id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, iri TEXT NOT NULL, UNIQUE(tenant, iri));
    CREATE TABLE counter(id INTEGER PRIMARY KEY, next INTEGER NOT NULL);
    INSERT INTO counter(id, next) VALUES (1, 1);

    CREATE TABLE entity(
      pk INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, id TEXT NOT NULL, expires INTEGER,
      document BLOB NOT NULL, UNIQUE(tenant, id));
    CREATE INDEX entity_tenant ON entity(tenant);
    CREATE INDEX entity_expires ON entity(expires) WHERE expires IS NOT NULL;
    CREATE TABLE entity_type(type INTEGER NOT NULL, pk INTEGER NOT NULL, PRIMARY KEY(type, pk)) WITHOUT ROWID;
    CREATE TABLE entity_scope(
      tenant INTEGER NOT NULL, scope TEXT NOT NULL, pk INTEGER NOT NULL, PRIMARY KEY(tenant, scope, pk)) WITHOUT ROWID;
    -- value: a REAL; a TEXT; a time as BLOB of 8 bytes in order; x'' the attribute is there without any;
    -- x'00' it has more than are listed.
    CREATE TABLE attribute_value(
      attribute INTEGER NOT NULL, value NOT NULL, pk INTEGER NOT NULL, PRIMARY KEY(attribute, value, pk)) WITHOUT ROWID;
    -- id: pk * 2^20 + position among the geometries of the entity.
    CREATE VIRTUAL TABLE geometry USING rtree(id, west, east, south, north, +attribute INTEGER);
    -- Number of entities; type, attribute or kind 0 stands for all.
    CREATE TABLE summary(
      tenant INTEGER NOT NULL, type INTEGER NOT NULL, attribute INTEGER NOT NULL, kind INTEGER NOT NULL,
      count INTEGER NOT NULL, PRIMARY KEY(tenant, type, attribute, kind)) WITHOUT ROWID;

    CREATE TABLE evolution(
      pk INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, id TEXT NOT NULL, head BLOB NOT NULL,
      UNIQUE(tenant, id));
    CREATE INDEX evolution_tenant ON evolution(tenant);
    CREATE TABLE evolution_type(type INTEGER NOT NULL, pk INTEGER NOT NULL, PRIMARY KEY(type, pk)) WITHOUT ROWID;
    CREATE TABLE series(
      id INTEGER PRIMARY KEY, evolution INTEGER NOT NULL, attribute INTEGER NOT NULL,
      UNIQUE(evolution, attribute));
    -- Clustered by time. A plain number or text stands in its column; anything else is a body.
    CREATE TABLE instance(
      series INTEGER NOT NULL, time INTEGER NOT NULL, number INTEGER NOT NULL, flags INTEGER NOT NULL,
      created INTEGER, modified INTEGER, value, unit INTEGER, dataset INTEGER, body BLOB,
      PRIMARY KEY(series, time, number)) WITHOUT ROWID;

    CREATE TABLE document(
      pk INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, collection TEXT NOT NULL, id TEXT NOT NULL,
      body BLOB NOT NULL, UNIQUE(tenant, collection, id));
    CREATE INDEX document_order ON document(tenant, collection);
    CREATE TABLE outbox(
      sequence INTEGER PRIMARY KEY AUTOINCREMENT, tenant INTEGER NOT NULL, subscription TEXT NOT NULL,
      payload BLOB NOT NULL, due INTEGER NOT NULL, attempts INTEGER NOT NULL);
    CREATE INDEX outbox_subscription ON outbox(tenant, subscription);
    """

  /// Attributes with more than one number or text are marked with x'0000', so that several ranges of one attribute can be
  /// looked up as one.
  private static let version2 = """
    INSERT INTO attribute_value(attribute, value, pk)
    SELECT attribute, x'0000', pk FROM attribute_value WHERE typeof(value) IN ('real', 'integer', 'text')
    GROUP BY attribute, pk HAVING count(*) > 1;
    """

  /// Histories in pieces instead of a row for each instance; ``HistoryMigration`` moves them.
  private static let version3 = """
    -- What a change added to a history, in order of arrival, until it is sealed into pieces: an attribute and its
    -- record, one after the other.
    CREATE TABLE arrival(
      evolution INTEGER NOT NULL, number INTEGER NOT NULL, body BLOB NOT NULL,
      PRIMARY KEY(evolution, number)) WITHOUT ROWID;
    -- Records of one series, by time. Pieces of a series may overlap where instances did not come in order.
    CREATE TABLE piece(
      id INTEGER PRIMARY KEY, series INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
      body BLOB NOT NULL);
    CREATE INDEX piece_time ON piece(series, last, first);
    """

  /// The evidence log.
  private static let version4 = """
    CREATE TABLE evidence(
      position INTEGER PRIMARY KEY, time INTEGER NOT NULL, entry BLOB NOT NULL, subject BLOB, register BLOB);
    CREATE INDEX evidence_subject ON evidence(subject) WHERE subject IS NOT NULL;
    -- place: level * 2^48 + index. Full tiles only; they follow from the entries.
    CREATE TABLE evidence_tile(place INTEGER PRIMARY KEY, hashes BLOB NOT NULL);
    """
}
