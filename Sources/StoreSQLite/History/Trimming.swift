import NGSI
import Store

// Taking away what is older than a time: pieces go whole, the one that reaches over the time is written anew.

extension ReadSession {
  func histories(ofType type: String, before time: DateTime, after cursor: Int64, limit: Int, in tenant: Tenant) throws
    -> OldHistories
  {
    guard let tenant = try number(of: tenant), let type = try number(of: type, in: tenant) else {
      return OldHistories(histories: [], next: nil)
    }
    let keys = try keys(.evolutionsOfType) { $0.bind(1, type).bind(2, cursor).bind(3, Int64(limit)) }
    let scope = try number(of: Core.scope, in: tenant)
    var found = OldHistories(histories: [], next: keys.count == limit ? keys.last : nil)
    for key in keys where try holds(key, before: time.microseconds, except: scope) {
      if let (id, types) = try evolution(key: key) { found.histories.append((id, types)) }
    }
    return found
  }

  private func holds(_ evolution: Int64, before time: Int64, except attribute: Int64?) throws(StoreError) -> Bool {
    for series in try series(of: evolution) where series.attribute != attribute {
      let statement = try connection.statement(.pieceReaches).bind(1, series.id).bind(2, time)
      defer { statement.reset() }
      if try statement.step() { return true }
    }
    return try arrivals(of: evolution).contains { $0.attribute != attribute && $0.record.key.time < time }
  }
}

extension WriteSession {
  func trimHistory(of id: String, before time: DateTime, pieces most: Int, in tenant: Tenant) throws -> TrimmedHistory {
    var trimmed = TrimmedHistory()
    guard let tenant = try number(of: tenant), let (evolution, _) = try evolution(id, tenant: tenant) else {
      return trimmed
    }
    try sealAll(evolution, of: id, tenant: tenant)
    let scope = try number(of: Core.scope, in: tenant)
    let end = time.microseconds
    var left = most
    for series in try series(of: evolution) {
      let spans = try pieces(of: series.id, Int64.min...(end - 1)).sorted { $0.last < $1.last }
      let kept = series.attribute == scope ? try lastKey(in: spans, before: end) : nil
      for span in spans {
        guard left > 0 else {
          trimmed.isWhole = false
          return trimmed
        }
        left -= 1
        let before = trimmed.removed
        _ = try edit(span) { records in
          let count = records.count
          records.removeAll { $0.key.time < end && $0.key != kept }
          trimmed.removed = before + count - records.count
        }
      }
      try removeIfEmpty(series.id)
    }
    trimmed.isEmpty = try series(of: evolution).isEmpty
    return trimmed
  }

  private func lastKey(in spans: [PieceSpan], before end: Int64) throws(StoreError) -> InstanceKey? {
    var last: InstanceKey?
    for span in spans {
      for record in try records(ofPiece: span.id) where record.key.time < end {
        last = max(last ?? record.key, record.key)
      }
    }
    return last
  }
}
