/// Where people can go, how long it takes and how many pass: the input of every plan.
///
/// Time is counted in steps of the same length, from step 0. Whoever enters an arc at step `t` is at its end at step
/// `t + transit` and may enter the next one then.
public struct EvacuationNetwork: Sendable, Equatable {
  /// A stretch of road, a door or a stair in one direction.
  public struct Arc: Sendable, Equatable {
    /// Indices of nodes.
    public var from, to: Int
    /// Steps from one end to the other; 0 for what is crossed at once.
    public var transit: Int
    /// People who may enter it in one step.
    public var capacity: Int
    /// Whether nobody may enter it.
    public var isBlocked: Bool

    public init(from: Int, to: Int, transit: Int, capacity: Int, isBlocked: Bool = false) {
      self.from = from
      self.to = to
      self.transit = transit
      self.capacity = capacity
      self.isBlocked = isBlocked
    }
  }

  /// People who are at a node and can leave it from a step on.
  public struct Source: Sendable, Equatable {
    public var node: Int
    public var people: Int
    /// The first step at which they may leave.
    public var ready: Int

    public init(node: Int, people: Int, ready: Int = 0) {
      self.node = node
      self.people = people
      self.ready = ready
    }
  }

  /// A node at which people are safe.
  public struct Exit: Sendable, Equatable {
    public var node: Int
    /// People for whom there is room; `nil` where there is no limit.
    public var capacity: Int?

    public init(node: Int, capacity: Int? = nil) {
      self.node = node
      self.capacity = capacity
    }
  }

  public let nodeCount: Int
  public internal(set) var arcs: [Arc]
  public let sources: [Source]
  public let exits: [Exit]

  /// People who have to leave.
  public var people: Int { sources.reduce(0) { $0 + $1.people } }

  /// The most nodes, arcs, people and steps of one transit that are accepted.
  public static let bounds = (nodes: 2_000_000, arcs: 5_000_000, people: 10_000_000, transit: 100_000)

  /// - Throws: `EvacuationError.invalid` when an index, a number or a sum is out of bounds, or two exits share a node.
  public init(nodeCount: Int, arcs: [Arc], sources: [Source], exits: [Exit]) throws(EvacuationError) {
    let bounds = Self.bounds
    guard (0...bounds.nodes).contains(nodeCount) else { throw .invalid("\(nodeCount) nodes") }
    guard arcs.count <= bounds.arcs else { throw .invalid("\(arcs.count) arcs") }
    let nodes = 0..<nodeCount
    for (index, arc) in arcs.enumerated() {
      guard nodes.contains(arc.from), nodes.contains(arc.to), arc.from != arc.to,
        (0...bounds.transit).contains(arc.transit), (0...bounds.people).contains(arc.capacity)
      else { throw .invalid("arc \(index): \(arc)") }
    }
    var people = 0
    for (index, source) in sources.enumerated() {
      guard nodes.contains(source.node), (0...bounds.people).contains(source.people),
        (0...bounds.transit).contains(source.ready)
      else { throw .invalid("source \(index): \(source)") }
      people += source.people
      guard people <= bounds.people else { throw .invalid("more than \(bounds.people) people") }
    }
    guard !exits.isEmpty else { throw .invalid("no exits") }
    var taken: Set<Int> = []
    for (index, exit) in exits.enumerated() {
      guard nodes.contains(exit.node), (exit.capacity ?? 0) >= 0, taken.insert(exit.node).inserted
      else { throw .invalid("exit \(index): \(exit)") }
    }
    self.nodeCount = nodeCount
    self.arcs = arcs
    self.sources = sources
    self.exits = exits
  }

  /// The same network with nobody entering some of its arcs.
  public func blocking(_ blocked: some Sequence<Int>) -> EvacuationNetwork {
    var network = self
    for arc in blocked where arcs.indices.contains(arc) { network.arcs[arc].isBlocked = true }
    return network
  }

  /// Steps from each node to the nearest exit over arcs that are open, however many people go there; `nil` where no
  /// exit can be reached.
  func stepsToExit() -> [Int?] {
    var into = Index(keys: arcs.map(\.to), count: nodeCount)
    into.drop { arcs[$0].isBlocked || arcs[$0].capacity == 0 }
    var steps = [Int?](repeating: nil, count: nodeCount)
    var heap = Heap()
    for exit in exits where exit.capacity != 0 { heap.push(key: 0, value: exit.node) }
    while let (distance, node) = heap.pop() {
      guard steps[node] == nil else { continue }
      steps[node] = distance
      for arc in into[node] where steps[arcs[arc].from] == nil {
        heap.push(key: distance + arcs[arc].transit, value: arcs[arc].from)
      }
    }
    return steps
  }
}

/// Why there is no plan.
public enum EvacuationError: Error, Equatable, CustomStringConvertible {
  /// What is wrong with the network.
  case invalid(String)
  /// So many people cannot reach an exit.
  case unreachable(people: Int)
  /// The shelters that can be reached have too little room; for how many.
  case tooLittleRoom(people: Int)
  /// The exact plan needs more than `limit` cells (arcs times steps).
  case tooLarge(cells: Int, limit: Int)

  public var description: String {
    switch self {
    case .invalid(let what): "this network cannot be planned for: \(what)"
    case .unreachable(let people): "\(people) people cannot reach any exit"
    case .tooLittleRoom(let people): "there is no room for \(people) people in the shelters that they can reach"
    case .tooLarge(let cells, let limit): "an exact plan needs \(cells) cells of arc and step, more than \(limit)"
    }
  }
}
