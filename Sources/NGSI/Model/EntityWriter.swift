/// How an entity is shown (ETSI GS CIM 009 clauses 4.5.1 to 4.5.4 and 6.3.7, 6.3.11, 6.3.14).
public struct Representation: Sendable, Hashable {
  public enum Form: Sendable, Hashable {
    case normalized
    case concise
    case simplified
  }

  public var form: Form
  /// Whether `createdAt`, `modifiedAt`, `deletedAt` and `expiresAt` are shown (clause 6.3.11).
  public var systemAttributes: Bool
  /// Whether `deletedAt` is shown even without the others: a history that is asked for deletions tells their time.
  public var showsDeletion = false
  /// Language ranges by preference (RFC 4647 lookup) that turn LanguageProperties into Properties; none leaves them.
  public var languages: [String]
  /// Set by ``EntityView``.
  var hidesId = false
  var hidesType = false

  public init(_ form: Form = .normalized, systemAttributes: Bool = false, languages: [String] = []) {
    self.form = form
    self.systemAttributes = systemAttributes
    self.languages = languages
  }

  /// Every member, expanded names: what the store keeps.
  static let stored = Representation(.normalized, systemAttributes: true)
}

/// Writes entities as JSON text.
public struct EntityWriter: Sendable {
  public let context: Context
  var representation: Representation
  var linked = LinkedEntities()

  public init(context: Context, representation: Representation) {
    self.context = context
    self.representation = representation
  }

  /// The form the store keeps; ``stored(_:)`` reads it back.
  public static func storedBytes(_ entity: Entity) -> [UInt8] {
    var writer = JSONWriter()
    EntityWriter(context: .identity, representation: .stored).write(entity, to: &writer)
    return writer.bytes
  }

  /// Reads what ``storedBytes(_:)`` wrote.
  public static func stored(_ bytes: UnsafeBufferPointer<UInt8>) throws(Problem) -> Entity {
    do { return try StoredEntityReader.entity(bytes) } catch {
      throw Problem(.internalError, "a stored entity cannot be read: \(error)")
    }
  }

  /// - Parameter embeddedContext: what to write as `@context`; nothing when it is given in a `Link` header.
  public func write(_ entity: Entity, embeddedContext: JSON? = nil, to writer: inout JSONWriter) {
    writer.open("{")
    if !representation.hidesId {
      writer.key("id" as StaticString)
      writer.write(entity.id)
    }
    writeHead(of: entity, to: &writer)
    for set in entity.attributes { write(set, to: &writer) }
    close(embeddedContext: embeddedContext, to: &writer)
  }

  /// Everything between `id` and `@context`.
  func writeMembers(of entity: Entity, to writer: inout JSONWriter) {
    writeHead(of: entity, to: &writer)
    for set in entity.attributes { write(set, to: &writer) }
  }

  /// Everything between `id` and the attributes.
  private func writeHead(of entity: Entity, to writer: inout JSONWriter) {
    if !representation.hidesType { names(entity.types, key: "type", to: &writer) }
    writeRest(
      ofHead: entity.scopes, created: entity.createdAt, modified: entity.modifiedAt, deleted: entity.deletedAt,
      expires: entity.expiresAt, to: &writer)
  }

  /// Everything between the types and the attributes.
  public func writeRest(
    ofHead scopes: [String], created: DateTime?, modified: DateTime?, deleted: DateTime?, expires: DateTime?,
    to writer: inout JSONWriter
  ) {
    if !scopes.isEmpty {
      writer.key("scope" as StaticString)
      list(scopes.map(JSON.string), to: &writer)
    }
    times(created: created, modified: modified, deleted: deleted, expires: expires, to: &writer)
  }

  func writeContext(_ context: JSON?, to writer: inout JSONWriter) {
    guard let context else { return }
    writer.key("@context" as StaticString)
    writer.write(context)
  }

  /// Writes `"name": value` for all instances of one attribute.
  public func write(_ set: AttributeSet, to writer: inout JSONWriter) {
    if !linked.isEmpty, linked.relationship != set.name {
      var inner = self
      inner.linked.relationship = set.name
      return inner.write(set, to: &writer)
    }
    writer.key(context.compact(set.name))
    if representation.form == .simplified {
      simplified(set, to: &writer)
    } else if set.instances.count == 1 {
      write(set.instances[0], to: &writer)
    } else {
      Self.openInstances(to: &writer)
      for instance in set.instances {
        writer.separate()
        write(instance, allowsBare: false, to: &writer)
      }
      Self.closeInstances(to: &writer)
    }
  }

