import NGSI
import Store

// Documents and the outbox.

extension WriteSession {
  func put(_ document: StoredDocument, collection: String, in tenant: Tenant) throws {
    try willChange()
    buffer.bytes.removeAll(keepingCapacity: true)
    buffer.json(document.body)
    try connection.statement(.putDocument)
      .bind(1, try makeNumber(of: tenant)).bind(2, collection).bind(3, document.id).bind(4, buffer.bytes).run()
  }

  func deleteDocument(_ id: String, collection: String, in tenant: Tenant) throws -> Bool {
    guard let tenant = try number(of: tenant) else { return false }
    try willChange()
    try connection.statement(.deleteDocument).bind(1, tenant).bind(2, collection).bind(3, id).run()
    return connection.lastChanges > 0
  }

  func enqueue(_ items: [OutboxItem]) throws -> [Int64] {
    guard !items.isEmpty else { return [] }
    try willChange()
    var sequences: [Int64] = []
    for item in items {
      try connection.statement(.enqueue)
        .bind(1, try makeNumber(of: item.tenant)).bind(2, item.subscriptionId).bind(3, item.payload)
        .bind(4, item.dueAt.microseconds).bind(5, item.attempts).run()
      sequences.append(connection.lastInsertedRow)
    }
    return sequences
  }

  func removeFromOutbox(_ sequences: [Int64]) throws {
    guard !sequences.isEmpty else { return }
    try willChange()
    for sequence in sequences { try connection.statement(.removeFromOutbox).bind(1, sequence).run() }
  }

  func postpone(_ sequence: Int64, attempts: Int, until time: DateTime) throws {
    try willChange()
    try connection.statement(.postpone).bind(1, sequence).bind(2, attempts).bind(3, time.microseconds).run()
  }
}
