import NGSI
import Store

/// Holds what the hub keeps in a store beside its entities against its own rules; for `madang check`.
public struct HubContents: Sendable {
  /// What is wrong, a sentence each.
  public private(set) var findings: [String] = []
  /// What is in order and may surprise.
  public private(set) var notes: [String] = []

  private static let pageSize = 500

  public init(_ reader: any StoreReader) throws {
    for tenant in try reader.tenants() { try check(tenant, reader) }
    try checkOutbox(reader)
  }

  private static func suffix(_ tenant: Tenant) -> String {
    let name = tenant.owner == .default ? "" : "tenant \(tenant.owner.name)"
    guard let number = tenant.spaceNumber else { return name.isEmpty ? "" : " (\(name))" }
    return " (space \(number) of snapshots\(name.isEmpty ? "" : ", " + name))"
  }

  private mutating func check(_ tenant: Tenant, _ reader: any StoreReader) throws {
    let suffix = Self.suffix(tenant)
    var subscriptions: Set<String> = []
    for subject in SubscriptionSubject.allCases {
      try Self.forEach(subject.collection, in: tenant, reader) { stored in
        subscriptions.insert(subject.key(stored.id))
        guard case .object? = stored.body["document"], Self.isTime(stored.body["createdAt"]) else {
          return findings.append("The subscription \(stored.id)\(suffix) is not whole.")
        }
      }
    }
    try Self.forEach(Hub.registrationCollection, in: tenant, reader) { stored in
      guard stored.body["document"]?["endpoint"]?.string != nil, Self.isTime(stored.body["createdAt"]) else {
        return findings.append("The registration \(stored.id)\(suffix) is not whole.")
      }
    }
    try Self.forEach(Notifier.recordCollection, in: tenant, reader) { stored in
      if !subscriptions.contains(stored.id) {
        findings.append("The delivery record of \(stored.id)\(suffix) belongs to no subscription.")
      }
      for count in ["delivered", "failed", "throttled", "timesSent", "timesFailed"] {
        guard let number = stored.body[count]?.integer, number >= 0 else {
          findings.append("The delivery record of \(stored.id)\(suffix) has no \(count).")
          continue
        }
      }
    }
    try Self.forEach(Notifier.deadLetterCollection, in: tenant, reader) { stored in
      guard stored.body["subscriptionId"]?.string != nil, Self.isTime(stored.body["at"]),
        let data = stored.body["data"]?.string, (try? JSONParser.parse(data)) != nil
      else { return findings.append("The dead letter \(stored.id)\(suffix) is not whole.") }
    }
    try Self.forEach(ContextLibrary.cachedCollection, in: tenant, reader) { stored in
      guard let text = stored.body["body"]?.string, (try? JSONParser.parse(text))?["@context"] != nil else {
        return findings.append("The stored context \(stored.id)\(suffix) is none.")
      }
    }
  }

  private mutating func checkOutbox(_ reader: any StoreReader) throws {
    for entry in try reader.outboxCounts() {
      let (subject, id) = SubscriptionSubject.parts(ofKey: entry.subscriptionId)
      guard try reader.document(id, collection: subject.collection, in: entry.tenant) == nil else { continue }
      notes.append(
        "\(entry.count) notifications wait for \(id)\(Self.suffix(entry.tenant)), which was deleted; "
          + "they are counted as held back when the city runs.")
    }
    var last: Int64 = 0
    while true {
      let items = try reader.outbox(after: last, limit: Self.pageSize)
      for item in items where (try? JSONParser.parse(item.payload)) == nil {
        findings.append("The notification \(item.sequence) for \(item.subscriptionId) cannot be read.")
      }
      guard let end = items.last, items.count == Self.pageSize else { return }
      last = end.sequence
    }
  }

  private static func isTime(_ json: JSON?) -> Bool { json?.string.flatMap { DateTime($0) } != nil }

  private static func forEach(
    _ collection: String, in tenant: Tenant, _ reader: any StoreReader, _ body: (StoredDocument) -> Void
  ) throws {
    var page = Page(limit: pageSize)
    while true {
      let documents = try reader.documents(collection, in: tenant, page: page)
      for document in documents { body(document) }
      guard documents.count == page.limit else { return }
      page.offset += page.limit
    }
  }
}
