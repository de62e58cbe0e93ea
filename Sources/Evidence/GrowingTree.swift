import Crypto
import Store
import TransparencyLog

/// The log's tree as it grows: what is needed to add entries and to tell the root, the tiles that are not full yet, and
/// those that are full and not kept in the store yet.
struct GrowingTree: Sendable {
  private(set) var range = CompactRange()
  /// Full tiles that have to be kept before anybody relies on it.
  private(set) var unkept: [Tile: [TreeHash]] = [:]
  /// Hashes of the last tile of each level, fewer than 256.
  private var partial: [[TreeHash]] = [[]]

  var size: UInt64 { range.size }
  var root: TreeHash { range.root }

  init() {}

  mutating func append(_ entry: [UInt8]) {
    var full: [(Tile, [TreeHash])] = []
    // Taken out while it changes: two owners would cost a copy for every entry.
    var partial = partial
    self.partial = []
    range.append(.leaf(entry)) { height, index, hash in
      guard height % Tile.height == 0 else { return }
      let level = height / Tile.height
      if level == partial.count { partial.append([]) }
      partial[level].append(hash)
      guard partial[level].count == Tile.fullWidth else { return }
      full.append((Tile(level: level, index: index / UInt64(Tile.fullWidth)), partial[level]))
      partial[level].removeAll(keepingCapacity: true)
    }
    self.partial = partial
    for (tile, hashes) in full { unkept[tile] = hashes }
  }

  /// The store has the full tiles.
  mutating func tilesAreKept() { unkept = [:] }

  /// Adds stored entries.
  ///
  /// - Parameter step: how many are read at once.
  mutating func grow(to count: UInt64, step: UInt64, _ reader: any StoreReader) throws {
    while size < count {
      let records = try reader.evidence(size..<min(count, size + step))
      guard !records.isEmpty else { throw EvidenceError.damaged("entry \(size) of the evidence log is missing") }
      for record in records { append(record.entry) }
    }
  }

  /// Hashes of a tile that the store does not have: one that is not full, or not kept yet.
  func hashes(level: Int, index: UInt64) -> [TreeHash]? {
    if let full = unkept[Tile(level: level, index: index)] { return full }
    guard level < partial.count, index == size >> UInt64(Tile.height * (level + 1)) else { return nil }
    return partial[level]
  }

  // MARK: Taking up

  /// The tree of all full tiles that are kept; the entries after them are to be added.
  init(tiles reader: any StoreReader, entries: UInt64) throws {
    /// Kept tiles of level 0 come without gaps: the first that is missing ends them.
    var low: UInt64 = 0
    var high = entries >> UInt64(Tile.height)
    while low < high {
      let middle = low + (high - low) / 2
      if try reader.evidenceTile(level: 0, index: middle) != nil { low = middle + 1 } else { high = middle }
    }
    let size = low << UInt64(Tile.height)
    var hashes: [[TreeHash]] = []
    partial = [[]]
    var count = low
    var level = 1
    while count > 0 {
      // The tiles under the partial one of this level, each as its root.
      let first = count & ~UInt64(Tile.fullWidth - 1)
      partial.append(try (first..<count).map { try Self.root(ofTile: level - 1, $0, reader) })
      count >>= UInt64(Tile.height)
      level += 1
    }
    for tile in partial.reversed() {
      var subtrees = CompactRange()
      for hash in tile { subtrees.append(hash) }
      hashes.append(subtrees.hashes)
    }
    guard let range = CompactRange(size: size, hashes: hashes.flatMap { $0 }) else {
      throw EvidenceError.damaged("the tiles of the evidence log do not make a tree of \(size) entries")
    }
    self.range = range
  }

  private static func root(ofTile level: Int, _ index: UInt64, _ reader: any StoreReader) throws -> TreeHash {
    guard let bytes = try reader.evidenceTile(level: level, index: index),
      bytes.count == Tile.fullWidth * TreeHash.size
    else { throw EvidenceError.damaged("the tile \(index) of level \(level) of the evidence log cannot be read") }
    var subtree = CompactRange()
    for start in stride(from: 0, to: bytes.count, by: TreeHash.size) {
      if let hash = TreeHash(bytes[start..<(start + TreeHash.size)]) { subtree.append(hash) }
    }
    return subtree.root
  }
}
