// Entities as GeoJSON (ETSI GS CIM 009 clauses 4.5.16, 4.5.17, 5.2.29 to 5.2.31 and 6.3.15; RFC 7946 section 3.2).
// The properties take the form of the writer's representation: normalized, concise or simplified.

extension EntityWriter {
  /// Which GeoProperty becomes a Feature's geometry.
  public struct GeometrySelection: Sendable, Hashable {
    /// Expanded name.
    public var property: String
    /// The instance; `nil` for the one without `datasetId`.
    public var datasetId: String?

    public init(property: String = Core.location, datasetId: String? = nil) {
      self.property = property
      self.datasetId = datasetId
    }

    /// The geometry, or `nil` when the entity has none there.
    public func geometry(of entity: Entity) -> JSON? {
      guard let instance = entity[attribute: property]?.instance(datasetId: datasetId),
        instance.kind == .geoProperty, Geometry.isGeometry(instance.value)
      else { return nil }
      return instance.value
    }
  }

  /// Writes a Feature; an entity without the selected geometry gets `null`.
  public func writeFeature(
    _ entity: Entity, geometry selection: GeometrySelection = GeometrySelection(), embeddedContext: JSON? = nil,
    to writer: inout JSONWriter
  ) {
    writer.open("{")
    writer.key("id" as StaticString)
    writer.write(entity.id)
    writer.key("type" as StaticString)
    writer.write("Feature")
    writer.key("geometry" as StaticString)
    writer.write(selection.geometry(of: entity) ?? .null)
    writer.key("properties" as StaticString)
    writer.open("{")
    writeMembers(of: entity, to: &writer)
    writer.close("}")
    writeContext(embeddedContext, to: &writer)
    writer.close("}")
  }

  /// Writes a Feature with what the view leaves of the entity.
  public func writeFeature(
    _ view: EntityView, geometry selection: GeometrySelection = GeometrySelection(), embeddedContext: JSON? = nil,
    to writer: inout JSONWriter
  ) {
    showing(view).writeFeature(view.entity, geometry: selection, embeddedContext: embeddedContext, to: &writer)
  }

  /// Writes a FeatureCollection; the context stands once, at its end.
  public func writeFeatureCollection(
    _ views: some Sequence<EntityView>, geometry selection: GeometrySelection = GeometrySelection(),
    embeddedContext: JSON? = nil, to writer: inout JSONWriter
  ) {
    writer.open("{")
    writer.key("type" as StaticString)
    writer.write("FeatureCollection")
    writer.key("features" as StaticString)
    writer.open("[")
    for view in views {
      writer.separate()
      writeFeature(view, geometry: selection, to: &writer)
    }
    writer.close("]")
    writeContext(embeddedContext, to: &writer)
    writer.close("}")
  }
}
