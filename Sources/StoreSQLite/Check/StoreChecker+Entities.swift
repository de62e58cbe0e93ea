import NGSI
import Query
import Store

// Entities, and the index rows that follow from them.

extension StoreChecker {
  private static let progressStep = 4096

  func checkEntities() throws(StoreError) {
    let total = try number("SELECT count(*) FROM entity")
    let index = IndexCheck(self)
    defer { index.finalize() }
    try index.prepare()
    try forEachRow("SELECT pk, tenant, id, expires, document FROM entity ORDER BY pk") { row throws(StoreError) in
      if report.counts.entities % Self.progressStep == 0 {
        progress(StoreProgress(stage: "entities", done: report.counts.entities, total: total))
      }
      report.counts.entities += 1
      let (key, tenant, id) = (row.integer(0), row.integer(1), row.text(2))
      let name = "The entity \(id)\(suffix(tenant: tenant))"
      check(tenant: tenant, of: name)
      guard let entity = decodeEntity(row, tenant: tenant) else {
        return report.add("\(name) cannot be decoded.")
      }
      if !entity.id.hasSameBytes(as: id) { report.add("\(name) is stored with the document of \(entity.id).") }
      if entity.expiresAt?.microseconds != row.optionalInteger(3) {
        report.add("\(name) and its row differ in when it expires.")
      }
      try index.check(entity, key: key, tenant: tenant, name: name)
    }
    try index.compareCounts()
    progress(StoreProgress(stage: "entities", done: total, total: total))
  }

  private func decodeEntity(_ row: Statement, tenant: Int64) -> Entity? {
    try? row.withBytes(4) { bytes throws(StoreError) in
      var reader = ByteReader(bytes)
      let entity = try reader.entity { number throws(StoreError) in try self.iri(number, tenant: tenant) }
      guard reader.isAtEnd else { throw ByteReader.damaged }
      return entity
    }
  }
}

/// Index rows as they follow from the entities: each is looked for, and all are counted, so that one too many shows.
private final class IndexCheck {
  private unowned let checker: StoreChecker
  private var statements: [Statement] = []
  private var types = 0
  private var scopes = 0
  private var values = 0
  private var geometries = 0
  private var summary: [SummaryKey: Int] = [:]

  init(_ checker: StoreChecker) { self.checker = checker }

  func prepare() throws(StoreError) {
    for sql in [
      "SELECT 1 FROM entity_type WHERE type = ?1 AND pk = ?2",
      "SELECT 1 FROM entity_scope WHERE tenant = ?1 AND scope = ?2 AND pk = ?3",
      "SELECT 1 FROM attribute_value WHERE attribute = ?1 AND value = ?2 AND pk = ?3",
      "SELECT attribute, west, east, south, north FROM geometry WHERE id = ?1",
    ] { statements.append(try Statement(sql, on: checker.connection)) }
  }

  func finalize() { for statement in statements { statement.finalize() } }

  private func isThere(_ statement: Statement) throws(StoreError) -> Bool {
    defer { statement.reset() }
    return try statement.step()
  }

  func check(_ entity: Entity, key: Int64, tenant: Int64, name: String) throws(StoreError) {
    var numbers: Set<Int64> = []
    for type in entity.types {
      guard let number = try checker.session.number(of: type, in: tenant), numbers.insert(number).inserted else {
        continue
      }
      if try !isThere(statements[0].bind(1, number).bind(2, key)) {
        checker.report.add("\(name) is not listed under its type \(type).")
      }
    }
    types += numbers.count
    let scopes = Set(entity.scopes.map(ExactText.init))
    for scope in scopes
    where try !isThere(statements[1].bind(1, tenant).bind(2, scope.text).bind(3, key)) {
      checker.report.add("\(name) is not listed under its scope \(scope.text).")
    }
    self.scopes += scopes.count
    for set in entity.attributes { try checkValues(of: set, key: key, tenant: tenant, name: name) }
    try checkGeometries(of: entity, key: key, tenant: tenant, name: name)
    try summarise(entity, types: numbers, tenant: tenant)
  }

  private func checkValues(of set: AttributeSet, key: Int64, tenant: Int64, name: String) throws(StoreError) {
    guard let attribute = try checker.session.number(of: set.name, in: tenant) else { return }
    for value in IndexValue.values(of: set) {
      values += 1
      let statement = statements[2].bind(1, attribute).bind(3, key)
      statement.bind(2, value)
      if try !isThere(statement) {
        checker.report.add("\(name) is not listed under a value of its attribute \(set.name).")
      }
    }
  }

  private func checkGeometries(of entity: Entity, key: Int64, tenant: Int64, name: String) throws(StoreError) {
    let located = entity.geometries
    geometries += located.count
    for (position, geometry) in located.enumerated() {
      let row = statements[3].bind(1, key << StoredValue.geometryBits + Int64(position))
      defer { row.reset() }
      // The tree holds single precision, rounded outwards.
      let box = geometry.box
      let attribute = try checker.session.number(of: geometry.attribute, in: tenant)
      guard try row.step(), row.integer(0) == attribute, row.double(1) <= box.west, row.double(2) >= box.east,
        row.double(3) <= box.south, row.double(4) >= box.north
      else {
        checker.report.add("\(name) is not listed where its attribute \(geometry.attribute) lies.")
        continue
      }
    }
  }

  private func summarise(_ entity: Entity, types: Set<Int64>, tenant: Int64) throws(StoreError) {
    let all = types.union([0])
    for type in all { summary[SummaryKey(tenant: tenant, type: type), default: 0] += 1 }
    for set in entity.attributes {
      guard let attribute = try checker.session.number(of: set.name, in: tenant) else { continue }
      let kinds = Set(set.instances.map { Int64($0.kind.number) })
      for type in all {
        summary[SummaryKey(tenant: tenant, type: type, attribute: attribute), default: 0] += 1
        for kind in kinds {
          summary[SummaryKey(tenant: tenant, type: type, attribute: attribute, kind: kind), default: 0] += 1
        }
      }
    }
  }

  /// Rows that belong to no entity.
  func compareCounts() throws(StoreError) {
    try checker.compare("entity_type", types)
    try checker.compare("entity_scope", scopes)
    try checker.compare("attribute_value", values)
    try checker.compare("geometry", geometries)
    var differing = 0
    try checker.forEachRow("SELECT tenant, type, attribute, kind, count FROM summary") { row in
      let key = SummaryKey(
        tenant: row.integer(0), type: row.integer(1), attribute: row.integer(2), kind: row.integer(3))
      if summary.removeValue(forKey: key) ?? 0 != Int(row.integer(4)) { differing += 1 }
    }
    differing += summary.count
    if differing > 0 { checker.report.add("\(differing) counts of types and attributes differ from the entities.") }
  }
}
