/// What keeps a log from being read.
public enum LogError: Error, Sendable, Hashable {
  /// The tree has more leaves than the one who was asked.
  case tooLarge(UInt64)
  /// A tile is not there or has another length than it must have.
  case damaged(Tile)
  /// The storage failed.
  case failed(String)
}

/// A tree of a given size, read from its tiles. Tiles that were read are kept, as one proof asks for several hashes of
/// the same.
public struct TiledTree {
  public let size: UInt64
  private let read: (Tile) throws(LogError) -> [UInt8]
  private var tiles: [Tile: [TreeHash]] = [:]

  /// - Parameter read: gives the bytes of a tile, 32 for each of its hashes.
  public init(size: UInt64, read: @escaping (Tile) throws(LogError) -> [UInt8]) {
    self.size = size
    self.read = read
  }

  /// The hash of a perfect subtree.
  ///
  /// - Parameters:
  ///   - height: 0 for a leaf.
  ///   - index: position among the subtrees of this height.
  public mutating func hash(height: Int, index: UInt64) throws(LogError) -> TreeHash {
    guard let (tile, range) = Tile.holding(height: height, index: index, size: size) else {
      throw .tooLarge((index + 1) << UInt64(height))
    }
    var subtree = CompactRange()
    for hash in try hashes(of: tile)[range] { subtree.append(hash) }
    return subtree.root
  }

  /// The proof that a leaf stands at `index`.
  public mutating func inclusion(of index: UInt64) throws(LogError) -> [TreeHash] {
    guard index < size else { throw .tooLarge(index + 1) }
    return try MerkleProof.inclusion(of: index, size: size) { height, index throws(LogError) in
      try hash(height: height, index: index)
    }
  }

  /// The proof that the tree of `old` leaves is the beginning of this one.
  public mutating func consistency(from old: UInt64) throws(LogError) -> [TreeHash] {
    guard old <= size else { throw .tooLarge(old) }
    return try MerkleProof.consistency(from: old, to: size) { height, index throws(LogError) in
      try hash(height: height, index: index)
    }
  }

  /// What has to be kept to go on with the tree.
  public mutating func compactRange() throws(LogError) -> CompactRange {
    var hashes: [TreeHash] = []
    var start: UInt64 = 0
    for height in stride(from: 63, through: 0, by: -1) where size >> UInt64(height) & 1 == 1 {
      hashes.append(try hash(height: height, index: start >> UInt64(height)))
      start += 1 << UInt64(height)
    }
    return CompactRange(size: size, hashes: hashes) ?? CompactRange()
  }

  /// The Merkle tree hash of all leaves.
  public mutating func root() throws(LogError) -> TreeHash { try compactRange().root }

  private mutating func hashes(of tile: Tile) throws(LogError) -> [TreeHash] {
    if let known = tiles[tile] { return known }
    let bytes = try read(tile)
    guard bytes.count == tile.width * TreeHash.size else { throw .damaged(tile) }
    let hashes = stride(from: 0, to: bytes.count, by: TreeHash.size).compactMap {
      TreeHash(bytes[$0..<($0 + TreeHash.size)])
    }
    tiles[tile] = hashes
    return hashes
  }
}
