import NGSI
import Query
import Store

// A long history is mostly numbers with their times. They go from the piece to whoever asks one by one: to make an
// attribute of each, to group them and to write them takes ten times as long.

extension ReadSession {
  func forEachValue(
    of id: String, _ query: EvolutionQuery, in tenant: Tenant, entity: (Entity) -> Void,
    attribute: (String, AttributeKind) -> Void, value: (DateTime, JSON) -> Void
  ) throws -> Bool {
    guard query.asksForValues, query.entities.visibility == nil, let tenant = try number(of: tenant),
      let (key, types) = try evolution(id, tenant: tenant)
    else { return false }
    let scope = try number(of: Core.scope, in: tenant)
    let projected = Set(try query.attributes.compactMap { try number(of: $0, in: tenant) })
    guard query.attributes.isEmpty || !projected.isEmpty else { return false }
    var left = options.maxScanned
    var hasBegun = false
    for series in try history(of: key) where projected.isEmpty || projected.contains(series.attribute) {
      guard series.attribute != scope else { return false }
      let name = try iri(series.attribute)
      var last = InstanceKey(time: .min, number: .min)
      var first: Int64?
      var given = 0
      let isWhole = try forEachRecord(of: series, in: query.time) { key, flags, content in
        // A plain number or text, seen at a time, in order, of the kind of the first; and no more of them than an
        // answer may hold.
        let isPlain =
          flags.isDisjoint(with: [.body, .dataset]) && flags.contains(.observed) && last < key
        let kind = flags.rawValue & InstanceFlags.kindMask
        left -= 1
        guard isPlain, left >= 0, first ?? kind == kind else { return false }
        last = key
        let time = DateTime(microseconds: key.time)
        guard query.time?.contains(time) ?? true else { return true }
        if first == nil {
          guard let shown = AttributeKind(number: UInt8(truncatingIfNeeded: kind)), shown.isOfValues else {
            return false
          }
          first = kind
          if !hasBegun { entity(Entity(id: id, types: types)) }
          hasBegun = true
          attribute(name, shown)
        }
        given += 1
        guard given <= query.instanceLimit else { return false }
        switch content {
        case .double(let number): value(time, .double(number))
        case .integer(let number): value(time, .integer(number))
        case .text(let text): value(time, .string(text))
        case .body: return false
        }
        return true
      }
      guard isWhole else { return false }
    }
    return hasBegun
  }

  /// Gives the records of a series piece by piece, then those that are not sealed; false when the body ended it.
  private func forEachRecord(
    of series: Series, in time: TemporalFilter?,
    _ body: (InstanceKey, InstanceFlags, InstanceRecord.Content) -> Bool
  ) throws(StoreError) -> Bool {
    let span = InstanceSelection(time: time, limit: 0, newestFirst: false).keyRange
    var spans: [PieceSpan] = []
    if let id = series.id { spans = try pieces(of: id, span).sorted { $0.first < $1.first } }
    for piece in spans {
      let row = try connection.statement(.piece).bind(1, piece.id)
      defer { row.reset() }
      guard try row.step() else { throw ByteReader.damaged }
      let goesOn = try row.withBytes(0) { bytes throws(StoreError) in
        var reader = ByteReader(bytes)
        var state = RecordState()
        while !reader.isAtEnd {
          try reader.advance(&state)
          if !body(state.lastKey, state.lastFlags, state.content) { return false }
        }
        return true
      }
      guard goesOn else { return false }
    }
    for record in series.arrived.inOrder where span.contains(record.key.time) {
      if !body(record.key, record.flags, record.content) { return false }
    }
    return true
  }
}

extension EvolutionQuery {
  /// Whether it asks for no more than values by the time they were seen.
  fileprivate var asksForValues: Bool {
    lastN == nil && !newestFirst && !showsInstanceIds && datasetIds.isEmpty
      && time?.property ?? .observedAt == .observedAt
  }
}

extension AttributeKind {
  /// Whether its temporal values are what its instances hold, as they are (clause 4.5.9).
  fileprivate var isOfValues: Bool { self == .property || self == .relationship }
}
