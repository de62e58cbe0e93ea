/// Proofs about a Merkle tree, and how they are checked (RFC 9162, sections 2.1.3 and 2.1.4).
public enum MerkleProof {
  /// Hashes that a proof may have at most: one for each level of a tree of 2⁶³ leaves.
  public static let maxHashes = 63
  /// Leaves that a tree may have at most.
  public static let maxSize = UInt64(Int64.max)

  // MARK: Checking

  /// Whether a leaf stands at a place of the tree with this root (RFC 9162, section 2.1.3.2).
  ///
  /// - Parameter path: from the leaf's sibling up to the child of the root.
  public static func proves(
    _ leaf: TreeHash, at index: UInt64, in root: TreeHash, size: UInt64, path: [TreeHash]
  ) -> Bool {
    guard index < size, size <= maxSize, path.count <= maxHashes else { return false }
    var (node, last, hash) = (index, size - 1, leaf)
    for sibling in path {
      guard last != 0 else { return false }
      if node & 1 == 1 || node == last {
        hash = .node(sibling, hash)
        while node & 1 == 0 {
          node >>= 1
          last >>= 1
        }
      } else {
        hash = .node(hash, sibling)
      }
      node >>= 1
      last >>= 1
    }
    return last == 0 && hash == root
  }

  /// Whether a leaf stands at a place of the tree below the hash of a subtree (draft-ietf-plants-merkle-tree-certs,
  /// section 4.3).
  public static func proves(
    _ leaf: TreeHash, at index: UInt64, inSubtree leaves: Range<UInt64>, root: TreeHash, path: [TreeHash]
  ) -> Bool {
    guard isSubtree(leaves), leaves.contains(index) else { return false }
    let size = leaves.upperBound - leaves.lowerBound
    return proves(leaf, at: index - leaves.lowerBound, in: root, size: size, path: path)
  }

  /// Whether the tree with the root `new` has that with the root `old` as its beginning (RFC 9162, section 2.1.4.2).
  /// Of a tree without leaves nothing can be proved; it is the beginning of every tree.
  public static func proves(
    _ old: TreeHash, size oldSize: UInt64, isBeginningOf new: TreeHash, size newSize: UInt64, path: [TreeHash]
  ) -> Bool {
    guard oldSize > 0 else { return false }
    return proves(old, ofSubtree: 0..<oldSize, isPartOf: new, size: newSize, path: path)
  }

  /// Whether a subtree has this hash in the tree with the root `root` (draft-ietf-plants-merkle-tree-certs, section 4.4).
  public static func proves(
    _ hash: TreeHash, ofSubtree leaves: Range<UInt64>, isPartOf root: TreeHash, size: UInt64, path: [TreeHash]
  ) -> Bool {
    guard leaves.upperBound <= size, size <= maxSize, path.count <= maxHashes + 1 else { return false }
    guard !leaves.isEmpty else { return path.isEmpty && hash == .empty }
    guard isSubtree(leaves) else { return false }
    var (first, last, end) = (leaves.lowerBound, leaves.upperBound - 1, size - 1)
    // Down to the subtree that both trees have whole.
    while first != last, last == end || last & 1 == 1 {
      first >>= 1
      last >>= 1
      end >>= 1
    }
    var path = path[...]
    guard let seed = first == last ? hash : path.popFirst() else { return false }
    var (found, whole) = (seed, seed)
    for sibling in path {
      guard end != 0 else { return false }
      if last & 1 == 1 || last == end {
        if first < last { found = .node(sibling, found) }
        whole = .node(sibling, whole)
        while last & 1 == 0 {
          first >>= 1
          last >>= 1
          end >>= 1
        }
      } else {
        whole = .node(whole, sibling)
      }
      first >>= 1
      last >>= 1
      end >>= 1
    }
    return end == 0 && found == hash && whole == root
  }

  /// Whether leaves are those below one node of some tree: they begin at a multiple of the least power of two that is
  /// not less than their number.
  static func isSubtree(_ leaves: Range<UInt64>) -> Bool {
    let count = leaves.upperBound - leaves.lowerBound
    guard count > 0, leaves.upperBound <= maxSize else { return false }
    let power = UInt64(1) << UInt64(64 - (count - 1).leadingZeroBitCount)
    return count == 1 || leaves.lowerBound & (power - 1) == 0
  }

  // MARK: Making

  /// The proof that a leaf stands at `index` of the tree of `size` leaves (RFC 9162, section 2.1.3.1).
  ///
  /// - Parameter hash: gives the hash of a perfect subtree by its height and its position among those of its height.
  /// - Precondition: `index < size`.
  public static func inclusion<Failure: Error>(
    of index: UInt64, size: UInt64, _ hash: (_ height: Int, _ index: UInt64) throws(Failure) -> TreeHash
  ) throws(Failure) -> [TreeHash] {
    precondition(index < size)
    var path: [TreeHash] = []
    var (start, end) = (UInt64(0), size)
    while end - start > 1 {
      let middle = start + split(end - start)
      if index < middle {
        path.append(try root(middle..<end, hash))
        end = middle
      } else {
        path.append(try root(start..<middle, hash))
        start = middle
      }
    }
    return path.reversed()
  }

  /// The proof that the tree of `old` leaves is the beginning of that of `new` (RFC 9162, section 2.1.4.1).
  ///
  /// - Precondition: `old <= new`.
  public static func consistency<Failure: Error>(
    from old: UInt64, to new: UInt64, _ hash: (_ height: Int, _ index: UInt64) throws(Failure) -> TreeHash
  ) throws(Failure) -> [TreeHash] {
    precondition(old <= new)
    guard old > 0, old < new else { return [] }
    var path: [TreeHash] = []
    var (start, end) = (UInt64(0), new)
    // Where the old tree ends inside what is looked at: half by half down to the subtree that it ends with.
    while old != end {
      let middle = start + split(end - start)
      if old <= middle {
        path.append(try root(middle..<end, hash))
        end = middle
      } else {
        path.append(try root(start..<middle, hash))
        start = middle
      }
    }
    if start != 0 { path.append(try root(start..<end, hash)) }
    return path.reversed()
  }

  /// The Merkle tree hash of leaves that begin at a multiple of the power of two that holds them.
  private static func root<Failure: Error>(
    _ leaves: Range<UInt64>, _ hash: (Int, UInt64) throws(Failure) -> TreeHash
  ) throws(Failure) -> TreeHash {
    var start = leaves.lowerBound
    var subtrees: [TreeHash] = []
    while start < leaves.upperBound {
      let left = leaves.upperBound - start
      let height = 63 - left.leadingZeroBitCount
      subtrees.append(try hash(height, start >> UInt64(height)))
      start += 1 << UInt64(height)
    }
    var root = subtrees.removeLast()
    for subtree in subtrees.reversed() { root = .node(subtree, root) }
    return root
  }

  /// The largest power of two below a count above one.
  private static func split(_ count: UInt64) -> UInt64 { 1 << UInt64(63 - (count - 1).leadingZeroBitCount) }
}
