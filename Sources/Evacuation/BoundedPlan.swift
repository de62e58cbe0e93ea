/// A plan for networks that are too large for an exact one, with a bound that says how far it can be from the best.
///
/// Steps are put together, `factor` at a time, and the exact planner works on those. Each node has a clock of its own
/// for this, ahead by the steps from there to the nearest exit, so that a way to the nearest exit takes no time by
/// these clocks and loses nothing to rounding; detours are rounded down and arcs take `factor` times as many people.
/// All that is possible is possible there too, so its last arrival bounds every plan from below. Its ways are then
/// walked in the network as it is (`QueueReplay`), which is the plan.
public struct BoundedPlan: Sendable {
  public let plan: EvacuationPlan
  /// No plan has its last arrival before this step.
  public let lowerBound: Int
  public let factor: Int
  /// Whether as many people as possible are at an exit by every step.
  public let isEarliestArrival: Bool

  /// How much later the last person may be than necessary, as a part of the bound.
  public var gap: Double { lowerBound == 0 ? 0 : Double(plan.makespan - lowerBound) / Double(lowerBound) }

  /// Cells up to which a plan is exact: nearly three times central Helsinki with 20,000 people and steps of 5 s. Beyond, an
  /// exact plan can take minutes.
  public static let cellLimit = 4 << 20

  /// An exact plan where the cells (arcs times steps) allow, otherwise a bounded one with as few steps put together as
  /// they allow.
  /// - Throws: `unreachable`, `tooLittleRoom`; `tooLarge` when even 256 steps put together are too many.
  public static func best(
    _ network: EvacuationNetwork, cellLimit: Int = BoundedPlan.cellLimit
  ) throws(EvacuationError) -> BoundedPlan {
    let isExit = Set(network.exits.map(\.node))
    let gates = network.arcs.lazy.filter { isExit.contains($0.to) && !isExit.contains($0.from) && !$0.isBlocked }
    let passing = network.people / max(1, gates.reduce(0) { $0 + $1.capacity })
    let least = max(network.stepsToExit().lazy.compactMap { $0 }.max() ?? 0, passing) + 1
    var factor = 1
    while true {
      do throws(EvacuationError) {
        guard least / factor * network.arcs.count <= cellLimit else {
          throw EvacuationError.tooLarge(cells: least / factor * network.arcs.count, limit: cellLimit)
        }
        return try BoundedPlan(network, factor: factor, cellLimit: cellLimit)
      } catch {
        guard case .tooLarge = error, factor < 256 else { throw error }
        factor *= 2
      }
    }
  }

  /// - Throws: `unreachable`, `tooLittleRoom`, `tooLarge`; `invalid` for a factor that is not 1 ... 256
  public init(
    _ network: EvacuationNetwork, factor: Int, cellLimit: Int = QuickestPlan.cellLimit
  ) throws(EvacuationError) {
    guard (1...256).contains(factor) else { throw .invalid("\(factor) steps put together") }
    self.factor = factor
    if factor == 1 {
      let exact = try QuickestPlan(network, cellLimit: cellLimit)
      plan = exact.plan
      lowerBound = exact.plan.makespan
      isEarliestArrival = exact.isEarliestArrival
      return
    }
    let ahead = network.stepsToExit()
    let arcs = network.arcs.map { arc in
      guard let begin = ahead[arc.from], let end = ahead[arc.to], !arc.isBlocked, arc.capacity > 0 else {
        return EvacuationNetwork.Arc(from: arc.from, to: arc.to, transit: 0, capacity: 0, isBlocked: true)
      }
      return EvacuationNetwork.Arc(
        from: arc.from, to: arc.to, transit: (arc.transit + end - begin) / factor,
        capacity: min(arc.capacity * factor, EvacuationNetwork.bounds.people))
    }
    let coarse = try EvacuationNetwork(
      nodeCount: network.nodeCount, arcs: arcs,
      sources: network.sources.map {
        EvacuationNetwork.Source(
          node: $0.node, people: $0.people, ready: ($0.ready + (ahead[$0.node] ?? 0)) / factor)
      },
      exits: network.exits)
    let found = try QuickestPlan(coarse, cellLimit: cellLimit).plan
    let longest = network.sources.lazy.filter { $0.people > 0 }.map { $0.ready + (ahead[$0.node] ?? 0) }.max() ?? 0
    lowerBound = max(found.makespan * factor, longest)
    let itineraries = found.groups.map { group in
      let source = network.sources[group.source]
      let clock = (group.moves.first?.step ?? group.arrival) * factor
      return QueueReplay.Itinerary(
        source: group.source, people: group.people, departure: max(source.ready, clock - (ahead[source.node] ?? 0)),
        arcs: group.moves.map(\.arc), exit: group.exit)
    }
    guard let plan = QueueReplay.plan(itineraries.sorted { $0.departure < $1.departure }, on: network) else {
      throw .invalid("a way leads over an arc that nobody may enter")
    }
    self.plan = plan
    isEarliestArrival = false
  }
}
