import ArgumentParser
import Evacuation
import Foundation
import Streets

/// Exits out of a GeoJSON file: a FeatureCollection of points, each with the property `capacity` where a shelter has room
/// for only so many people.
enum ExitFile {
  static let maxBytes = 16 << 20
  static let maxExits = 10_000
  /// Metres from a point to the nearest junction beyond which the point is none of this district.
  static let maxDistance = 250.0

  private struct Collection: Decodable {
    struct Feature: Decodable {
      struct Geometry: Decodable {
        var type: String
        var coordinates: [Double]
      }
      struct Properties: Decodable { var capacity: Int? }

      var geometry: Geometry
      var properties: Properties?
    }

    var type: String
    var features: [Feature]
  }

  static func read(_ path: String, on streets: StreetGraph) throws -> [EvacuationNetwork.Exit] {
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    guard let size = attributes?[.size] as? Int, attributes?[.type] as? FileAttributeType == .typeRegular else {
      throw ValidationError("--exits must be `boundary` or a file; \(path) is neither.")
    }
    guard size <= maxBytes else { throw ValidationError("\(path) has \(size) bytes; at most \(maxBytes) are read.") }
    guard let data = FileManager.default.contents(atPath: path) else {
      throw ValidationError("the exits \(path) cannot be read.")
    }
    guard let found = try? JSONDecoder().decode(Collection.self, from: data), found.type == "FeatureCollection",
      found.features.allSatisfy({ $0.geometry.type == "Point" && $0.geometry.coordinates.count >= 2 })
    else { throw ValidationError("\(path) is no GeoJSON FeatureCollection of points.") }
    guard (1...maxExits).contains(found.features.count) else {
      throw ValidationError("\(path) has \(found.features.count) exits; it must have 1 to \(maxExits).")
    }
    var exits: [EvacuationNetwork.Exit] = []
    for (index, feature) in found.features.enumerated() {
      let place = Position(longitude: feature.geometry.coordinates[0], latitude: feature.geometry.coordinates[1])
      guard let (node, distance) = streets.nearest(to: place), distance <= maxDistance else {
        throw ValidationError("\(path): exit \(index) is more than \(Int(maxDistance)) m from every street.")
      }
      let capacity = feature.properties?.capacity
      guard capacity ?? 0 >= 0 else { throw ValidationError("\(path): exit \(index) has a capacity below 0.") }
      if let known = exits.firstIndex(where: { $0.node == node }) {
        // Two shelters at one junction are one with the room of both.
        exits[known].capacity = exits[known].capacity.flatMap { one in capacity.map { one + min($0, 10_000_000) } }
      } else {
        exits.append(EvacuationNetwork.Exit(node: node, capacity: capacity.map { min($0, 10_000_000) }))
      }
    }
    return exits
  }
}
