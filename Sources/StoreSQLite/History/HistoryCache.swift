/// The writer's memory of where histories stand, so that an append need not look each up.
///
/// Entries that a body added go when the body is undone; entries are dropped, all at once, at a bound.
struct HistoryCache {
  struct EvolutionKey: Hashable {
    let tenant: Int64
    let id: ExactText
  }

  struct SeriesKey: Hashable {
    let evolution: Int64
    let attribute: Int64
  }

  private static let bound = 50_000

  private var evolutions: [EvolutionKey: Int64] = [:]
  private var series: [SeriesKey: Int64] = [:]
  private var addedEvolutions: [EvolutionKey] = []
  private var addedSeries: [SeriesKey] = []
  private var marks = (evolutions: 0, series: 0)

  subscript(key: EvolutionKey) -> Int64? { evolutions[key] }
  subscript(key: SeriesKey) -> Int64? { series[key] }

  mutating func add(_ key: EvolutionKey, _ number: Int64) {
    evolutions[key] = number
    addedEvolutions.append(key)
  }

  mutating func add(_ key: SeriesKey, _ number: Int64) {
    series[key] = number
    addedSeries.append(key)
  }

  mutating func remove(_ key: EvolutionKey) { evolutions[key] = nil }
  mutating func remove(_ key: SeriesKey) { series[key] = nil }

  mutating func mark() { marks = (addedEvolutions.count, addedSeries.count) }

  mutating func undo() {
    for key in addedEvolutions[marks.evolutions...] { evolutions[key] = nil }
    addedEvolutions.removeSubrange(marks.evolutions...)
    for key in addedSeries[marks.series...] { series[key] = nil }
    addedSeries.removeSubrange(marks.series...)
  }

  /// The transaction is over.
  mutating func settle() {
    addedEvolutions.removeAll(keepingCapacity: true)
    addedSeries.removeAll(keepingCapacity: true)
    if evolutions.count > Self.bound { evolutions.removeAll() }
    if series.count > Self.bound { series.removeAll() }
  }
}
