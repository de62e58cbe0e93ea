import NGSI
import Store

// Types and attributes, out of the summary that each write keeps right (clauses 5.7.5 to 5.7.10).

extension ReadSession {
  func entityCount(in tenant: Tenant) throws -> Int {
    guard let tenant = try number(of: tenant) else { return 0 }
    return try count(ofType: 0, tenant: tenant)
  }

  /// Entities of a type, or of all for type 0.
  func count(ofType type: Int64, tenant: Int64) throws(StoreError) -> Int {
    try flush()
    let statement = try connection.statement(.summaryCount).bind(1, tenant).bind(2, type)
    defer { statement.reset() }
    return try statement.step() ? Int(statement.integer(0)) : 0
  }

  func types(in tenant: Tenant) throws -> [TypeSummary] {
    let rows = try summaries(tenant)
    var types: [Int64: TypeSummary] = [:]
    for row in rows where row.type != 0 && row.attribute == 0 {
      types[row.type] = TypeSummary(type: try iri(row.type), entityCount: row.count, attributes: [])
    }
    var positions: [Pair: Int] = [:]
    for row in rows where row.type != 0 && row.attribute != 0 && row.kind == 0 {
      let name = try iri(row.type)
      positions[Pair(row.type, row.attribute)] = types[row.type]?.attributes.count
      types[row.type]?.attributes.append(
        AttributeSummary(attribute: try iri(row.attribute), kinds: [], entityCount: row.count, types: [name]))
    }
    for row in rows where row.type != 0 && row.kind != 0 {
      guard let position = positions[Pair(row.type, row.attribute)],
        let kind = AttributeKind(number: UInt8(truncatingIfNeeded: row.kind))
      else { continue }
      types[row.type]?.attributes[position].kinds.append(kind)
    }
    return types.values
      .map { type in
        var type = type
        type.attributes.sort { $0.attribute < $1.attribute }
        return type
      }
      .sorted { $0.type < $1.type }
  }

  func attributes(in tenant: Tenant) throws -> [AttributeSummary] {
    let rows = try summaries(tenant)
    var attributes: [Int64: AttributeSummary] = [:]
    for row in rows where row.type == 0 && row.attribute != 0 && row.kind == 0 {
      attributes[row.attribute] = AttributeSummary(
        attribute: try iri(row.attribute), kinds: [], entityCount: row.count, types: [])
    }
    for row in rows where row.attribute != 0 {
      if row.type == 0, row.kind != 0, let kind = AttributeKind(number: UInt8(truncatingIfNeeded: row.kind)) {
        attributes[row.attribute]?.kinds.append(kind)
      }
      if row.type != 0, row.kind == 0 { attributes[row.attribute]?.types.append(try iri(row.type)) }
    }
    return attributes.values
      .map { attribute in
        var attribute = attribute
        attribute.types.sort()
        return attribute
      }
      .sorted { $0.attribute < $1.attribute }
  }

  private struct Pair: Hashable {
    let type: Int64
    let attribute: Int64

    init(_ type: Int64, _ attribute: Int64) {
      self.type = type
      self.attribute = attribute
    }
  }

  private func summaries(_ tenant: Tenant) throws(StoreError) -> [SummaryRow] {
    guard let tenant = try number(of: tenant) else { return [] }
    try flush()
    let statement = try connection.statement(.summaries).bind(1, tenant)
    defer { statement.reset() }
    var rows: [SummaryRow] = []
    while try statement.step() {
      rows.append(
        SummaryRow(
          type: statement.integer(0), attribute: statement.integer(1), kind: statement.integer(2),
          count: Int(statement.integer(3))))
    }
    return rows
  }

  private struct SummaryRow {
    let type: Int64
    let attribute: Int64
    let kind: Int64
    let count: Int
  }
}