  /// Writes one instance as an object, or bare where the concise form allows it.
  ///
  /// - Parameter allowsBare: no in an array of instances, which has to consist of objects.
  public func write(_ attribute: Attribute, allowsBare: Bool = true, to writer: inout JSONWriter) {
    if attribute.kind == .languageProperty, !representation.languages.isEmpty {
      return writePlain(attribute.inLanguage(representation.languages), allowsBare: allowsBare, to: &writer)
    }
    writePlain(attribute, allowsBare: allowsBare, to: &writer)
  }

  private func writePlain(_ attribute: Attribute, allowsBare: Bool, to writer: inout JSONWriter) {
    let concise = representation.form == .concise
    if concise, allowsBare, isBare(attribute) {
      writer.write(attribute.value)
      return
    }
    // A reader would take a Property whose value is a geometry for a GeoProperty.
    let namesKind = !concise || (attribute.kind == .property && Geometry.isGeometry(attribute.value))
    Self.openInstance(of: attribute.kind, namesKind: namesKind, to: &writer)
    write(attribute.value, of: attribute.kind, to: &writer)
    if !linked.isEmpty { writeLinked(attribute, to: &writer) }
    writeMembers(of: attribute, to: &writer)
    for set in attribute.subAttributes { writeSubAttribute(set, to: &writer) }
    Self.closeInstance(to: &writer)
  }
}

// MARK: - Values

extension EntityWriter {
  /// Writes what the kind's value member holds.
  public func write(_ value: JSON, of kind: AttributeKind, to writer: inout JSONWriter) {
    guard !keepsValue(of: kind) else { return writer.write(value) }
    switch kind {
    case .vocabProperty: writer.write(compactNames(value))
    case .listRelationship:
      writer.open("[")
      for item in value.items {
        writer.separate()
        writer.write(item == .string(Core.null) ? item : ["object": item])
      }
      writer.close("]")
    default: writer.write(value)
    }
  }

  private func compactNames(_ json: JSON) -> JSON {
    switch json {
    case .string(let iri): .string(iri == Core.null ? iri : context.compact(iri))
    case .array(let items): .array(items.map(compactNames))
    default: json
    }
  }

  /// The value as the simplified form shows it: the object of a Relationship, the
  /// items of a list, `{"languageMap": …}`, `{"json": …}`, `{"vocab": …}` (clause 4.5.4).
  public func shown(_ attribute: Attribute) -> JSON {
    switch attribute.kind {
    case .property, .geoProperty, .relationship, .listProperty, .listRelationship: attribute.value
    case .languageProperty: ["languageMap": attribute.value]
    case .vocabProperty: ["vocab": compactNames(attribute.value)]
    case .jsonProperty: ["json": attribute.value]
    }
  }

  private func simplified(_ set: AttributeSet, to writer: inout JSONWriter) {
    if set.instances.count == 1, set.instances[0].datasetId == nil {
      let instance = set.instances[0]
      let targets = linked.isEmpty ? [] : linked.targets(of: instance)
      if !targets.isEmpty {
        // The linked entity stands in place of its URI (clause 4.5.23.2).
        let isList = instance.kind == .listRelationship || instance.value.array != nil
        return writeTargets(targets, isList: isList, to: &writer)
      }
      writer.write(shown(set.instances[0].inLanguage(representation.languages)))
      return
    }
    writer.open("{")
    writer.key("dataset" as StaticString)
    writer.open("{")
    for instance in set.instances {
      writer.key(instance.datasetId ?? "@none")
      writer.write(shown(instance.inLanguage(representation.languages)))
    }
    writer.close("}")
    writer.close("}")
  }

  /// Whether the concise form may leave out the braces: a Property or GeoProperty with nothing but its value.
  private func isBare(_ attribute: Attribute) -> Bool {
    guard attribute.kind == .property || attribute.kind == .geoProperty else { return false }
    // What would be read back as an attribute object has to stand under `value`.
    if attribute.kind == .property {
      if let object = attribute.value.object, EntityReader.readsAsAttribute(object) { return false }
      if let items = attribute.value.array, EntityReader.areInstances(items) { return false }
    }
    let showsTimes =
      representation.systemAttributes
      && (attribute.createdAt != nil || attribute.modifiedAt != nil || attribute.deletedAt != nil
        || attribute.expiresAt != nil)
    return attribute.datasetId == nil && attribute.observedAt == nil && attribute.unitCode == nil
      && attribute.valueType == nil && attribute.instanceId == nil
      && attribute.language == nil && attribute.previousValue == nil && attribute.subAttributes.isEmpty && !showsTimes
  }
}

// MARK: - Members

