import Foundation
import Fuzzing
import NGSI
import Query
import Testing
import TestSupport

// Clauses: 4.10, 5.2.13
@Suite struct GeoTests {
  private func filter(_ georel: String, _ geometry: String, _ coordinates: String) throws -> GeoFilter {
    try GeoFilter(georel: georel, geometry: geometry, coordinates: coordinates, context: context)
  }

  @Test func readsTheExamplesOfTheStandard() throws {
    let near = try GeoFilter(
      georel: "near;maxDistance==2000", geometry: "Point", coordinates: "[8,40]", geoproperty: "observationSpace",
      context: context)
    #expect(near.relation == .nearMax(2000) && near.property == Core.observationSpace)
    let within = try filter("within", "Polygon", "[[[100.0,0.0],[101.0,0.0],[101.0,1.0],[100.0,1.0],[100.0,0.0]]]")
    #expect(within.property == Core.location)
    #expect(within.window == BoundingBox(west: 100, south: 0, east: 101, north: 1))
    let json = try JSONParser.parse(#"{"georel":"within","geometry":"Point","coordinates":"[1,2]","geoproperty":"p"}"#)
    #expect(try GeoFilter(json: json, context: context).property == example + "p")
  }

  @Test(arguments: [
    ("near", "Point", "[1,2]"), ("near;maxDistance==0", "Point", "[1,2]"), ("near;maxDistance==-5", "Point", "[1,2]"),
    ("near;maxDistance==x", "Point", "[1,2]"), ("near;midDistance==5", "Point", "[1,2]"), ("touches", "Point", "[1,2]"),
    ("near;maxDistance==1e999", "Point", "[1,2]"), ("within;x", "Point", "[1,2]"), ("within", "Circle", "[1,2]"),
    ("within", "GeometryCollection", "[]"), ("within", "Point", "[1]"), ("within", "Point", "[1,200]"),
    ("within", "Point", "1,2"), ("within", "Point", "\"x\""), ("within", "MultiPoint", "[]"),
    ("within", "Polygon", "[[[0,0],[1,0],[1,1]]]"), ("within", "Polygon", "[[[0,0],[1,1],[1,0],[0,1],[0,0]]]"),
    ("within", "LineString", "[[1,1],[1,1]]"), ("within", "Point", "[[[[[[[[[[1]]]]]]]]]]"),
  ])
  func refuses(_ georel: String, _ geometry: String, _ coordinates: String) {
    #expect(throws: Problem.self) { try filter(georel, geometry, coordinates) }
  }

  @Test func aStoredGeometryThatCrossesItselfMatchesNothing() throws {
    let bowtie = try JSONParser.parse(#"{"type":"Polygon","coordinates":[[[0,0],[2,2],[2,0],[0,2],[0,0]]]}"#)
    for georel in [
      "within", "contains", "intersects", "disjoint", "overlaps", "equals", "near;maxDistance==1e6",
      "near;minDistance==1",
    ] {
      let matcher = try GeoMatcher(try filter(georel, "Point", "[0.5,0.5]"))
      #expect(!matcher.matches(bowtie))
      #expect(!matcher.matches("no geometry"))
      #expect(!matcher.matches(["type": "Polygon", "coordinates": [[1, 2]]]))
    }
  }

  /// What GEOS calls invalid is taken where its inside is beyond doubt, and refused where it is not.
  @Test(arguments: [
    // A bow tie; one with its crossing near a corner, yet more than a sliver; a figure walked twice; no area.
    ("[[[0,0],[2,2],[2,0],[0,2],[0,0]]]", false), ("[[[0,0],[10,0],[10,10],[9,-1],[0,10],[0,0]]]", false),
    ("[[[0,0],[1,0],[1,1],[0,0],[1,0],[1,1],[0,0]]]", false), ("[[[0,0],[1,1],[2,2],[0,0]]]", false),
    // A hole outside its shell; a hole as large as the shell.
    ("[[[0,0],[1,0],[1,1],[0,1],[0,0]],[[5,5],[6,5],[6,6],[5,6],[5,5]]]", false),
    ("[[[0,0],[1,0],[1,1],[0,1],[0,0]],[[0,0],[1,0],[1,1],[0,1],[0,0]]]", false),
    // The wrong way round; a corner twice; a spike; a ring that touches itself; a sliver cut off.
    ("[[[0,0],[0,1],[1,1],[1,0],[0,0]]]", true), ("[[[0,0],[0,0],[1,0],[1,1],[0,0]]]", true),
    ("[[[0,0],[2,0],[2,2],[2,5],[2,2],[0,2],[0,0]]]", true),
    ("[[[0,0],[4,0],[4,4],[2,0],[0,4],[0,0]]]", true),
    ("[[[0,0],[0.001,0],[0,-1],[100,-1],[100,-0.0005],[0,0]]]", true),
  ])
  func polygonsHaveAnInsideOrAreRefused(_ coordinates: String, _ isSound: Bool) throws {
    let polygon: JSON = ["type": "Polygon", "coordinates": try JSONParser.parse(coordinates)]
    #expect((Geometry.unsoundness(of: polygon) == nil) == isSound, "\(Geometry.unsoundness(of: polygon) ?? "sound")")
    guard isSound else {
      #expect(throws: Problem.self) { try GeoMatcher(try filter("within", "Polygon", coordinates)) }
      return
    }
    // It equals itself, and all of it lies within the whole world and not outside.
    #expect(try GeoMatcher(try filter("equals", "Polygon", coordinates)).matches(polygon))
    let world = "[[[-180,-90],[180,-90],[180,90],[-180,90],[-180,-90]]]"
    #expect(try GeoMatcher(try filter("within", "Polygon", world)).matches(polygon))
    #expect(try !GeoMatcher(try filter("disjoint", "Polygon", world)).matches(polygon))
  }

  /// What takes time with the square of the positions has a bound that holds.
  @Test func scribblesCostLittle() throws {
    var random = SystemRandomNumberGenerator()
    for count in [1000, Geometry.maxAreaPositions - 1] {
      var ring: [JSON] = (0..<count).map { _ in
        [.double(.random(in: 0...1, using: &random)), .double(.random(in: 0...1, using: &random))]
      }
      ring.append(ring[0])
      let time = processorTime {
        #expect(Geometry.unsoundness(of: ["type": "Polygon", "coordinates": .array([.array(ring)])]) != nil)
      }
      #expect(time < .seconds(5))
    }
    let large = JSON.array([.array(Array(repeating: [1, 1], count: Geometry.maxAreaPositions + 1))])
    #expect(Geometry.failure(of: ["type": "Polygon", "coordinates": large])?.contains("at most") == true)
  }

  /// Valid polygons that GEOS takes seconds to find so are refused; large ones as they occur, and smaller ones of the same
  /// form, are taken.
  @Test func intricatePolygonsAreRefused() throws {
    func around(_ count: Int, radius: (Int) -> Double) -> [(Double, Double)] {
      (0..<count).map { index in
        let angle = 2 * Double.pi * Double(index) / Double(count)
        let reach = radius(index)
        return (reach * cos(angle), reach * sin(angle))
      }
    }
    func spikes(_ count: Int) -> [(Double, Double)] { around(count) { $0.isMultiple(of: 2) ? 10 : 0.5 } }
    /// A band that winds inwards and back.
    func spiral(_ count: Int) -> [(Double, Double)] {
      let step = 40.0 / Double(count)
      let inwards = (0..<count / 8).flatMap { turn -> [(Double, Double)] in
        let near = Double(turn) * step
        return [(near, near), (10 - near, near), (10 - near, 10 - near), (near + step, 10 - near)]
      }
      let back: [(Double, Double)] = inwards.reversed().map {
        ($0 + ($0 < 5 ? step / 2 : -step / 2), $1 + ($1 < 5 ? step / 2 : -step / 2))
      }
      return inwards + back
    }
    var random = Seeded(3)
    var height = 10.0
    let coast = around(Geometry.maxAreaPositions - 1) { _ in
      height += Double.random(in: -0.0004...0.0004, using: &random)
      return height
    }
    let teeth: [(Double, Double)] = (0..<4_900).flatMap { tooth -> [(Double, Double)] in
      let y = Double(tooth) * 0.001
      return [(0.001, y), (10, y), (10, y + 0.0005), (0.001, y + 0.0005)]
    }
    let comb: [(Double, Double)] = teeth + [(0.0, 4.9), (0.0, 0.0)]
    let cases: [(String, [(Double, Double)], Bool)] = [
      ("spikes", spikes(1_000), true), ("spikes", spikes(19_998), false), ("spiral", spiral(1_000), true),
      ("spiral", spiral(19_000), false), ("coast", coast, true), ("comb", comb, true),
    ]
    for (name, corners, isTaken) in cases {
      let ring = (corners + corners.prefix(1)).map { JSON.array([.double($0.0), .double($0.1)]) }
      let polygon: JSON = ["type": "Polygon", "coordinates": .array([.array(ring)])]
      #expect(Geometry.failure(of: polygon) == nil)
      let began = ContinuousClock.now
      let fault = Geometry.unsoundness(of: polygon)
      print("\(name) of \(corners.count): \(fault ?? "taken") in \(began.duration(to: .now))")
      #expect(fault.map { $0.contains("too long to tell") } ?? isTaken, "\(name) \(fault ?? "")")
      #expect((fault == nil) == isTaken)
    }
  }

  @Test func nearReachesAcrossTheAntimeridianAndThePole() throws {
    func point(_ longitude: Double, _ latitude: Double) -> JSON {
      ["type": "Point", "coordinates": [.double(longitude), .double(latitude)]]
    }
    let fiji = try GeoMatcher(try filter("near;maxDistance==50000", "Point", "[179.9,-17]"))
    #expect(fiji.matches(point(-179.9, -17)))
    #expect(!fiji.matches(point(-179, -17)))
    let pole = try GeoMatcher(try filter("near;maxDistance==50000", "Point", "[0,89.9]"))
    #expect(pole.matches(point(180, 89.9)))
    #expect(pole.matches(point(-90, 89.8)))
    let line = try GeoMatcher(try filter("near;maxDistance==50000", "LineString", "[[179,-17],[180,-17]]"))
    #expect(line.matches(point(-179.9, -17)))
  }

  /// A window is too narrow if a position inside the distance is outside of it.
  @Test func windowsNeverUnderSelect() throws {
    var random = Seeded(7)
    func number(_ low: Double, _ high: Double) -> Double { Double.random(in: low...high, using: &random) }
    var inside = 0
    for _ in 0..<10_000 {
      let latitude = random.chance(30) ? number(85, 90) * (random.chance(50) ? 1 : -1) : number(-90, 90)
      let longitude = random.chance(30) ? number(178, 180) * (random.chance(50) ? 1 : -1) : number(-180, 180)
      let metres = number(1, random.chance(20) ? 9_000_000 : 200_000)
      let reach = metres / 111_000
      let other: JSON = [
        "type": "Point",
        "coordinates": [
          .double(max(-180, min(180, wrapped(longitude + number(-1, 1) * reach * (random.chance(30) ? 50 : 2))))),
          .double(max(-90, min(90, latitude + number(-1, 1) * reach))),
        ],
      ]
      let reference: JSON = ["type": "Point", "coordinates": [.double(longitude), .double(latitude)]]
      let near = try GeoFilter(relation: .nearMax(metres), reference: reference)
      var unbounded = near
      unbounded.window = nil
      guard try GeoMatcher(unbounded).matches(other) else { continue }
      inside += 1
      let box = try #require(Geometry.boundingBox(of: other))
      let window = try #require(near.window)
      #expect(window.intersects(box), "\(metres) m around \(longitude), \(latitude): \(window) misses \(box)")
      #expect(window.west <= window.east)
    }
    #expect(inside > 1_500)
  }

  private func wrapped(_ longitude: Double) -> Double {
    var longitude = longitude.truncatingRemainder(dividingBy: 360)
    if longitude > 180 { longitude -= 360 }
    if longitude < -180 { longitude += 360 }
    return longitude
  }

  @Test func boundsOfEveryGeometry() throws {
    for (text, box) in [
      (#"{"type":"Point","coordinates":[1,2,3]}"#, BoundingBox(west: 1, south: 2, east: 1, north: 2)),
      (#"{"type":"LineString","coordinates":[[1,2],[-3,4]]}"#, BoundingBox(west: -3, south: 2, east: 1, north: 4)),
      (
        #"{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[9,9]},{"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],[1,1],[0,0]]]]}]}"#,
        BoundingBox(west: 0, south: 0, east: 9, north: 9)
      ),
    ] {
      #expect(Geometry.boundingBox(of: try JSONParser.parse(text)) == box)
    }
    for bad in ["null", "5", "{}", #"{"type":"Point","coordinates":[]}"#, #"{"type":"MultiPoint","coordinates":[]}"#] {
      #expect(Geometry.boundingBox(of: try JSONParser.parse(bad)) == nil)
    }
  }
}
