import NGSI
import NIOHTTP1
import Testing

@testable import HubHTTP

/// The description of the API says what is routed, and all of it.
// Clauses: none: the standard's own description is another one
@Suite struct OpenAPITests {
  private static let samples = [
    "typeName": "A", "attrId": "a", "operation": "create", "type": "A", "url": "u", "door": "d", "token": "t",
    "adapter": "a", "dataset": "d", "grant": "g", "decision": "approve",
  ]

  /// Segments of a path below its door, with something in place of what is in braces.
  private static func segments(_ path: String, below prefix: String) -> [String] {
    path.dropFirst(prefix.count).split(separator: "/").map { segment in
      segment.hasPrefix("{") ? samples[String(segment.dropFirst().dropLast())] ?? "urn:x:1" : String(segment)
    }
  }

  private static func methods(_ allowed: String) -> Set<String> {
    Set(allowed.split(separator: ",").map { $0.drop { $0 == " " } }.map(String.init)).subtracting(["HEAD", "OPTIONS"])
  }

  private static func described(below prefix: String) -> [String: Set<String>] {
    OpenAPI.operations.reduce(into: [:]) { found, operation in
      guard operation.path.hasPrefix(prefix) else { return }
      found[operation.path, default: []].insert(operation.method.rawValue)
    }
  }

  @Test(arguments: ["/ngsi-ld/v1/", "/city/v1/"]) func eachPathHasTheMethodsThatAreRouted(prefix: String) {
    for (path, methods) in Self.described(below: prefix) {
      let segments = Self.segments(path, below: prefix)
      let collection = segments.first ?? ""
      let rest = Array(segments.dropFirst())
      let routed = prefix == "/city/v1/" ? CityAPI.methods(collection, rest) : API.methods(collection, rest)
      #expect(routed.map(Self.methods) == methods, "\(path)")
    }
  }

  /// Every resource that has methods is described: what `Allow` knows, walked through by the names that there are.
  @Test func eachRouteIsDescribed() {
    let shapes = Set(OpenAPI.hub.map { Self.shape(Self.segments($0.path, below: "/ngsi-ld/v1/")) })
    let collections = [
      "entities", "entityOperations", "temporal", "subscriptions", "csourceSubscriptions", "csourceRegistrations",
      "types", "attributes", "info", "entityMaps", "snapshots", "jsonldContexts",
    ]
    for collection in collections {
      for first in [nil, "urn:x:1", "entities", "entityMaps", "sourceIdentity", "create", "query", "entityOperations"] {
        for second in [nil, "urn:x:1", "attrs", "clone", "query"] where first != nil || second == nil {
          for third in [nil, "a", "attrs"] where second != nil || third == nil {
            for tail in [[], ["a"], ["a", "urn:x:1"]] where third != nil || tail.isEmpty {
              let path = [first, second, third].compactMap { $0 } + tail
              guard API.methods(collection, path) != nil else { continue }
              #expect(shapes.contains(Self.shape([collection] + path)), "\(collection) \(path)")
            }
          }
        }
      }
    }
  }

  @Test func eachResourceOfTheCityIsDescribed() {
    let described = Set(Self.described(below: "/city/v1/").keys.map { Self.segments($0, below: "/city/v1/") })
    let names = ["d", "g", "u", "a", "t", "urn:x:1", "discard"]
    let collections = [
      "validation", "models", "schemas", "ingest", "notifications", "adapters", "datasets", "catalogue", "refusals",
      "grants", "rules",
    ]
    for collection in collections {
      let paths = [[]] + names.map { [$0] } + names.map { [$0, "approve"] }
      let routed = paths.filter { CityAPI.methods(collection, $0) != nil }
      #expect(!routed.isEmpty)
      for length in Set(routed.map(\.count)) {
        #expect(described.contains { $0.first == collection && $0.count == length + 1 }, "\(collection) \(length)")
      }
    }
  }

  /// A path by its fixed words; what is a name of somebody's becomes the same.
  private static func shape(_ segments: [String]) -> [String] {
    let fixed: [Set<String>] =
      switch segments.first {
      case "temporal": [[], ["entities", "entityMaps", "entityOperations"], ["query"], ["attrs"]]
      case "info": [[], ["sourceIdentity"]]
      default: [[], [], ["attrs", "clone"]]
      }
    return segments.enumerated().map { index, segment in
      if index == 0 { return segment }
      if segments[0] == "entityOperations" { return "operation" }
      if index == 2, segments[0] == "temporal", segments[1] != "entityOperations" { return "*" }
      return index < fixed.count && fixed[index].contains(segment) ? segment : "*"
    }
  }

  @Test func theDocumentIsWhole() throws {
    let document = OpenAPI.document(version: "1.0")
    #expect(document["openapi"]?.string == "3.1.0")
    let ids = OpenAPI.operations.compactMap { $0.json["operationId"]?.string }
    #expect(Set(ids).count == OpenAPI.operations.count, "each operation has a name of its own")
    // Each reference leads somewhere.
    func references(_ json: JSON) -> [String] {
      switch json {
      case .object(let object): object.flatMap { $0.key == "$ref" ? [$0.value.string ?? ""] : references($0.value) }
      case .array(let items): items.flatMap(references)
      default: []
      }
    }
    for reference in Set(references(document)) {
      var place: JSON? = document
      for step in reference.dropFirst(2).split(separator: "/") { place = place?[String(step)] }
      #expect(place != nil, "\(reference)")
    }
  }
}