extension EntityWriter {
  /// What stands between the value of an instance and its sub-attributes.
  public func writeMembers(of attribute: Attribute, to writer: inout JSONWriter) {
    if !attribute.isPlain {
      if !attribute.objectType.isEmpty { names(attribute.objectType, key: "objectType", to: &writer) }
      if let valueType = attribute.valueType { text(context.compact(valueType), "valueType", &writer) }
    }
    if let unitCode = attribute.unitCode { text(unitCode, "unitCode", &writer) }
    if let observedAt = attribute.observedAt { Self.time(observedAt, "observedAt", &writer) }
    if let datasetId = attribute.datasetId { text(datasetId, "datasetId", &writer) }
    if let instanceId = attribute.instanceId { text(instanceId, "instanceId", &writer) }
    if !attribute.isPlain {
      if let language = attribute.language { text(language, "lang", &writer) }
      if let previous = attribute.previousValue {
        writer.key(attribute.kind.previousMember)
        write(previous, of: attribute.kind, to: &writer)
      }
    }
    if representation.systemAttributes || representation.showsDeletion {
      times(
        created: attribute.createdAt, modified: attribute.modifiedAt, deleted: attribute.deletedAt,
        expires: attribute.expiresAt, to: &writer)
    }
  }

  /// The same for an instance that has no other members than these.
  ///
  /// - Parameters created, modified: `nil` where times are not shown.
  public static func writeMembers(
    unitCode: UnsafeRawBufferPointer?, observedAt: DateTime?, datasetId: UnsafeRawBufferPointer?, created: DateTime?,
    modified: DateTime?, to writer: inout JSONWriter
  ) {
    if let unitCode {
      writer.key("unitCode" as StaticString)
      writer.write(utf8: unitCode)
    }
    if let observedAt { time(observedAt, "observedAt", &writer) }
    if let datasetId {
      writer.key("datasetId" as StaticString)
      writer.write(utf8: datasetId)
    }
    if let created { time(created, "createdAt", &writer) }
    if let modified { time(modified, "modifiedAt", &writer) }
  }

  /// Writes `"name": value` for all instances of one sub-attribute.
  public func writeSubAttribute(_ set: AttributeSet, to writer: inout JSONWriter) {
    if Self.isSeal(set.name), let value = set.instances.first?.value {
      writer.key(context.isIdentity ? set.name : String(set.name.dropFirst(Core.namespace.count)))
      writer.write(value)
    } else {
      write(set, to: &writer)
    }
  }

  private func names(_ iris: [String], key: StaticString, to writer: inout JSONWriter) {
    writer.key(key)
    if iris.count == 1 {
      writer.write(context.compact(iris[0]))
      return
    }
    writer.open("[")
    for iri in iris {
      writer.separate()
      writer.write(context.compact(iri))
    }
    writer.close("]")
  }

  private func list(_ items: [JSON], to writer: inout JSONWriter) {
    writer.write(items.count == 1 ? items[0] : .array(items))
  }

  private func times(
    created: DateTime?, modified: DateTime?, deleted: DateTime?, expires: DateTime?, to writer: inout JSONWriter
  ) {
    let showsAll = representation.systemAttributes
    if showsAll, let created { Self.time(created, "createdAt", &writer) }
    if showsAll, let modified { Self.time(modified, "modifiedAt", &writer) }
    if showsAll || representation.showsDeletion, let deleted { Self.time(deleted, "deletedAt", &writer) }
    if showsAll, let expires { Self.time(expires, "expiresAt", &writer) }
  }

  private static func time(_ time: DateTime, _ key: StaticString, _ writer: inout JSONWriter) {
    writer.key(key)
    writer.write(time)
  }

  private func text(_ text: String, _ key: StaticString, _ writer: inout JSONWriter) {
    writer.key(key)
    writer.write(text)
  }
}

extension Attribute {
  /// A LanguageProperty as a Property in the best language (RFC 4647 section 3.4), else unchanged (clause 4.5.18).
  public func inLanguage(_ ranges: [String]) -> Attribute {
    guard kind == .languageProperty, !ranges.isEmpty, case .object(let map) = value, !map.isEmpty else { return self }
    var chosen: JSONObject.Member?
    search: for range in ranges {
      if range == "*" {
        chosen = map.members.first { $0.key == "@none" } ?? map.members.first
        break
      }
      var prefix = Substring(range.lowercased())
      while !prefix.isEmpty {
        if let match = map.members.first(where: { $0.key.lowercased() == prefix }) {
          chosen = match
          break search
        }
        prefix = prefix.lastIndex(of: "-").map { prefix[..<$0] } ?? ""
      }
    }
    guard let member = chosen ?? map.members.first(where: { $0.key == "@none" }) ?? map.members.first else {
      return self
    }
    var attribute = self
    attribute.kind = .property
    attribute.value = member.value
    attribute.language = member.key
    return attribute
  }
}
