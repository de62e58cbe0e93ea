import NGSI
import Query

// What waits in the outbox is judged again when it is sent: its owner, or the rules, may be others by then.

extension Notification {
  /// What is told to who may not see everything, with what it is judged by when it is sent.
  ///
  /// - Parameters:
  ///   - payload: the entities as he may see them now, by ``payload(_:)``.
  ///   - whole: the same entities, in their order, with all that they have; of those that end, as they were last.
  ///   - changed: expanded names of the attributes whose change it is about; `nil` where it is about no change.
  static func judged(_ payload: [UInt8], by whole: [Entity], changed: Set<String>? = nil) -> [UInt8] {
    var writer = JSONWriter(capacity: payload.count * 2)
    writer.open("{")
    writer.key("told" as StaticString)
    writer.json(payload)
    writer.key("whole" as StaticString)
    writer.json(Notification.payload(whole))
    if let changed {
      writer.key("changed" as StaticString)
      writer.write(.array(changed.sorted().map { .string($0) }))
    }
    writer.close("}")
    return writer.bytes
  }

  /// What a source told: it is for who may have what others have.
  static func ofOthers(_ payload: [UInt8], from source: String) -> [UInt8] {
    var writer = JSONWriter(capacity: payload.count + 100)
    writer.open("{")
    writer.key("told" as StaticString)
    writer.json(payload)
    writer.key("from" as StaticString)
    writer.write(source)
    writer.close("}")
    return writer.bytes
  }

  /// What of a payload the owner of a subscription may hear now; `nil` when it is nothing.
  static func permitted(_ payload: [UInt8], _ subscription: Subscription) throws(Problem) -> [UInt8]? {
    let visibility = subscription.visibility
    if visibility?.isNothing == true { return nil }
    guard subscription.subject == .entities else { return payload }
    let isPlain = payload.first != UInt8(ascii: "{")
    if isPlain, visibility == nil { return payload }
    let json: JSON
    do { json = try JSONParser.parse(payload) } catch {
      throw Problem(.internalError, "the outbox holds what cannot be read: \(error)")
    }
    if json["parts"] != nil || json["from"] != nil {
      guard subscription.mayFederate else { return nil }
      return json["told"].map(JSONWriter.bytes) ?? payload
    }
    let items = isPlain ? json : json["told"] ?? []
    guard let visibility else { return JSONWriter.bytes(items) }
    let reader = EntityReader(context: .identity, rules: .systemMembers)
    let changed = (json["changed"]?.array).map { Set($0.compactMap(\.string)) }
    let whole = json["whole"]?.items ?? items.items
    var told: [Entity] = []
    for (item, all) in zip(items.items, whole) {
      let (entity, all) = (try reader.entity(item).entity(), try reader.entity(all).entity())
      // What rules want recorded was recorded when it happened.
      let part = AccessNotes.$current.withValue(AccessNotes()) {
        visibility.part(of: all, asking: entity.attributes.map(\.name))
      }
      if let shown = entity.keeping(part, changed: changed) { told.append(shown) }
    }
    return told.isEmpty ? nil : Notification.payload(told)
  }
}

extension Entity {
  /// What is left of it to tell; `nil` when it may not be known of, or nothing of what changed may be seen.
  fileprivate func keeping(_ part: EntityVisibility.Part?, changed: Set<String>?) -> Entity? {
    guard let part else { return nil }
    if deletedAt == nil, let changed, !changed.isEmpty, !changed.contains(where: part.contains) { return nil }
    var kept = self
    kept.attributes.removeAll { !part.contains($0.name) }
    return kept
  }
}
