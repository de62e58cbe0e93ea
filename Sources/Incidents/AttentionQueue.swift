import NGSI

/// The queue of all that is open, kept in order: one incident that changes costs its own place, not a sorting of all.
public struct AttentionQueue: Sendable {
  private let targets: ResponseTargets
  private var places: [Attention.Order] = []
  private var known: [String: Attention] = [:]
  /// Nothing runs out before.
  private var quietUntil: DateTime?

  public init(targets: ResponseTargets) { self.targets = targets }

  public var count: Int { places.count }

  /// An incident as it is now; one that is over leaves the queue.
  public mutating func put(_ incident: Incident, at time: DateTime) {
    remove(incident.id)
    guard !incident.status.isOver else { return }
    let attention = Attention(incident, targets: targets, at: time)
    let order = attention.order
    places.insert(order, at: place(of: order))
    known[incident.id] = attention
    if let due = attention.nextDue { quietUntil = quietUntil.map { min($0, due) } ?? due }
  }

  public mutating func remove(_ id: String) {
    guard let attention = known.removeValue(forKey: id) else { return }
    places.remove(at: place(of: attention.order))
  }

  /// What has run out meanwhile moves to its place.
  public mutating func advance(to time: DateTime) {
    guard let quietUntil, quietUntil < time else { return }
    let late = known.values.filter { $0.nextDue.map { $0 < time } ?? false }
    self.quietUntil = known.values.compactMap(\.nextDue).filter { $0 >= time }.min()
    for attention in late { put(attention.incident, at: time) }
  }

  /// In the order in which they want to be looked at.
  public var items: some Sequence<Attention> { places.lazy.compactMap { known[$0.id] } }

  public subscript(id: String) -> Attention? { known[id] }

  /// Where it stands, or would stand.
  private func place(of order: Attention.Order) -> Int {
    var (low, high) = (0, places.count)
    while low < high {
      let middle = (low + high) / 2
      if places[middle] < order { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
