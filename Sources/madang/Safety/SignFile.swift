import ArgumentParser
import Evacuation
import Foundation
import Streets

/// The signs of a convergent plan as GeoJSON: a point for each junction, with the direction to take there.
struct SignFile: Encodable {
  private struct Feature: Encodable {
    struct Geometry: Encodable {
      var type = "Point"
      var coordinates: [Double]
    }

    struct Properties: Encodable {
      /// OpenStreetMap's ids.
      var node, way: Int64
      var street: String?
      /// Degrees clockwise from north.
      var bearing: Double
      /// Metres to the next junction.
      var length: Double
      /// People who come by.
      var people: Int
    }

    var type = "Feature"
    var geometry: Geometry
    var properties: Properties
  }

  private let type = "FeatureCollection"
  private let features: [Feature]

  init(_ plan: ConvergentPlan, _ graph: StreetGraph) {
    let load = plan.plan.load(arcs: graph.edges.count)
    features = zip(graph.nodes, plan.next).compactMap { node, arc in
      guard let arc else { return nil }
      let edge = graph.edges[arc]
      let street = graph.streets[edge.street]
      return Feature(
        geometry: .init(coordinates: [node.position.longitude, node.position.latitude]),
        properties: .init(
          node: node.id, way: street.way, street: street.name, bearing: (edge.bearing * 10).rounded() / 10,
          length: (edge.length * 10).rounded() / 10, people: load[arc]))
    }
  }

  func write(to path: String) throws {
    do { try JSONEncoder().encode(self).write(to: URL(filePath: path)) } catch {
      throw ValidationError("\(path) cannot be written: \(error.localizedDescription)")
    }
  }
}
