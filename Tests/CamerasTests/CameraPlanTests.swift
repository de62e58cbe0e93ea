import Cameras
import City
import Testing
import Vision

@Suite struct CameraPlanTests {
  @Test func aPlanIsReadFromYAML() throws {
    let plan = try CameraPlan(
      text: """
        zones:
          - id: yard
            rule: intrusion
            area: [[0, 0], [1, 0], [1, 1]]
            dwell: 1.5
            leastHeight: 0.1
          - id: gate
            rule: lineCrossing
            line: [[0.5, 0], [0.5, 1]]
            direction: rightToLeft
          - id: stop
            rule: crowd
            area: [[0, 0], [1, 0], [1, 1]]
            people: 7
        masks:
          - [[0, 0], [0.2, 0], [0.2, 0.3]]
        """, file: "camera.yaml")
    let corner = Polygon([Point(x: 0, y: 0), Point(x: 1, y: 0), Point(x: 1, y: 1)])
    #expect(
      plan.zones == [
        Zone(id: "yard", rule: .intrusion(area: corner, dwell: 1.5), inertia: 2, leastHeight: 0.1),
        Zone(
          id: "gate",
          rule: .lineCrossing(begin: Point(x: 0.5, y: 0), end: Point(x: 0.5, y: 1), direction: .rightToLeft),
          inertia: 0.4),
        Zone(id: "stop", rule: .crowd(area: corner, people: 7, dwell: 5), inertia: 2),
      ])
    #expect(plan.masks == [Polygon([Point(x: 0, y: 0), Point(x: 0.2, y: 0), Point(x: 0.2, y: 0.3)])])
  }

  @Test func jsonIsYAML() throws {
    let plan = try CameraPlan(
      text: #"{"zones": [{"id": "a", "rule": "loitering", "area": [[0,0],[1,0],[1,1]]}]}"#, file: "camera.json")
    guard case .loitering(_, let dwell) = try #require(plan.zones.first).rule else {
      Issue.record("another rule")
      return
    }
    #expect(dwell == 60)
  }

  @Test(
    arguments: [
      ("{id: a, rule: intrusion}", "area"),
      ("{id: a, rule: intrusion, area: [[0,0],[1,1]]}", "area"),
      ("{id: a, rule: intrusion, area: [[0,0],[1,0],[2,1]]}", "number from 0 to 1"),
      ("{id: a, rule: lineCrossing, line: [[0,0],[1,1]], people: 3}", "people"),
      ("{id: a, rule: lineCrossing, line: [[0.5,0.5],[0.5,0.5]]}", "two different points"),
      ("{id: a, rule: crowd, area: [[0,0],[1,0],[1,1]]}", "people"),
      ("{id: a, rule: teleport}", "one of"),
    ])
  func whatIsWrongIsSaid(zone: String, says: String) {
    let error = #expect(throws: FileProblems.self) {
      try CameraPlan(text: "zones:\n  - \(zone)\n", file: "camera.yaml")
    }
    #expect(error?.description.contains(says) == true)
    #expect(error?.description.contains("camera.yaml:2") == true)
  }

  @Test func anIdStandsOnce() {
    let zone = "{id: a, rule: intrusion, area: [[0,0],[1,0],[1,1]]}"
    #expect(throws: FileProblems.self) {
      try CameraPlan(text: "zones:\n  - \(zone)\n  - \(zone)\n", file: "camera.yaml")
    }
  }
}
