import Foundation
import Hummingbird
import Incidents
import NGSI
import Safety

/// `/operations/map`: what the operator's map shows, as GeoJSON collections.
enum OperationsMap {
  static let mostIncidents = 2_000
  static let mostThings = 20_000

  static func answer(_ visit: Visit) async throws -> Response {
    guard let safety = visit.room.source.safety else { return OperationsPage.none(visit) }
    let queue: [Attention]
    do throws(Problem) {
      queue = try await visit.room.source.asReader { () throws(Problem) in try safety.queue(in: .default) }
    } catch { return OperationsPage.refused(visit, error) }
    var (places, circles): ([JSON], [JSON]) = ([], [])
    for item in queue.prefix(mostIncidents) {
      guard let position = item.incident.position else { continue }
      let incident = item.incident
      let properties: JSON = [
        "id": .string(incident.id), "severity": .integer(Int64(incident.severity.order)),
        "alarm": .bool(incident.isAlarming), "title": .string(visit.categoryTitle(incident.category, safety.plan)),
        "number": .string(Visit.number(incident.id)),
      ]
      places.append(feature(["type": "Point", "coordinates": coordinates(position)], properties))
      if let uncertainty = position.uncertainty, uncertainty >= 5, uncertainty <= 50_000 {
        circles.append(feature(circle(position, uncertainty), properties))
      }
    }
    var (cameras, units, hazards): ([JSON], [JSON], [JSON]) = ([], [], [])
    if visit.seesCity {
      for item in await visit.room.board.items.prefix(200_000) {
        let isCamera = item.types.contains(where: Nearby.cameraTypes.contains)
        let isUnit = item.types.contains(where: Nearby.unitTypes.contains)
        guard isCamera || isUnit || item.types.contains(where: Nearby.hazardTypes.contains), let place = item.place
        else { continue }
        let properties: JSON = [
          "id": .string(item.id), "title": .string(visit.room.names.display(item, visit.language)),
          "state": .integer(Int64(item.state(at: visit.now).rawValue)),
        ]
        switch place {
        case .point(let longitude, let latitude):
          let point: JSON = ["type": "Point", "coordinates": [.double(longitude), .double(latitude)]]
          if isCamera, cameras.count < mostThings { cameras.append(feature(point, properties)) }
          if isUnit, units.count < mostThings { units.append(feature(point, properties)) }
        case .shape(let geometry, _):
          if !isCamera, !isUnit, hazards.count < 1_000 { hazards.append(feature(geometry, properties)) }
        }
      }
    }
    return Answer.json(
      [
        "incidents": collection(places), "circles": collection(circles), "cameras": collection(cameras),
        "units": collection(units), "hazards": collection(hazards),
      ], visit)
  }

  private static func collection(_ features: [JSON]) -> JSON {
    ["type": "FeatureCollection", "features": .array(features)]
  }

  private static func feature(_ geometry: JSON, _ properties: JSON) -> JSON {
    ["type": "Feature", "geometry": geometry, "properties": properties]
  }

  private static func coordinates(_ position: Position) -> JSON {
    [.double(position.longitude), .double(position.latitude)]
  }

  /// What is not known of a place, as a polygon of 48 corners.
  private static func circle(_ centre: Position, _ radius: Double) -> JSON {
    let metres = 111_195.0
    let wide = radius / (metres * max(cos(centre.latitude * .pi / 180), 0.01))
    let ring = (0...48).map { corner -> JSON in
      let angle = Double(corner % 48) / 24 * .pi
      return [.double(centre.longitude + wide * cos(angle)), .double(centre.latitude + radius / metres * sin(angle))]
    }
    return ["type": "Polygon", "coordinates": [.array(ring)]]
  }
}

extension Severity {
  /// From 0 for what is not known to 4 for what is extreme.
  var order: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
