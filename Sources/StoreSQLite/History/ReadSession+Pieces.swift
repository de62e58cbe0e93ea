import Store

/// One attribute's history.
struct Series {
  let attribute: Int64
  /// `nil` while nothing of it is sealed.
  var id: Int64?
  /// What is not sealed yet, in order of arrival.
  var arrived: [InstanceRecord] = []
}

/// A record that waits to be sealed, with its attribute.
struct Arrival {
  let attribute: Int64
  let record: InstanceRecord
}

/// The times that a piece spans.
struct PieceSpan {
  let id: Int64
  let first: Int64
  let last: Int64
}

extension [InstanceRecord] {
  /// By time, then by number.
  var inOrder: [InstanceRecord] {
    let isOrdered = zip(self, dropFirst()).allSatisfy { $0.key < $1.key }
    return isOrdered ? self : sorted { $0.key < $1.key }
  }
}

extension ReadSession {
  /// What waits to be sealed, in order of arrival.
  func arrivals(of evolution: Int64) throws(StoreError) -> [Arrival] {
    let rows = try connection.statement(.arrivals).bind(1, evolution)
    defer { rows.reset() }
    var arrivals: [Arrival] = []
    while try rows.step() {
      try rows.withBytes(0) { bytes throws(StoreError) in
        var reader = ByteReader(bytes)
        var state = RecordState()
        while !reader.isAtEnd {
          let attribute = Int64(truncatingIfNeeded: try reader.unsigned())
          arrivals.append(Arrival(attribute: attribute, record: try reader.record(after: &state)))
        }
      }
    }
    return arrivals
  }

  /// Pieces that reach into the span, in no order.
  func pieces(
    of series: Int64, _ span: ClosedRange<Int64> = .min ... .max
  ) throws(StoreError) -> [PieceSpan] {
    let rows = try connection.statement(.pieces).bind(1, series).bind(2, span.lowerBound).bind(3, span.upperBound)
    defer { rows.reset() }
    var pieces: [PieceSpan] = []
    while try rows.step() {
      pieces.append(PieceSpan(id: rows.integer(0), first: rows.integer(1), last: rows.integer(2)))
    }
    return pieces
  }

  func records(ofPiece id: Int64) throws(StoreError) -> [InstanceRecord] {
    var records: [InstanceRecord] = []
    try forEachRecord(ofPiece: id) { records.append($0) }
    return records
  }

  private func forEachRecord(ofPiece id: Int64, _ body: (InstanceRecord) -> Void) throws(StoreError) {
    let row = try connection.statement(.piece).bind(1, id)
    defer { row.reset() }
    guard try row.step() else { throw ByteReader.damaged }
    try row.withBytes(0) { bytes throws(StoreError) in
      var reader = ByteReader(bytes)
      var state = RecordState()
      while !reader.isAtEnd { body(try reader.record(after: &state)) }
    }
  }

  /// Records of a series in a span of time, oldest first or newest first, until the body returns false.
  ///
  /// A piece is read when its turn comes; pieces that overlap are read together.
  /// - Parameter budget: records that may still be looked at; counted down.
  func forEachRecord(
    of series: Series, in span: ClosedRange<Int64>, newestFirst: Bool, budget: inout Int,
    _ body: (InstanceRecord) throws(StoreError) -> Bool
  ) throws(StoreError) {
    let arrived = series.arrived.filter { span.contains($0.key.time) }.inOrder
    var spans: [PieceSpan] = []
    if let id = series.id { spans = try pieces(of: id, span) }
    // What is not sealed is one more piece, with a number that none has.
    if let first = arrived.first, let last = arrived.last {
      spans.append(PieceSpan(id: 0, first: first.key.time, last: last.key.time))
    }
    spans.sort { newestFirst ? $0.last > $1.last : $0.first < $1.first }
    var position = 0
    while position < spans.count {
      var records: [InstanceRecord] = []
      var reach = newestFirst ? spans[position].first : spans[position].last
      while position < spans.count, newestFirst ? spans[position].last >= reach : spans[position].first <= reach {
        let piece = spans[position]
        if piece.id == 0 {
          records += arrived
        } else {
          try forEachRecord(ofPiece: piece.id) { if span.contains($0.key.time) { records.append($0) } }
        }
        guard records.count <= budget else {
          throw .tooComplex(
            "the query looks at more than \(options.maxScanned) instances; narrow its time or attributes")
        }
        reach = newestFirst ? min(reach, piece.first) : max(reach, piece.last)
        position += 1
      }
      budget -= records.count
      let ordered = records.inOrder
      if newestFirst {
        for record in ordered.reversed() where try !body(record) { return }
      } else {
        for record in ordered where try !body(record) { return }
      }
    }
  }
}
