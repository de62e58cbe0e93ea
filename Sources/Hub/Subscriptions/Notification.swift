import NGSI
import Query
import Store

/// Makes notifications (clauses 5.3.1, 5.8.6 and 6.3.8 to 6.3.9).
enum Notification {
  /// What the outbox keeps of a change: the entity as it was committed, in stored form, with what was deleted.
  static func payload(_ change: EntityChange, showsChanges: Bool) -> [UInt8] {
    guard var entity = change.new ?? change.old else { return Array("[]".utf8) }
    if change.new == nil {
      entity.deletedAt = change.at
      entity.attributes = []
    }
    for attribute in change.attributes {
      switch (attribute.old, attribute.new) {
      case (let old?, nil):
        var set = entity[attribute: attribute.name] ?? AttributeSet(name: attribute.name, instances: [])
        set.instances.append(deletionMark(of: old, at: change.at, showsChanges: showsChanges))
        // An attribute that is gone with all its instances is named once.
        if !showsChanges, set.instances.count > 1, set.instances.allSatisfy({ $0.deletedAt != nil }) {
          set.instances = [set.instances[0]]
          set.instances[0].datasetId = nil
        }
        entity[attribute: attribute.name] = set
      case (let old?, let new?) where showsChanges:
        guard var set = entity[attribute: attribute.name],
          let place = set.instances.firstIndex(where: { $0.datasetId == new.datasetId })
        else { continue }
        set.instances[place].previousValue = old.value
        entity[attribute: attribute.name] = set
      default: continue
      }
    }
    return payload([entity])
  }

  static func payload(_ entities: [Entity]) -> [UInt8] {
    var writer = JSONWriter()
    writer.open("[")
    for entity in entities {
      writer.separate()
      writer.json(EntityWriter.storedBytes(entity))
    }
    writer.close("]")
    return writer.bytes
  }

  /// The same of parts of entities, which are put together with what others have of them before they are told.
  ///
  /// - Parameters:
  ///   - payload: the parts, by ``payload(_:)``.
  ///   - source: the registration of the source that they came from; `nil` for changes here.
  static func parts(_ payload: [UInt8], from source: String?) -> [UInt8] {
    var writer = JSONWriter(capacity: payload.count + 100)
    writer.open("{")
    if let source {
      writer.key("from" as StaticString)
      writer.write(source)
    }
    writer.key("parts" as StaticString)
    writer.json(payload)
    writer.close("}")
    return writer.bytes
  }

  /// What ``parts(_:from:)`` made; `nil` for what holds whole entities.
  static func parts(in payload: [UInt8]) throws(Problem) -> (entities: [Entity], source: String?)? {
    guard payload.first == UInt8(ascii: "{"), let json = try? JSONParser.parse(payload), let parts = json["parts"]
    else {
      return nil
    }
    let reader = EntityReader(context: .identity, rules: .systemMembers)
    var entities: [Entity] = []
    for item in parts.items { entities.append(try reader.entity(item).entity()) }
    return (entities, json["from"]?.string)
  }

  private static func deletionMark(of old: Attribute, at: DateTime, showsChanges: Bool) -> Attribute {
    let null = JSON.string(Core.null)
    var mark = Attribute(
      kind: old.kind, value: old.kind == .languageProperty ? ["@none": null] : null, datasetId: old.datasetId)
    mark.createdAt = old.createdAt
    mark.modifiedAt = at
    mark.deletedAt = at
    if showsChanges { mark.previousValue = old.value }
    return mark
  }

  /// The message for one subscriber.
  static func message(
    payload: [UInt8], subscription: Subscription, store: any Store, limits: Limits, now: DateTime
  ) throws(Problem) -> NotificationMessage {
    let parameters = subscription.rule.notification
    let json: JSON
    do { json = try JSONParser.parse(payload) } catch {
      throw Problem(.internalError, "the outbox holds what cannot be read: \(error)")
    }
    guard subscription.subject == .entities else {
      return registrationMessage(payload: json, subscription: subscription, now: now)
    }
    let reader = EntityReader(context: .identity, rules: .systemMembers)
    var entities: [Entity] = []
    for item in json.items { entities.append(subscription.reduced(try reader.entity(item).entity())) }
    let context = subscription.notificationContext
    var views = try views(of: entities, subscription, store, limits, now: now)
    if let version = subscription.rule.version, version < .current, parameters.accept != .geoJSON {
      let earlier = EarlierEntities(version, keepsLanguages: !subscription.rule.languages.isEmpty) {
        context.compact($0)
      }
      views = views.map { earlier.amended($0) }
    }
    let entityWriter = EntityWriter(
      context: context,
      representation: Representation(parameters.form, systemAttributes: true, languages: subscription.rule.languages))
    var writer = JSONWriter(capacity: 2048)
    writer.open("{")
    for (key, value) in [
      ("id", "urn:ngsi-ld:Notification:" + Identifier.random()), ("type", "Notification"),
      ("subscriptionId", subscription.id), ("notifiedAt", now.description),
    ] {
      writer.key(key)
      writer.write(value)
    }
    writer.key("data" as StaticString)
    if parameters.accept == .geoJSON {
      let bare = parameters.plainGeoJSON
      entityWriter.writeFeatureCollection(views, embeddedContext: bare ? nil : context.embedded, to: &writer)
    } else {
      writer.open("[")
      let embedded: JSON? = if parameters.accept == .jsonLD { context.embedded } else { nil }
      for view in views {
        writer.separate()
        entityWriter.write(view, embeddedContext: embedded, to: &writer)
      }
      writer.close("]")
    }
    if parameters.accept == .jsonLD {
      writer.key("@context" as StaticString)
      writer.write(context.embedded)
    }
    writer.close("}")
    return NotificationMessage(
      url: parameters.uri, headers: headers(subscription, context), body: writer.bytes,
      settings: parameters.settings, timeout: subscription.timeout)
  }

