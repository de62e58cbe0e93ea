import Streets

/// The evacuation of a street graph on foot. Arc `i` of the network is edge `i` of the graph, node `i` node `i`.
///
/// Each direction of a street has the capacity of its whole width. No plan is the better for it: where people meet, they
/// can turn round and take each other's place, so that a plan without oncoming people is as quick.
public struct StreetEvacuation: Sendable {
  /// The walkable streets that hang together.
  public let graph: StreetGraph
  public let network: EvacuationNetwork
  /// Seconds in a step.
  public let step: Double

  /// - Parameters:
  ///   - graph: streets; only the largest part of those that people walk counts, and nodes are numbered anew.
  ///   - step: seconds, 0.5 to 600
  ///   - people: where people are, with node numbers of `walkingGraph(of:)`
  /// - Throws: `EvacuationError.invalid`
  public init(
    _ walking: StreetGraph, sources: [EvacuationNetwork.Source], exits: [EvacuationNetwork.Exit], step: Double,
    figures: WalkingFigures = .streets
  ) throws(EvacuationError) {
    guard (0.5...600).contains(step) else { throw .invalid("steps of \(step) seconds") }
    self.graph = walking
    self.step = step
    let arcs = walking.edges.map { edge in
      let street = walking.streets[edge.street]
      let isStair = street.class == .steps
      return EvacuationNetwork.Arc(
        from: edge.from, to: edge.to, transit: figures.transit(edge.length, onStairs: isStair, step: step),
        capacity: figures.capacity(Self.width(street, figures), onStairs: isStair, step: step))
    }
    network = try EvacuationNetwork(nodeCount: walking.nodes.count, arcs: arcs, sources: sources, exits: exits)
  }

  /// The largest part of the streets that people walk.
  public static func walkingGraph(of graph: StreetGraph) -> StreetGraph { graph.walkable.largestPart }

  /// Metres for walkers. A carriageway itself is left to ambulances and fire engines.
  static func width(_ street: Street, _ figures: WalkingFigures) -> Double {
    switch street.class {
    case .pedestrian, .livingStreet, .track: return street.width ?? figures.sharedWidth
    case let kind where !kind.isCarriageway: return street.width ?? figures.footwayWidth
    default: break
    }
    switch street.pavements {
    case .both, .unstated: return 2 * figures.footwayWidth
    case .one, .none, .separate: return figures.footwayWidth
    }
  }

  /// Places people at random over nodes: a node draws people in proportion to half the length of the edges that begin or
  /// end there, as if everybody stood in the streets and went to the nearer junction. Exits draw nobody. The same seed
  /// places the same way.
  public static func placing(
    _ people: Int, on graph: StreetGraph, exits: [EvacuationNetwork.Exit], seed: UInt64
  ) -> [EvacuationNetwork.Source] {
    var weight = [Double](repeating: 0, count: graph.nodes.count)
    for edge in graph.edges {
      weight[edge.from] += edge.length / 2
      weight[edge.to] += edge.length / 2
    }
    for exit in exits { weight[exit.node] = 0 }
    var sums: [Double] = []
    sums.reserveCapacity(weight.count)
    for one in weight { sums.append((sums.last ?? 0) + one) }
    guard let total = sums.last, total > 0 else { return [] }
    var random = SplitMix64(seed)
    var counts = [Int](repeating: 0, count: weight.count)
    for _ in 0..<people {
      let drawn = random.unit() * total
      var (low, high) = (0, sums.count - 1)
      while low < high {
        let middle = (low + high) / 2
        if sums[middle] > drawn { high = middle } else { low = middle + 1 }
      }
      counts[low] += 1
    }
    return counts.indices.filter { counts[$0] > 0 }.map { EvacuationNetwork.Source(node: $0, people: counts[$0]) }
  }
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
struct SplitMix64 {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// 0 ..< 1
  mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
}
