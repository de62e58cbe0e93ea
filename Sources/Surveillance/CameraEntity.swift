import Incidents
import NGSI

extension SurveillancePlan.Camera {
  /// As the hub holds it.
  ///
  /// - Parameter state: code of its stream, since `at`.
  func entity(state: String, at time: DateTime) -> Entity {
    var entity = Entity(id: id, types: [Context.core.expand(CameraStation.type)], scopes: scope.map { [$0] } ?? [])
    func put(_ name: String, _ value: JSON, at time: DateTime? = nil) {
      var attribute = Attribute(kind: .property, value: value)
      attribute.observedAt = time
      entity.attributes.append(AttributeSet(name: Context.core.expand(name), instances: [attribute]))
    }
    put("name", .string(name.ko))
    put("alternateName", .string(name.en))
    if let bearing { put("bearing", .double(bearing)) }
    put("fieldOfView", .double(fieldOfView))
    put("range", .double(range))
    put("streamState", .string(state), at: time)
    put("source", .string(isSynthetic ? "synthetic" : "camera"))
    entity.attributes.append(
      AttributeSet(
        name: Core.location,
        instances: [
          Attribute(
            kind: .geoProperty,
            value: ["type": "Point", "coordinates": [.double(place.longitude), .double(place.latitude)]])
        ]))
    return entity
  }
}

extension Position {
  /// The same place, with so many metres that are not known.
  func within(_ metres: Double) -> Position {
    Position(longitude: longitude, latitude: latitude, uncertainty: metres) ?? self
  }
}
