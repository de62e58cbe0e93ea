import NGSI

/// Several files as one series, in the order of their times; a row without a time comes when it is met.
struct MergedRecords: RecordSource {
  private var sources: [any RecordSource]
  private var heads: [Record?]

  init(_ sources: [any RecordSource]) throws(IngestError) {
    self.sources = sources
    heads = []
    for index in sources.indices { heads.append(try self.sources[index].next()) }
  }

  var progress: Double { sources.isEmpty ? 1 : sources.map(\.progress).reduce(0, +) / Double(sources.count) }

  mutating func next() throws(IngestError) -> Record? {
    var best: Int?
    var bestTime = Int64.max
    for (index, head) in heads.enumerated() {
      guard let head else { continue }
      guard case .entity(let entity) = head.outcome, let time = entity.observedAt else {
        best = index
        break
      }
      if best == nil || time.microseconds < bestTime { (best, bestTime) = (index, time.microseconds) }
    }
    guard let best else { return nil }
    var record = heads[best]
    heads[best] = try sources[best].next()
    record?.file = best
    return record
  }
}
