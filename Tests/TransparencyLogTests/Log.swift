import TransparencyLog

/// A log in memory: entries, and the tiles that a log of any of its sizes serves.
struct Log {
  let entries: [[UInt8]]
  /// Hashes by height in the binary tree.
  private var hashes: [[TreeHash]] = [[]]

  init(_ entries: [[UInt8]]) {
    self.entries = entries
    var range = CompactRange()
    for entry in entries {
      range.append(.leaf(entry)) { height, _, hash in
        if hashes.count <= height { hashes.append([]) }
        hashes[height].append(hash)
      }
    }
  }

  init(size: Int) { self.init((0..<size).map { Array("entry \($0)".utf8) }) }

  func tile(_ tile: Tile) -> [UInt8] {
    let height = tile.level * Tile.height
    let first = Int(tile.index) * Tile.fullWidth
    guard height < hashes.count, first + tile.width <= hashes[height].count else { return [] }
    return hashes[height][first..<(first + tile.width)].flatMap(\.bytes)
  }

  func tree(_ size: Int) -> TiledTree { TiledTree(size: UInt64(size)) { tile($0) } }
}
