import NGSI
import Store

// Documents and the outbox.

extension ReadSession {
  func document(_ id: String, collection: String, in tenant: Tenant) throws -> StoredDocument? {
    guard let tenant = try number(of: tenant) else { return nil }
    let statement = try connection.statement(.documentById).bind(1, tenant).bind(2, collection).bind(3, id)
    defer { statement.reset() }
    return try statement.step() ? StoredDocument(id: id, body: try json(statement, 0)) : nil
  }

  func documents(_ collection: String, in tenant: Tenant, page: Page) throws -> [StoredDocument] {
    guard let tenant = try number(of: tenant) else { return [] }
    let statement = try connection.statement(.documentsInOrder)
      .bind(1, tenant).bind(2, collection).bind(3, max(0, page.limit)).bind(4, max(0, page.offset))
    defer { statement.reset() }
    var documents: [StoredDocument] = []
    while try statement.step() {
      documents.append(StoredDocument(id: statement.text(0), body: try json(statement, 1)))
    }
    return documents
  }

  func documentCount(_ collection: String, in tenant: Tenant) throws -> Int {
    guard let tenant = try number(of: tenant) else { return 0 }
    let statement = try connection.statement(.documentCount).bind(1, tenant).bind(2, collection)
    defer { statement.reset() }
    return try statement.step() ? Int(statement.integer(0)) : 0
  }

  private func json(_ statement: Statement, _ column: Int32) throws(StoreError) -> JSON {
    try statement.withBytes(column) { bytes throws(StoreError) in
      var reader = ByteReader(bytes)
      return try reader.json()
    }
  }

  func outbox(after sequence: Int64, limit: Int) throws -> [OutboxItem] {
    try items(connection.statement(.outboxAfter).bind(1, sequence).bind(2, max(0, limit)))
  }

  func outbox(of subscriptionId: String, in tenant: Tenant, after sequence: Int64, limit: Int) throws -> [OutboxItem] {
    guard let tenant = try number(of: tenant) else { return [] }
    return try items(
      connection.statement(.outboxOf)
        .bind(1, sequence).bind(2, max(0, limit)).bind(3, tenant).bind(4, subscriptionId))
  }

  private func items(_ statement: Statement) throws -> [OutboxItem] {
    defer { statement.reset() }
    var items: [OutboxItem] = []
    while try statement.step() {
      items.append(
        OutboxItem(
          sequence: statement.integer(0), tenant: try tenant(statement.integer(1)), subscriptionId: statement.text(2),
          payload: statement.bytes(3), dueAt: DateTime(microseconds: statement.integer(4)),
          attempts: Int(statement.integer(5))))
    }
    return items
  }

  func outboxCount() throws -> Int {
    let statement = try connection.statement(.outboxCount)
    defer { statement.reset() }
    return try statement.step() ? Int(statement.integer(0)) : 0
  }

  func outboxCounts() throws -> [(tenant: Tenant, subscriptionId: String, count: Int)] {
    let statement = try connection.statement(.outboxCounts)
    defer { statement.reset() }
    var counts: [(tenant: Tenant, subscriptionId: String, count: Int)] = []
    while try statement.step() {
      counts.append((try tenant(statement.integer(0)), statement.text(1), Int(statement.integer(2))))
    }
    return counts
  }
}