  static func headers(_ subscription: Subscription, _ context: Context) -> [(String, String)] {
    let parameters = subscription.rule.notification
    var headers = [("Content-Type", parameters.accept.mediaType)]
    if parameters.accept == .json || (parameters.accept == .geoJSON && parameters.plainGeoJSON) {
      headers.append(
        ("Link", "<\(context.url)>; rel=\"http://www.w3.org/ns/json-ld#context\"; type=\"application/ld+json\""))
    }
    let owner = subscription.tenant.owner
    if owner != .default { headers.append(("NGSILD-Tenant", owner.name)) }
    if let snapshot = subscription.snapshot { headers.append(("NGSILD-Snapshot", snapshot)) }
    for (name, value) in parameters.headers where name.lowercased() != "content-type" { headers.append((name, value)) }
    return headers
  }

  /// The entities as the subscriber wants to see them, with linked entities beside or inside them.
  private static func views(
    of entities: [Entity], _ subscription: Subscription, _ store: any Store, _ limits: Limits, now: DateTime
  ) throws(Problem) -> [EntityView] {
    let parameters = subscription.rule.notification
    guard let join = parameters.join else { return entities.map { parameters.projecting.view($0) } }
    do {
      return try store.read { reader in
        var joiner = Joiner(
          reader: reader, tenant: subscription.tenant, bound: limits.joinedEntities, now: now
        ) { linked in subscription.seen(linked).map { subscription.withWantedTimes($0) } }
        switch join {
        case .flat: return try joiner.flat(entities, parameters.projecting, levels: parameters.joinLevel)
        case .inline:
          return try entities.map {
            try joiner.inline($0, parameters.projecting, levels: parameters.joinLevel)
          }
        }
      }
    } catch { throw Problem(storeFailure: error) }
  }
}

extension Subscription {
  /// The entity with what the subscriber asked for.
  fileprivate func reduced(_ entity: Entity) -> Entity {
    let parameters = rule.notification
    var entity = entity
    if entity.deletedAt != nil, !parameters.showChanges {
      // Of a deleted entity only `deletedAt` is told; where the deletion of its attributes is what was asked for, these.
      let tellsAttributes = rule.triggers.contains(.attributeDeleted) && !rule.triggers.contains(.entityDeleted)
      entity.attributes.removeAll {
        !tellsAttributes || !(rule.watched.isEmpty || rule.watched.contains($0.name))
      }
    }
    if !parameters.attributes.isEmpty { entity.attributes.removeAll { !parameters.attributes.contains($0.name) } }
    if !rule.datasetIds.isEmpty {
      entity.attributes = entity.attributes.compactMap { set in
        let shown = set.instances.filter { rule.datasetIds.contains($0.datasetId ?? "@none") }
        return shown.isEmpty ? nil : AttributeSet(name: set.name, instances: shown)
      }
    }
    return withWantedTimes(entity)
  }

  fileprivate func withWantedTimes(_ entity: Entity) -> Entity {
    guard !rule.notification.systemAttributes else { return entity }
    var entity = entity
    entity.removeSystemTimes()
    return entity
  }
}

extension Entity {
  /// Takes `createdAt` and `modifiedAt` away everywhere; `deletedAt` stays on the entity, where it is the message.
  fileprivate mutating func removeSystemTimes() {
    createdAt = nil
    modifiedAt = nil
    attributes = attributes.map(\.withoutSystemTimes)
  }
}

extension AttributeSet {
  fileprivate var withoutSystemTimes: AttributeSet {
    AttributeSet(
      name: name,
      instances: instances.map { instance in
        var instance = instance
        instance.createdAt = nil
        instance.modifiedAt = nil
        instance.deletedAt = nil
        instance.subAttributes = instance.subAttributes.map(\.withoutSystemTimes)
        return instance
      })
  }
}

extension Subscription.Accept {
  var mediaType: String {
    switch self {
    case .json: "application/json"
    case .jsonLD: "application/ld+json"
    case .geoJSON: "application/geo+json"
    }
  }
}
