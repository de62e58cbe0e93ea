import NGSI

/// A series in which each entity has one row for an instant: a later row for it is refused with its reason, also when
/// it comes from another file.
struct DistinctRecords: RecordSource {
  private var source: any RecordSource
  /// Names of the files, for the reason.
  private let names: [String]
  private var book: InstantBook
  private let notice: @Sendable (String) -> Void
  private var hasTold = false

  init(
    _ source: any RecordSource, names: [String], book: InstantBook = InstantBook(),
    notice: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.source = source
    self.names = names
    self.book = book
    self.notice = notice
  }

  var progress: Double { source.progress }

  mutating func next() throws(IngestError) -> Record? {
    guard var record = try source.next() else { return nil }
    guard case .entity(let entity) = record.outcome, let time = entity.observedAt else { return record }
    let place = InstantBook.Place(file: Int32(clamping: record.file), row: Int32(clamping: record.row))
    if let earlier = book.insert(time, of: entity.id, place: place) {
      let file = earlier.file == place.file ? "" : " of \(names[Int(earlier.file)])"
      record.outcome = .refused(
        "a second row of \(entity.id) for \(time), which row \(earlier.row)\(file) gave already")
    } else if book.hasForgotten, !hasTold {
      hasTold = true
      notice("the series is too irregular to remember whole; second rows far apart will not be noticed from here on")
    }
    return record
  }
}
