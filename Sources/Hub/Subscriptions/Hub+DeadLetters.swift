import NGSI
import Store

/// A notification that was given up after its last attempt.
public struct DeadLetter: Sendable, Hashable {
  public var id: String
  public var subscriptionId: String
  /// When it was given up.
  public var at: DateTime?
  /// Why the last attempt failed.
  public var reason: String
  /// The entities it tells of, with expanded names; `null` for who may not read everything.
  public var data: JSON

  init(_ document: StoredDocument, showsData: Bool = true) {
    id = document.id
    subscriptionId = document.body["subscriptionId"]?.string ?? ""
    at = document.body["at"]?.string.flatMap { DateTime($0) }
    reason = document.body["reason"]?.string ?? ""
    guard showsData else {
      data = .null
      return
    }
    let text = document.body["data"]?.string ?? ""
    let json = (try? JSONParser.parse(text)) ?? .string(text)
    data = json["told"] ?? json
  }
}

/// Which dead letters are meant.
public enum DeadLetterSelection: Sendable, Hashable {
  case ids([String])
  case subscription(String)
  case all
}

/// What became of the dead letters that were meant.
public struct DeadLetterOutcome: Sendable {
  /// Ids of those that are on the list no more.
  public var done: [String] = []
  /// Those that stay, and why.
  public var kept: [(id: String, problem: Problem)] = []
}

extension Hub {
  /// Dead letters that are looked at in one transaction.
  private static let deadLetterStep = 256

  /// Notifications that were given up, oldest first. A tenant keeps ``Limits/deadLetters`` of them.
  ///
  /// - Parameter subscriptionId: only those of this subscription.
  public func deadLetters(
    of subscriptionId: String? = nil, in tenant: Tenant, page: Page
  ) throws(Problem) -> (letters: [DeadLetter], total: Int) {
    try permit(.administer, in: tenant)
    let showsData = try showsEverything(in: tenant)
    return try read { reader in
      try self.requireTenant(tenant, reader)
      let collection = Notifier.deadLetterCollection
      guard let subscriptionId else {
        let documents = try reader.documents(collection, in: tenant, page: page)
        return (
          documents.map { DeadLetter($0, showsData: showsData) }, try reader.documentCount(collection, in: tenant)
        )
      }
      var letters: [DeadLetter] = []
      var total = 0
      try reader.forEachDeadLetter(in: tenant, showsData: showsData) { letter in
        guard letter.subscriptionId == subscriptionId else { return }
        if total >= page.offset, letters.count < page.limit { letters.append(letter) }
        total += 1
      }
      return (letters, total)
    }
  }

  /// Sends dead letters again: each leaves the list and waits in the outbox like a new notification, in one
  /// transaction. It is due, and counted, once more. Those of a subscription that is gone or not active stay.
  public func resendDeadLetters(_ selection: DeadLetterSelection, in tenant: Tenant) async throws(Problem)
    -> DeadLetterOutcome
  {
    try permit(.administer, in: tenant)
    return try await settle(selection, in: tenant) { letter, payload, at throws(Problem) in
      // One with the same id that was made later is another one. Letters have the numbers that they had in the outbox.
      guard let subscription = self.book.subscription(letter.subscriptionId, in: tenant),
        Int64(letter.id) ?? 0 > subscription.since
      else {
        throw .notFound("its subscription \(letter.subscriptionId) is gone")
      }
      guard subscription.status(at: at) == "active" else {
        throw Problem(.conflict, "its subscription \(letter.subscriptionId) is not active")
      }
      return OutboxItem(tenant: tenant, subscriptionId: letter.subscriptionId, payload: payload, dueAt: at)
    }
  }

  /// Takes dead letters off the list for good.
  public func discardDeadLetters(_ selection: DeadLetterSelection, in tenant: Tenant) async throws(Problem)
    -> DeadLetterOutcome
  {
    try permit(.administer, in: tenant)
    return try await settle(selection, in: tenant) { _, _, _ in nil }
  }

  /// Takes the letters off the list, each with what replaces it in the outbox.
  private func settle(
    _ selection: DeadLetterSelection, in tenant: Tenant,
    _ replacement: @escaping @Sendable (DeadLetter, [UInt8], DateTime) throws(Problem) -> OutboxItem?
  ) async throws(Problem) -> DeadLetterOutcome {
    let ids = try deadLetterIds(selection, in: tenant)
    let at = now()
    var outcome = DeadLetterOutcome()
    for start in stride(from: 0, to: ids.count, by: Self.deadLetterStep) {
      let step = ids[start..<min(start + Self.deadLetterStep, ids.count)]
      let part = try await write { writer in
        var part = DeadLetterOutcome()
        var items: [OutboxItem] = []
        for id in step {
          do {
            guard let document = try writer.document(id, collection: Notifier.deadLetterCollection, in: tenant) else {
              throw Problem.notFound("there is no dead letter \(id.prefix(100))")
            }
            let payload = Array((document.body["data"]?.string ?? "").utf8)
            if let item = try replacement(DeadLetter(document), payload, at) { items.append(item) }
            _ = try writer.deleteDocument(id, collection: Notifier.deadLetterCollection, in: tenant)
            part.done.append(id)
          } catch let problem as Problem {
            part.kept.append((id, problem))
          }
        }
        try self.enqueue(&items, writer)
        let (notifier, sent) = (self.notifier, items)
        if !sent.isEmpty { writer.afterCommit { notifier.accept(sent) } }
        return part
      }
      outcome.done += part.done
      outcome.kept += part.kept
    }
    return outcome
  }

  private func deadLetterIds(_ selection: DeadLetterSelection, in tenant: Tenant) throws(Problem) -> [String] {
    try read { reader in
      try self.requireTenant(tenant, reader)
      if case .ids(let ids) = selection { return ids }
      var ids: [String] = []
      try reader.forEachDeadLetter(in: tenant, showsData: false) { letter in
        if case .subscription(let id) = selection, letter.subscriptionId != id { return }
        ids.append(letter.id)
      }
      return ids
    }
  }
}

extension StoreReader {
  fileprivate func forEachDeadLetter(in tenant: Tenant, showsData: Bool, _ body: (DeadLetter) -> Void) throws {
    var page = Page(limit: 512)
    while true {
      let documents = try documents(Notifier.deadLetterCollection, in: tenant, page: page)
      for document in documents { body(DeadLetter(document, showsData: showsData)) }
      guard documents.count == page.limit else { return }
      page.offset += documents.count
    }
  }
}
