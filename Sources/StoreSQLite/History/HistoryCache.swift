/// The writer's memory of where histories stand, so that an append need not look each up.
///
/// What a body wrote goes when the body is undone; all is dropped at a bound.
struct HistoryCache {
  struct Key: Hashable {
    let tenant: Int64
    let id: ExactText
  }

  struct Place {
    let evolution: Int64
    /// Rows that wait to be sealed, and their bytes.
    var arrivals = 0
    var arrivalBytes = 0
  }

  /// Most histories that are remembered.
  private static let bound = 100_000

  private var places: [Key: Place] = [:]
  /// Keys that the running body wrote.
  private var written: [Key] = []

  subscript(key: Key) -> Place? {
    get { places[key] }
    set {
      places[key] = newValue
      written.append(key)
    }
  }

  mutating func beginBody() { written.removeAll(keepingCapacity: true) }

  mutating func undoBody() {
    for key in written { places[key] = nil }
    written.removeAll(keepingCapacity: true)
  }

  /// The transaction is over.
  mutating func settle() {
    written.removeAll(keepingCapacity: true)
    if places.count > Self.bound { places.removeAll() }
  }
}
