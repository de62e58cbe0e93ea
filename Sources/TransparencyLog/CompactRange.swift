/// The least that has to be kept of a tree to add leaves and to tell its root: the hashes of the perfect subtrees that
/// make it up, largest first. A tree of n leaves has as many as n has ones in binary.
public struct CompactRange: Sendable, Hashable {
  public private(set) var size: UInt64 = 0
  public private(set) var hashes: [TreeHash] = []

  public init() {}

  /// - Returns: `nil` unless there is one hash for each one in `size`.
  public init?(size: UInt64, hashes: [TreeHash]) {
    guard hashes.count == size.nonzeroBitCount else { return nil }
    self.size = size
    self.hashes = hashes
  }

  /// Adds a leaf.
  ///
  /// - Parameter completed: gets each perfect subtree that the leaf completes, from the leaf upwards: its height, its
  ///   position among those of its height, and its hash.
  public mutating func append(
    _ leaf: TreeHash, completed: (_ height: Int, _ index: UInt64, _ hash: TreeHash) -> Void = { _, _, _ in }
  ) {
    var hash = leaf
    var height = 0
    completed(0, size, hash)
    while size >> UInt64(height) & 1 == 1 {
      hash = .node(hashes.removeLast(), hash)
      height += 1
      completed(height, size >> UInt64(height), hash)
    }
    hashes.append(hash)
    size += 1
  }

  /// The Merkle tree hash of all leaves.
  public var root: TreeHash {
    guard var root = hashes.last else { return .empty }
    for hash in hashes.dropLast().reversed() { root = .node(hash, root) }
    return root
  }
}
