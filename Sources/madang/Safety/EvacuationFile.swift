import ArgumentParser
import Evacuation
import Foundation

/// A network and its plan as JSON, so that others can check one against the other.
struct EvacuationFile: Encodable {
  /// From, to, steps, people a step.
  private let arcs: [[Int]]
  /// Node, people, first step.
  private let sources: [[Int]]
  /// Node, room (null: any).
  private let exits: [[Int?]]
  private let nodes: Int
  private let groups: [Group]

  private struct Group: Encodable {
    var source, people, exit, arrival: Int
    /// Arc and step of entering it, in turn.
    var moves: [[Int]]
  }

  init(_ network: EvacuationNetwork, _ plan: EvacuationPlan) {
    nodes = network.nodeCount
    arcs = network.arcs.map { [$0.from, $0.to, $0.transit, $0.capacity] }
    sources = network.sources.map { [$0.node, $0.people, $0.ready] }
    exits = network.exits.map { [$0.node, $0.capacity] }
    groups = plan.groups.map { group in
      Group(
        source: group.source, people: group.people, exit: group.exit, arrival: group.arrival,
        moves: group.moves.map { [$0.arc, $0.step] })
    }
  }

  func write(to path: String) throws {
    do { try JSONEncoder().encode(self).write(to: URL(filePath: path)) } catch {
      throw ValidationError("\(path) cannot be written: \(error.localizedDescription)")
    }
  }
}
