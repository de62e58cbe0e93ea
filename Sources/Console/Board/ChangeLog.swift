/// The latest changes of the board, bounded: who asks for more than it holds has to read everything anew.
///
/// Sequence numbers begin at 1 and never repeat within one ``epoch``; a client that comes back with another epoch has
/// seen another run of the server.
struct ChangeLog: Sendable {
  enum Answer: Equatable {
    /// Ids that changed since, each once, and the sequence to ask from next.
    case changes(ids: [String], upTo: UInt64)
    /// Too much happened, or the asker's number is not of this log.
    case refresh(upTo: UInt64)
  }

  let epoch: String
  let capacity: Int
  private var ring: [String] = []
  private(set) var last: UInt64 = 0

  init(epoch: String, capacity: Int = 8192) {
    self.epoch = epoch
    self.capacity = max(1, capacity)
  }

  mutating func append(_ id: String) {
    last += 1
    if ring.count < capacity { ring.append(id) } else { ring[Int((last - 1) % UInt64(capacity))] = id }
  }

  /// Everything before is not known any more.
  mutating func forget() {
    last += UInt64(capacity) + 1
    ring = Array(repeating: "", count: capacity)
  }

  func since(_ sequence: UInt64, most: Int) -> Answer {
    guard sequence <= last, last - sequence <= UInt64(ring.count) else { return .refresh(upTo: last) }
    var seen: Set<String> = []
    var ids: [String] = []
    var position = sequence
    while position < last {
      let id = ring[Int(position % UInt64(capacity))]
      if seen.insert(id).inserted { ids.append(id) }
      guard ids.count <= most else { return .refresh(upTo: last) }
      position += 1
    }
    return .changes(ids: ids, upTo: last)
  }
}
