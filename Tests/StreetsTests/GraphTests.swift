import Foundation
import Streets
import Testing

/// Ways to graphs, on small maps drawn by hand.
@Suite struct GraphTests {
  /// Nodes 0, 1, 2 … on a line to the east, 0.001 degrees (111.19 m at the equator) apart.
  private func nodes(_ count: Int) -> [StreetWays.Node] {
    (0..<count).map { .init(id: Int64(100 + $0), position: .init(longitude: Double($0) / 1000, latitude: 0)) }
  }

  private func way(_ id: Int64, _ nodes: [Int?], _ tags: [String: String]) -> StreetWay {
    StreetWay(id: id, nodes: nodes, tags: tags)
  }

  @Test func waysAreSplitWhereTheyMeet() throws {
    let graph = try StreetGraph(
      StreetWays(
        nodes: nodes(5),
        ways: [
          way(1, [0, 1, 2], ["highway": "residential", "name": "Long"]), way(2, [1, 3, 4], ["highway": "footway"]),
        ]))
    #expect(graph.nodes.map(\.id) == [100, 101, 102, 104])
    #expect(graph.edges.count == 6)
    let lengths = graph.edges.map { ($0.length * 10).rounded() / 10 }
    #expect(lengths == [111.2, 111.2, 111.2, 111.2, 333.6, 333.6])
    #expect(graph.edges.map(\.isDrivable) == [true, true, true, true, false, false])
    #expect(graph.edges[0].bearing == 90 && graph.edges[1].bearing == 270)
    #expect(graph.streets[0].name == "Long")
  }

  @Test func anInterruptedWayIsCutOnBothSides() throws {
    let graph = try StreetGraph(
      StreetWays(nodes: nodes(4), ways: [way(1, [0, 1, nil, 2, 3], ["highway": "path"])]))
    #expect(graph.edges.count == 4)
    #expect(Set(graph.nodes.filter(\.isCut).map(\.id)) == [101, 102])
    #expect(graph.largestPart.nodes.map(\.id) == [100, 101])
    #expect(graph.boundary.count == 2)
  }

  @Test func aRoundIsNoLoop() throws {
    let graph = try StreetGraph(
      StreetWays(nodes: nodes(3), ways: [way(1, [0, 1, 2, 0], ["highway": "service"])]))
    #expect(graph.edges.allSatisfy { $0.from != $0.to })
    #expect(graph.edges.count == 4)
  }

  @Test func oneWayStreetsBindCarsOnly() throws {
    let ways = [
      way(1, [0, 1], ["highway": "primary", "oneway": "yes", "lanes": "3", "maxspeed": "30 mph"]),
      way(2, [1, 2], ["highway": "residential", "oneway": "-1", "foot": "no"]),
      way(3, [2, 3], ["highway": "tertiary", "junction": "roundabout", "motor_vehicle": "no"]),
    ]
    let graph = try StreetGraph(StreetWays(nodes: nodes(4), ways: ways))
    #expect(graph.edges.map(\.isDrivable) == [true, false, true, false, false])
    #expect(graph.edges.map(\.isWalkable) == [true, true, false, true, true])
    #expect(graph.edges[2].isForward == false)
    #expect(graph.streets[0].lanesEachWay == 3 && abs(graph.streets[0].speed - 48.28) < 0.01)
  }

  @Test(arguments: [
    (["highway": "motorway"], false, true), (["highway": "cycleway"], false, false),
    (["highway": "cycleway", "foot": "designated"], true, false),
    (["highway": "service", "access": "private"], false, false),
    (["highway": "service", "access": "private", "foot": "yes"], true, false),
    (["highway": "footway", "access": "yes"], true, false), (["highway": "pedestrian", "area": "yes"], false, false),
    (["highway": "construction"], false, false), (["highway": "steps"], true, false),
    (["highway": "trunk", "foot": "yes"], true, true),
  ])
  func accessFollowsTheTags(_ tags: [String: String], _ isWalked: Bool, _ isDriven: Bool) {
    let graph = try? StreetGraph(StreetWays(nodes: nodes(2), ways: [way(1, [0, 1], tags)]))
    #expect((graph?.edges.contains(where: \.isWalkable) ?? false) == isWalked)
    #expect((graph?.edges.contains(where: \.isDrivable) ?? false) == isDriven)
  }

  @Test func noStreetsIsSaid() {
    #expect(throws: StreetsError.noStreets) {
      try StreetGraph(StreetWays(nodes: nodes(2), ways: [way(1, [0, 1], ["highway": "proposed"])]))
    }
  }
}
