import NGSI

/// For which instants each entity has had a row, and which row it was.
///
/// A series at a steady pace costs a run of 40 bytes however long it is; an instant that comes out of order costs
/// about as much by itself. The book keeps two generations: when one is full the older is let go, so that memory is
/// bounded and what came lately is always known.
struct InstantBook {
  /// A row of one of the files, from 1.
  struct Place: Sendable, Hashable {
    var file: Int32
    var row: Int32
  }

  /// Instants at one pace whose rows follow one another at one pace too.
  private struct Run {
    var start: Int64
    var step: Int64 = 0
    var count: Int32 = 1
    var place: Place
    var rowStep: Int32 = 0

    var end: Int64 { start + step * Int64(count - 1) }

    /// Takes the next instant in, where it keeps the pace.
    mutating func extend(_ time: Int64, _ place: Place) -> Bool {
      guard place.file == self.place.file, count < .max else { return false }
      if count == 1 {
        step = time - start
        rowStep = place.row - self.place.row
      }
      guard time == end + step, Int64(place.row) == Int64(self.place.row) + Int64(rowStep) * Int64(count) else {
        return false
      }
      count += 1
      return true
    }

    func place(of time: Int64) -> Place? {
      guard time >= start, time <= end else { return nil }
      guard step > 0 else { return place }
      let (index, rest) = (time - start).quotientAndRemainder(dividingBy: step)
      return rest == 0 ? Place(file: place.file, row: place.row + rowStep * Int32(index)) : nil
    }
  }

  private struct Series {
    /// In order of time, none reaching into another.
    var runs: [Run] = []
    /// Instants that came after a later one.
    var late: [Int64: Place] = [:]

    func place(of time: Int64) -> Place? {
      guard let last = runs.last, time <= last.end else { return nil }
      var low = 0
      var high = runs.count
      while low < high {
        let middle = (low + high) / 2
        if runs[middle].start <= time { low = middle + 1 } else { high = middle }
      }
      return (low > 0 ? runs[low - 1].place(of: time) : nil) ?? late[time]
    }

    /// - Returns: whether it took a piece of memory.
    mutating func insert(_ time: Int64, _ place: Place) -> Bool {
      guard let last = runs.indices.last, time <= runs[last].end else {
        if let last = runs.indices.last, runs[last].extend(time, place) { return false }
        runs.append(Run(start: time, place: place))
        return true
      }
      late[time] = place
      return true
    }
  }

  private let most: Int
  private var series: [String: Series] = [:]
  private var pieces = 0
  private var older: [String: Series] = [:]
  /// Whether instants have been let go.
  private(set) var hasForgotten = false

  /// - Parameter most: pieces (runs and instants out of order) of one generation.
  init(most: Int = 1_000_000) { self.most = most }

  /// Notes an instant; the row that gave it before when there was one.
  mutating func insert(_ time: DateTime, of id: String, place: Place) -> Place? {
    let time = time.microseconds
    if let earlier = older[id]?.place(of: time) { return earlier }
    if let earlier = series[id]?.place(of: time) { return earlier }
    if pieces >= most {
      hasForgotten = hasForgotten || !older.isEmpty
      older = series
      series = [:]
      pieces = 0
    }
    if series[id, default: Series()].insert(time, place) { pieces += 1 }
    return nil
  }
}
