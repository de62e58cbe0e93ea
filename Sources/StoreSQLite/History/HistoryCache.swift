/// The writer's memory of where histories stand, so that an append need not look each up.
///
/// Entries that a body added go when the body is undone; entries are dropped, all at once, at a bound.
struct HistoryCache {
  struct EvolutionKey: Hashable {
    let tenant: Int64
    let id: ExactText
  }

  /// Most histories, and most series in all, that are remembered.
  private static let bound = 50_000
  private static let seriesBound = 400_000

  private var evolutions: [EvolutionKey: Int64] = [:]
  /// By history and attribute.
  private var series: [Int64: [Int64: Int64]] = [:]
  private var seriesCount = 0
  private var addedEvolutions: [EvolutionKey] = []
  /// Histories whose series this transaction read or added to.
  private var touched: [Int64] = []
  private var marks = (evolutions: 0, touched: 0)

  subscript(key: EvolutionKey) -> Int64? { evolutions[key] }

  /// All series of a history by attribute; `nil` when they are not remembered.
  func series(of evolution: Int64) -> [Int64: Int64]? { series[evolution] }

  mutating func add(_ key: EvolutionKey, _ number: Int64) {
    evolutions[key] = number
    addedEvolutions.append(key)
  }

  mutating func load(_ all: [Int64: Int64], of evolution: Int64) {
    touched.append(evolution)
    series[evolution] = all
    seriesCount += all.count
  }

  mutating func add(series number: Int64, of attribute: Int64, to evolution: Int64) {
    series[evolution]?[attribute] = number
    seriesCount += 1
    touched.append(evolution)
  }

  mutating func remove(_ key: EvolutionKey) { evolutions[key] = nil }
  mutating func removeSeries(of evolution: Int64) { seriesCount -= series.removeValue(forKey: evolution)?.count ?? 0 }

  mutating func mark() { marks = (addedEvolutions.count, touched.count) }

  mutating func undo() {
    for key in addedEvolutions[marks.evolutions...] { evolutions[key] = nil }
    addedEvolutions.removeSubrange(marks.evolutions...)
    for evolution in touched[marks.touched...] { removeSeries(of: evolution) }
    touched.removeSubrange(marks.touched...)
  }

  /// The transaction is over.
  mutating func settle() {
    addedEvolutions.removeAll(keepingCapacity: true)
    touched.removeAll(keepingCapacity: true)
    if evolutions.count > Self.bound { evolutions.removeAll() }
    if series.count > Self.bound || seriesCount > Self.seriesBound {
      series.removeAll()
      seriesCount = 0
    }
  }
}
