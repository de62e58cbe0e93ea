import Evacuation
import NGSI

/// A seeded generator for tests.
struct Dice {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func roll(_ range: ClosedRange<Int>) -> Int {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return range.lowerBound + Int(state % UInt64(range.count))
  }
}

extension EvacuationNetwork {
  /// A small network whose first nodes form a ring in both directions, so that everybody can reach an exit.
  static func random(_ dice: inout Dice, shelters: Bool = false, instant: Bool = false) throws -> EvacuationNetwork {
    let nodes = dice.roll(4...12)
    var arcs: [Arc] = []
    func arc(_ from: Int, _ to: Int, _ dice: inout Dice) {
      arcs.append(
        Arc(
          from: from, to: to, transit: dice.roll((instant ? 0 : 1)...4), capacity: dice.roll(1...4)))
    }
    for node in 0..<nodes {
      arc(node, (node + 1) % nodes, &dice)
      arc((node + 1) % nodes, node, &dice)
    }
    for _ in 0..<dice.roll(0...10) {
      let (from, to) = (dice.roll(0...(nodes - 1)), dice.roll(0...(nodes - 1)))
      if from != to { arc(from, to, &dice) }
    }
    let sources = (0..<dice.roll(1...6)).map { _ in
      Source(node: dice.roll(0...(nodes - 1)), people: dice.roll(0...20), ready: dice.roll(0...1) * dice.roll(0...6))
    }
    var taken: Set<Int> = []
    for _ in 0..<dice.roll(1...3) { taken.insert(dice.roll(0...(nodes - 1))) }
    let people = sources.reduce(0) { $0 + $1.people }
    var exits = taken.sorted().map { Exit(node: $0) }
    if shelters {
      for index in exits.indices { exits[index].capacity = dice.roll(0...(people / exits.count + 1)) }
      // Together they have room, just.
      let room = exits.reduce(0) { $0 + ($1.capacity ?? 0) }
      if room < people { exits[0].capacity = (exits[0].capacity ?? 0) + people - room }
    }
    return try EvacuationNetwork(nodeCount: nodes, arcs: arcs, sources: sources, exits: exits)
  }

  /// As `evacuation_oracle.py` reads it.
  func question(horizon: Int, pattern: Bool) -> JSON {
    func numbers(_ values: [Int]) -> JSON { .array(values.map { .integer(Int64($0)) }) }
    return [
      "nodes": .integer(Int64(nodeCount)),
      "arcs": .array(arcs.filter { !$0.isBlocked }.map { numbers([$0.from, $0.to, $0.transit, $0.capacity]) }),
      "sources": .array(sources.map { numbers([$0.node, $0.people, $0.ready]) }),
      "exits": .array(
        exits.map { .array([.integer(Int64($0.node)), $0.capacity.map { .integer(Int64($0)) } ?? .null]) }),
      "horizon": .integer(Int64(horizon)), "pattern": .bool(pattern),
    ]
  }
}
