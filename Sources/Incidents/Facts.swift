import NGSI

extension Incident {
  /// The incident as the city's hub holds it: what is queried, subscribed to and shown on maps. Conditions of procedures are
  /// asked of it. Attribute names follow Smart Data Models' `Alert` where it has them (category, severity, dateIssued,
  /// location, address, alertSource).
  public var facts: Entity {
    var entity = Entity(id: id, types: [Context.core.expand(Self.typeName)])
    func put(_ name: String, _ value: JSON?, at time: DateTime? = nil) {
      guard let value else { return }
      var attribute = Attribute(kind: .property, value: value)
      attribute.observedAt = time
      entity.attributes.append(AttributeSet(name: Context.core.expand(name), instances: [attribute]))
    }
    put("status", .string(status.rawValue))
    put("isAlarming", .bool(isAlarming))
    put("category", .string(category))
    put("severity", .string(severity.rawValue))
    put("sequence", .integer(Int64(sequence)))
    put("dateIssued", .string(openedAt.description))
    put("dateAcknowledged", acknowledgedAt.map { .string($0.description) })
    put("dateDispatched", firstDispatchAt.map { .string($0.description) })
    put("dateOnScene", firstOnSceneAt.map { .string($0.description) })
    put("dateResolved", resolvedAt.map { .string($0.description) })
    put("dateClosed", closedAt.map { .string($0.description) })
    put("owner", owner.map { .string($0.id) })
    put("agencies", agencies.isEmpty ? nil : .array(agencies.map(JSON.string)))
    put("reportCount", .integer(Int64(reports.count + repetitions)))
    put("alertSource", reports.first.map { .string($0.source) })
    put("alertChannel", reports.first.map { .string($0.channel.rawValue) })
    put("unitsOut", .integer(Int64(dispatches.count(where: \.status.isOut))))
    put("exercise", exercise.map(JSON.string))
    put("outcome", outcome.map { .string($0.kind.rawValue) })
    put("mergedInto", mergedInto.map(JSON.string))
    put("procedure", run.map { .string($0.procedure.id) })
    put("address", address.map(JSON.string))
    if let position {
      var location = Attribute(
        kind: .geoProperty,
        value: ["type": "Point", "coordinates": [.double(position.longitude), .double(position.latitude)]])
      location.observedAt = nil
      entity.attributes.append(AttributeSet(name: Core.location, instances: [location]))
      put("locationUncertainty", position.uncertainty.map(JSON.double))
    }
    return entity
  }

  public static let typeName = "Incident"
}
