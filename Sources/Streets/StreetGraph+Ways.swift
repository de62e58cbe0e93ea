extension StreetGraph {
  /// Splits ways where they meet others, end, or go through themselves.
  ///
  /// A way that misses a node of the file is interrupted there; its last node before and the first after are cut. A
  /// stretch that ends where it begins keeps a node in its middle, so that no edge is a loop.
  /// - Throws: `StreetsError.noStreets`
  public init(_ source: StreetWays) throws(StreetsError) {
    self.init()
    let found = source.ways.compactMap { way in Street(way).map { (way, $0) } }
    var uses = [UInt8](repeating: 0, count: source.nodes.count)
    for (way, _) in found {
      for (position, node) in way.nodes.enumerated() {
        guard let node else { continue }
        let isEnd = position == 0 || position == way.nodes.count - 1
        uses[node] = min(uses[node] + (isEnd ? 2 : 1), 2)
      }
    }
    var builder = Builder(graph: self, source: source, uses: uses)
    for (way, street) in found { builder.add(way, street) }
    guard !builder.graph.edges.isEmpty else { throw .noStreets }
    self = builder.graph
  }

  private struct Builder {
    var graph: StreetGraph
    let source: StreetWays
    /// 2 for nodes at which ways are split.
    let uses: [UInt8]
    var index: [Int: Int] = [:]

    mutating func add(_ way: StreetWay, _ street: Street) {
      let number = graph.streets.count
      graph.streets.append(street)
      var stretch: [Int] = []
      for (position, reference) in way.nodes.enumerated() {
        guard let node = reference else {
          close(stretch, number)
          if let last = stretch.last { graph.nodes[self.node(last)].isCut = true }
          stretch = []
          continue
        }
        if stretch.last == node { continue }
        stretch.append(node)
        if stretch.count == 1 && position > 0 { graph.nodes[self.node(node)].isCut = true }
        if stretch.count > 1 && uses[node] == 2 {
          close(stretch, number)
          stretch = [node]
        }
      }
      close(stretch, number)
    }

    /// Makes both edges of a stretch between two junctions.
    mutating func close(_ stretch: [Int], _ street: Int) {
      guard stretch.count > 1 else { return }
      if stretch.first == stretch.last {
        guard stretch.count > 2 else { return }
        let middle = stretch.count / 2
        close(Array(stretch[...middle]), street)
        close(Array(stretch[middle...]), street)
        return
      }
      let places = stretch.map { source.nodes[$0].position }
      let length = zip(places, places.dropFirst()).reduce(0) { $0 + $1.0.distance(to: $1.1) }
      let (from, to) = (node(stretch[0]), node(stretch[stretch.count - 1]))
      let kind = graph.streets[street]
      for isForward in [true, false] {
        let isDrivable = kind.traffic == .both || kind.traffic == (isForward ? .forward : .backward)
        guard kind.isWalked || isDrivable else { continue }
        let path = isForward ? places : places.reversed()
        graph.edges.append(
          Edge(
            from: isForward ? from : to, to: isForward ? to : from, length: length, street: street,
            isForward: isForward, isWalkable: kind.isWalked, isDrivable: isDrivable,
            bearing: path[0].bearing(to: path[1])))
      }
    }

    mutating func node(_ node: Int) -> Int {
      if let known = index[node] { return known }
      let made = graph.nodes.count
      graph.nodes.append(
        Node(id: source.nodes[node].id, position: source.nodes[node].position, isCut: false))
      index[node] = made
      return made
    }
  }
}
