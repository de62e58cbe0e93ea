/// The normalized form part by part, for who has an entity as bytes and not as ``Entity``: ``open(utf8:to:)``, its types
/// between ``openTypes(_:to:)`` and ``closeTypes(_:to:)``, ``writeRest(ofHead:created:modified:deleted:expires:to:)``;
/// for each attribute its name as a key, and its instance or, between ``openInstances(to:)`` and
/// ``closeInstances(to:)``, all of them; ``close(embeddedContext:to:)``. An instance is
/// ``openInstance(of:namesKind:to:)``, its value, its members, its sub-attributes, ``closeInstance(to:)``.
extension EntityWriter {
  /// Whether what is written is these parts, and not another form.
  public var takesParts: Bool {
    representation.form == .normalized && representation.languages.isEmpty && linked.isEmpty
      && !representation.hidesId && !representation.hidesType
  }

  /// Begins an entity with its id.
  public func open(utf8 id: UnsafeRawBufferPointer, to writer: inout JSONWriter) {
    writer.json("{\"id\":" as StaticString)
    writer.write(utf8: id)
  }

  /// Begins the types, compacted and quoted, of which there are so many.
  public func openTypes(_ count: Int, to writer: inout JSONWriter) {
    writer.key("type" as StaticString)
    if count != 1 { writer.open("[") }
  }

  public func closeTypes(_ count: Int, to writer: inout JSONWriter) { if count != 1 { writer.close("]") } }

  public func close(embeddedContext: JSON?, to writer: inout JSONWriter) {
    writeContext(embeddedContext, to: &writer)
    writer.close("}")
  }

  /// Begins the instances of an attribute that has not exactly one.
  public static func openInstances(to writer: inout JSONWriter) { writer.open("[") }
  public static func closeInstances(to writer: inout JSONWriter) { writer.close("]") }

  /// Begins an instance, up to its value.
  public static func openInstance(of kind: AttributeKind, namesKind: Bool = true, to writer: inout JSONWriter) {
    if namesKind { return writer.json(kind.opening) }
    writer.open("{")
    writer.key(kind.valueMember)
  }

  public static func closeInstance(to writer: inout JSONWriter) { writer.close("}") }

  /// Whether a value of this kind is written as it is stored, and not with ``write(_:of:to:)``.
  public func keepsValue(of kind: AttributeKind) -> Bool { Self.keepsValue(of: kind, names: context.isIdentity) }

  /// The same, given whether names are written as they are.
  public static func keepsValue(of kind: AttributeKind, names keepsNames: Bool) -> Bool {
    switch kind {
    case .vocabProperty, .listRelationship: keepsNames
    default: true
    }
  }

  /// Whether times of creation and change are shown.
  public var showsTimes: Bool { representation.systemAttributes }

  /// Whether a sub-attribute is one of those that ``writeSubAttribute(_:to:)`` writes in a form of their own.
  public static func isSeal(_ name: String) -> Bool { Core.seals.contains(name) }
}

extension AttributeKind {
  /// How an instance begins in the normalized form: its kind, and the name of what holds its value.
  var opening: StaticString {
    switch self {
    case .property: "{\"type\":\"Property\",\"value\":"
    case .geoProperty: "{\"type\":\"GeoProperty\",\"value\":"
    case .relationship: "{\"type\":\"Relationship\",\"object\":"
    case .languageProperty: "{\"type\":\"LanguageProperty\",\"languageMap\":"
    case .vocabProperty: "{\"type\":\"VocabProperty\",\"vocab\":"
    case .jsonProperty: "{\"type\":\"JsonProperty\",\"json\":"
    case .listProperty: "{\"type\":\"ListProperty\",\"valueList\":"
    case .listRelationship: "{\"type\":\"ListRelationship\",\"objectList\":"
    }
  }
}
