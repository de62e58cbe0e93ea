/// Numbers grouped by a key, each group a slice: the arcs into a node, the sources at a node.
struct Index: Sendable {
  private(set) var first: [Int]
  private(set) var members: [Int]

  /// Groups the positions of `keys` by what stands there, which is `0..<count`.
  init(keys: [Int], count: Int) {
    first = [Int](repeating: 0, count: count + 1)
    for key in keys { first[key + 1] += 1 }
    for key in 0..<count { first[key + 1] += first[key] }
    var next = first
    members = [Int](repeating: 0, count: keys.count)
    for (position, key) in keys.enumerated() {
      members[next[key]] = position
      next[key] += 1
    }
  }

  subscript(key: Int) -> ArraySlice<Int> { members[first[key]..<first[key + 1]] }

  /// Takes out members that satisfy a condition.
  mutating func drop(_ isDropped: (Int) -> Bool) {
    var kept: [Int] = []
    kept.reserveCapacity(members.count)
    var begins = [0]
    begins.reserveCapacity(first.count)
    for key in 0..<(first.count - 1) {
      for member in self[key] where !isDropped(member) { kept.append(member) }
      begins.append(kept.count)
    }
    (first, members) = (begins, kept)
  }
}

/// A binary heap with the smallest key on top; of equal keys the smallest value.
struct Heap {
  private var items: [(key: Int, value: Int)] = []

  mutating func push(key: Int, value: Int) {
    items.append((key, value))
    var child = items.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard items[child] < items[parent] else { break }
      items.swapAt(child, parent)
      child = parent
    }
  }

  mutating func pop() -> (key: Int, value: Int)? {
    guard let top = items.first else { return nil }
    let last = items.removeLast()
    guard !items.isEmpty else { return top }
    items[0] = last
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < items.count else { break }
      if child + 1 < items.count, items[child + 1] < items[child] { child += 1 }
      guard items[child] < items[parent] else { break }
      items.swapAt(child, parent)
      parent = child
    }
    return top
  }
}
