/// A bounded dictionary: what was used longest ago makes room. Every operation takes constant time.
struct LeastRecentlyUsed<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private struct Node {
    var key: Key
    var value: Value
    var weight: Int
    var older: Int
    var newer: Int
  }

  private let maxCount: Int
  private let maxWeight: Int
  /// Nodes form a list through the slots, from `oldest` to `newest`; -1 ends it.
  private var nodes: [Node?] = []
  private var free: [Int] = []
  private var slots: [Key: Int] = [:]
  private var oldest = -1
  private var newest = -1
  private(set) var weight = 0
  private(set) var evictions = 0

  init(count: Int, weight: Int = .max) {
    maxCount = max(1, count)
    maxWeight = weight
  }

  var count: Int { slots.count }

  /// The value, which becomes the most recently used.
  mutating func value(_ key: Key) -> Value? {
    guard let slot = slots[key] else { return nil }
    if slot != newest, let node = nodes[slot] {
      unlink(node)
      link(slot)
    }
    return nodes[slot]?.value
  }

  mutating func insert(_ value: Value, for key: Key, weight: Int = 0) {
    remove(key)
    guard weight <= maxWeight else { return }
    let slot = free.popLast() ?? nodes.count
    let node = Node(key: key, value: value, weight: weight, older: -1, newer: -1)
    if slot == nodes.count { nodes.append(node) } else { nodes[slot] = node }
    slots[key] = slot
    self.weight += weight
    link(slot)
    while slots.count > maxCount || self.weight > maxWeight, let last = nodes[oldest] {
      remove(last.key)
      evictions += 1
    }
  }

  mutating func remove(_ key: Key) {
    guard let slot = slots.removeValue(forKey: key), let node = nodes[slot] else { return }
    unlink(node)
    weight -= node.weight
    nodes[slot] = nil
    free.append(slot)
  }

  mutating func removeAll(where isMeant: (Key, Value) -> Bool) {
    for case let node? in nodes where isMeant(node.key, node.value) { remove(node.key) }
  }

  private mutating func unlink(_ node: Node) {
    if node.older >= 0 { nodes[node.older]?.newer = node.newer } else { oldest = node.newer }
    if node.newer >= 0 { nodes[node.newer]?.older = node.older } else { newest = node.older }
  }

  private mutating func link(_ slot: Int) {
    nodes[slot]?.older = newest
    nodes[slot]?.newer = -1
    if newest >= 0 { nodes[newest]?.newer = slot } else { oldest = slot }
    newest = slot
  }
}
