import Streets

enum Drawn {
  /// A square of footways, `side` junctions each way, 0.001 degrees apart.
  static func grid(_ side: Int) -> StreetGraph {
    let nodes = (0..<(side * side)).map { index in
      StreetWays.Node(
        id: Int64(index),
        position: Position(longitude: Double(index % side) / 1_000, latitude: Double(index / side) / 1_000))
    }
    let rows = (0..<side).map { row in
      StreetWay(id: Int64(row), nodes: (0..<side).map { row * side + $0 }, tags: ["highway": "footway"])
    }
    let columns = (0..<side).map { column in
      StreetWay(id: Int64(side + column), nodes: (0..<side).map { $0 * side + column }, tags: ["highway": "footway"])
    }
    return (try? StreetGraph(StreetWays(nodes: nodes, ways: rows + columns))) ?? StreetGraph()
  }
}
