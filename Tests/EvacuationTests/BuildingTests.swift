import Evacuation
import Testing

/// Cases of the RiMEA guideline (version 4.1, 2022, annex of test cases) that a model of flows can do; docs/evacuation.md says
/// which it cannot.
@Suite struct BuildingTests {
  private func solve(_ building: Building, step: Double) throws -> (network: EvacuationNetwork, plan: EvacuationPlan) {
    let network = try building.network(step: step, figures: figures)
    let plan = try QuickestPlan(network).plan
    #expect(PlanCheck(plan, for: network).isGood)
    return (network, plan)
  }

  /// Free walking: a density at which people do not hinder each other.
  private let figures: WalkingFigures = {
    var figures = WalkingFigures.buildings
    figures.levelConstant = 1.33 / (1 - 0.266 * figures.density)
    return figures
  }()

  @Test("RiMEA 1: a corridor of 40 m at 1.33 m/s takes 26 to 34 s")
  func corridor() throws {
    let building = Building(
      rooms: [.init("begin", people: 1), .init("end", shelter: .unlimited)],
      passages: [.init(.corridor, from: "begin", to: "end", width: 2, length: 40)])
    let seconds = Double(try solve(building, step: 0.5).plan.makespan) * 0.5
    #expect((26...34).contains(seconds))
  }

  @Test("RiMEA 2 and 3: a stair of 10 m takes its length by its speed")
  func stair() throws {
    let building = Building(
      rooms: [.init("begin", people: 1), .init("end", shelter: .unlimited)],
      passages: [.init(.stair, from: "begin", to: "end", width: 2, length: 10)])
    let seconds = Double(try solve(building, step: 0.1).plan.makespan) * 0.1
    #expect(abs(seconds - 10 / figures.speed(onStairs: true)) <= 0.1)
  }

  @Test("RiMEA 5: nobody sets out before his reaction time")
  func reaction() throws {
    let building = Building(
      rooms: [
        .init("a", people: 5, reaction: 10), .init("b", people: 5, reaction: 100), .init("out", shelter: .unlimited),
      ],
      passages: [
        .init(.door, from: "a", to: "out", width: 1, length: 4),
        .init(.door, from: "b", to: "out", width: 1, length: 4),
      ])
    let (network, plan) = try solve(building, step: 1)
    for group in plan.groups { #expect(group.moves[0].step >= (network.sources[group.source].ready == 10 ? 10 : 100)) }
    #expect(plan.makespan >= 103)
  }

  @Test("RiMEA 9: with half the doors 1000 people take about twice as long")
  func halls() throws {
    func hall(_ doors: Int) -> Building {
      let outside = (0..<doors).map { Building.Room("out \($0)", shelter: .unlimited) }
      return Building(
        rooms: [.init("hall", people: 1_000)] + outside,
        passages: outside.map { .init(.door, from: "hall", to: $0.name, width: 1, length: 10) })
    }
    let four = try solve(hall(4), step: 2).plan.makespan
    let two = try solve(hall(2), step: 2).plan.makespan
    #expect((1.8...2.1).contains(Double(two) / Double(four)))
  }

  @Test("RiMEA 12: a line forms before a narrow place and not behind it")
  func bottleneck() throws {
    let building = Building(
      rooms: [.init("room", people: 150), .init("behind"), .init("out", shelter: .unlimited)],
      passages: [
        .init(.door, from: "room", to: "behind", width: 1, length: 5, isOneWay: true),
        .init(.corridor, from: "behind", to: "out", width: 5, length: 10, isOneWay: true),
      ])
    let (network, plan) = try solve(building, step: 2)
    #expect(network.arcs[0].capacity < network.arcs[1].capacity)
    let itineraries = [QueueReplay.Itinerary(source: 0, people: 150, departure: 0, arcs: [0, 1], exit: 0)]
    let walked = try #require(QueueReplay.plan(itineraries, on: network))
    #expect(PlanCheck(walked, for: network).isGood)
    #expect(walked.makespan == plan.makespan)
    for group in walked.groups {
      #expect(group.moves[1].step == group.moves[0].step + network.arcs[0].transit, "somebody waits behind the door")
    }
    #expect(walked.groups.contains { $0.moves[0].step > 20 })
  }

  @Test("RiMEA 13: the stair lets through less than the corridor, so that people wait before it")
  func beforeTheStair() throws {
    let building = Building(
      rooms: [.init("foyer", people: 150), .init("landing"), .init("out", shelter: .unlimited)],
      passages: [
        .init(.corridor, from: "foyer", to: "landing", width: 2, length: 12, isOneWay: true),
        .init(.stair, from: "landing", to: "out", width: 2, length: 10, isOneWay: true),
      ])
    let (network, _) = try solve(building, step: 2)
    #expect(network.arcs[1].capacity < network.arcs[0].capacity)
    let itineraries = [QueueReplay.Itinerary(source: 0, people: 150, departure: 0, arcs: [0, 1], exit: 0)]
    let walked = try #require(QueueReplay.plan(itineraries, on: network))
    let waits = walked.groups.map { $0.moves[1].step - $0.moves[0].step - network.arcs[0].transit }
    #expect((waits.max() ?? 0) > 3)
  }

  @Test("RiMEA 14: the longer way is taken only when the shorter one is full")
  func detour() throws {
    func building(_ people: Int) -> Building {
      Building(
        rooms: [.init("begin", people: people), .init("a"), .init("b"), .init("out", shelter: .unlimited)],
        passages: [
          .init(.corridor, from: "begin", to: "a", width: 2, length: 10),
          .init(.door, from: "a", to: "out", width: 1, length: 10),
          .init(.corridor, from: "begin", to: "b", width: 2, length: 60),
          .init(.door, from: "b", to: "out", width: 1, length: 60),
        ])
    }
    let few = try solve(building(1), step: 2)
    #expect(few.plan.groups.allSatisfy { few.network.arcs[$0.moves[0].arc].to == 1 })
    let many = try solve(building(500), step: 2)
    #expect(many.plan.groups.contains { many.network.arcs[$0.moves[0].arc].to == 2 })
  }

  @Test func badBuildingsAreRefused() {
    let rooms = [Building.Room("a", people: 1), Building.Room("b", shelter: .unlimited)]
    let door = Building.Passage(.door, from: "a", to: "b", width: 1, length: 1)
    for (building, step) in [
      (Building(rooms: rooms + [rooms[0]], passages: [door]), 1.0), (Building(rooms: rooms, passages: [door]), 0),
      (Building(rooms: rooms, passages: [.init(.door, from: "a", to: "c", width: 1, length: 1)]), 1),
      (Building(rooms: rooms, passages: [.init(.door, from: "a", to: "b", width: 0, length: 1)]), 1),
      (Building(rooms: [rooms[0]], passages: []), 1),
    ] {
      #expect(throws: EvacuationError.self) { try building.network(step: step) }
    }
  }
}
