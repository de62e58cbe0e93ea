import NGSI
import Store

extension Hub {
  /// Writes what a context says into the stored form of subscriptions that name it by its address, which ends here:
  /// the next start could not read them otherwise.
  func keep(
    _ content: JSON, inSubscriptionsThatName isMeant: (String) -> Bool, _ writer: any StoreWriter
  ) throws {
    let book = book
    for subscription in book.all() {
      var kept = subscription
      let source = subscription.context.source.replacing(isMeant, with: content)
      if source != subscription.context.source {
        kept.context = subscription.context.restated(source: source, address: subscription.context.url)
      }
      if let url = subscription.document["jsonldContext"]?.string, isMeant(url) { kept.notificationSource = content }
      guard kept.stored != subscription.stored,
        try writer.document(
          subscription.id, collection: subscription.subject.collection, in: subscription.tenant) != nil
      else { continue }
      let changed = kept
      try writer.put(
        StoredDocument(id: kept.id, body: kept.stored), collection: kept.subject.collection, in: kept.tenant)
      writer.afterCommit { book.put(changed) }
    }
  }
}

extension JSON {
  /// A context value with what it names by some URLs in their place.
  fileprivate func replacing(_ isMeant: (String) -> Bool, with content: JSON) -> JSON {
    switch self {
    case .string(let url) where isMeant(url): content
    case .array(let items): .array(items.map { $0.replacing(isMeant, with: content) })
    default: self
    }
  }
}
