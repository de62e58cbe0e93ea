/// Streets as a graph: nodes are junctions and ends of ways, edges the stretches between them, one for each direction.
public struct StreetGraph: Sendable, Equatable {
  public struct Node: Sendable, Equatable {
    /// OpenStreetMap's id.
    public var id: Int64
    public var position: Position
    /// Whether a way goes on from here to a node that the file does not hold: the border of an extract.
    public var isCut: Bool
  }

  public struct Edge: Sendable, Equatable {
    /// Indices of nodes.
    public var from, to: Int
    /// Metres along the way.
    public var length: Double
    /// Index into `streets`.
    public var street: Int
    /// Whether it goes along the way's nodes, not against them.
    public var isForward: Bool
    public var isWalkable: Bool
    public var isDrivable: Bool
    /// Degrees clockwise from north in which it leaves `from`, 0 ..< 360: what a sign there points to.
    public var bearing: Double
  }

  public var nodes: [Node]
  public var edges: [Edge]
  public var streets: [Street]

  public init(nodes: [Node] = [], edges: [Edge] = [], streets: [Street] = []) {
    self.nodes = nodes
    self.edges = edges
    self.streets = streets
  }

  /// The part of the graph whose edges satisfy a condition, without the nodes and streets that are left with no edge.
  public func filtered(_ isKept: (Edge) -> Bool) -> StreetGraph {
    var nodeIndex = [Int](repeating: -1, count: nodes.count)
    var streetIndex = [Int](repeating: -1, count: streets.count)
    var kept = StreetGraph()
    for var edge in edges where isKept(edge) {
      for end in [edge.from, edge.to] where nodeIndex[end] < 0 {
        nodeIndex[end] = kept.nodes.count
        kept.nodes.append(nodes[end])
      }
      if streetIndex[edge.street] < 0 {
        streetIndex[edge.street] = kept.streets.count
        kept.streets.append(streets[edge.street])
      }
      edge.from = nodeIndex[edge.from]
      edge.to = nodeIndex[edge.to]
      edge.street = streetIndex[edge.street]
      kept.edges.append(edge)
    }
    return kept
  }

  /// The streets that people walk.
  public var walkable: StreetGraph { filtered(\.isWalkable) }

  /// The streets that cars drive.
  public var drivable: StreetGraph { filtered(\.isDrivable) }

  /// The part with the most nodes among those that hang together, whatever the edges' directions; of two of the same
  /// size the one with the smaller node index.
  public var largestPart: StreetGraph {
    var part = Array(nodes.indices)
    func root(_ node: Int) -> Int {
      var node = node
      while part[node] != node {
        part[node] = part[part[node]]
        node = part[node]
      }
      return node
    }
    for edge in edges {
      let (a, b) = (root(edge.from), root(edge.to))
      part[max(a, b)] = min(a, b)
    }
    var size = [Int](repeating: 0, count: nodes.count)
    for node in nodes.indices { size[root(node)] += 1 }
    guard let most = size.max(), let largest = size.firstIndex(of: most) else { return self }
    return filtered { root($0.from) == largest }
  }

  /// Nodes at which people leave the extract: where its border cuts a way. An extract that cuts no way (complete ways)
  /// gives the nodes in the outermost 2 % of its extent on each side instead.
  public var boundary: [Int] {
    let cut = nodes.indices.filter { nodes[$0].isCut }
    guard cut.isEmpty, let first = nodes.first?.position else { return cut }
    var (west, east, south, north) = (first.longitude, first.longitude, first.latitude, first.latitude)
    for node in nodes {
      west = min(west, node.position.longitude)
      east = max(east, node.position.longitude)
      south = min(south, node.position.latitude)
      north = max(north, node.position.latitude)
    }
    let (marginX, marginY) = ((east - west) * 0.02, (north - south) * 0.02)
    return nodes.indices.filter {
      let place = nodes[$0].position
      return place.longitude <= west + marginX || place.longitude >= east - marginX
        || place.latitude <= south + marginY || place.latitude >= north - marginY
    }
  }

  /// The node nearest to a position, and metres to it; `nil` without nodes.
  public func nearest(to position: Position) -> (node: Int, distance: Double)? {
    nodes.indices.lazy.map { (node: $0, distance: nodes[$0].position.distance(to: position)) }
      .min { $0.distance < $1.distance }
  }
}
