import Evacuation
import NGSI
import Streets
import TestSupport
import Testing

/// Real streets, with so few people and such long steps that a debug build is done in seconds; the full size is measured
/// by `Tests/program/test_evacuation.py`.
@Suite struct HelsinkiTests {
  @Test func centralHelsinkiIsLeftAsQuicklyAsCanBe() throws {
    let name = "HelsinkiTests.centralHelsinkiIsLeftAsQuicklyAsCanBe"
    guard let file = Oracle.data("geo/helsinki-centre.osm.pbf", for: name) else { return }
    let streets = StreetEvacuation.walkingGraph(of: try StreetGraph(try StreetWays(pbf: file.path)))
    let exits = streets.boundary.map { EvacuationNetwork.Exit(node: $0) }
    let sources = StreetEvacuation.placing(3_000, on: streets, exits: exits, seed: 2)
    let network = try StreetEvacuation(streets, sources: sources, exits: exits, step: 20).network
    let found = try BoundedPlan.best(network)
    #expect(PlanCheck(found.plan, for: network).isGood)
    #expect(found.factor == 1 && found.isEarliestArrival)
    guard
      let answer = try Oracle.ask(
        "evacuation_oracle.py",
        ["networks": [network.question(horizon: found.plan.makespan + 5, pattern: false)]], for: name)
    else { return }
    #expect(answer["answers"]?.array?.first?["makespan"]?.integer == Int64(found.plan.makespan))
  }
}
