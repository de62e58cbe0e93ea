import NGSI

/// What to list.
struct ListQuery: Sendable, Equatable {
  enum Sort: String, Sendable, CaseIterable {
    /// The worst first, then the newest.
    case state
    case name
    case newest
    case oldest
  }

  static let limits = 1...200
  static let maxText = 200
  static let maxOffset = 1_000_000

  var type: String?
  /// Words that all must occur in id, name or types.
  var text = ""
  var state: EntityState?
  /// Id of the rule that judged it.
  var cause: String?
  var sort = Sort.state
  var limit = 50
  var offset = 0
}

struct ListPage: Sendable {
  var summaries: [EntitySummary]
  var total: Int
}

/// The city at a glance.
struct Overview: Sendable {
  var phase: Board.Phase
  var total = 0
  var leftOut = 0
  var located = 0
  var states: [EntityState: Int] = [:]
  /// Short type name to number of entities, the most first.
  var types: [(type: String, count: Int)] = []
  var newestReading: DateTime?
  var lastChange: DateTime?
  var sequence: UInt64
  var epoch: String
}

extension Board {
  func overview(at now: DateTime) -> Overview {
    var view = Overview(phase: phase, leftOut: leftOut, lastChange: lastChange, sequence: log.last, epoch: log.epoch)
    var types: [String: Int] = [:]
    view.total = items.count
    for item in items {
      view.states[item.state(at: now), default: 0] += 1
      if item.place != nil { view.located += 1 }
      for type in item.types { types[type, default: 0] += 1 }
      if let at = item.observedAt, at > view.newestReading ?? at.adding(seconds: -1) { view.newestReading = at }
    }
    view.types = types.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { ($0.key, $0.value) }
    return view
  }

  func list(_ query: ListQuery, at now: DateTime, language: Language) -> ListPage {
    let words = query.text.lowercased().split(whereSeparator: \.isWhitespace).map(String.init)
    let rule = query.cause.map { id in summarizer.rules.rules.firstIndex { $0.id == id } ?? -1 }
    var found: [(position: Int, state: EntityState)] = []
    for (position, item) in items.enumerated() {
      if let type = query.type, !item.types.contains(type) { continue }
      let state = item.state(at: now)
      if let wanted = query.state, wanted != state { continue }
      if let rule, item.cause?.rule != rule { continue }
      guard words.allSatisfy({ item.searchText.contains($0) }) else { continue }
      found.append((position, state))
    }
    let total = found.count
    sort(&found, query.sort, language, needed: query.offset + query.limit)
    let page = found.dropFirst(query.offset).prefix(query.limit)
    return ListPage(summaries: page.map { items[$0.position] }, total: total)
  }

  private func sort(
    _ found: inout [(position: Int, state: EntityState)], _ order: ListQuery.Sort, _ language: Language,
    needed: Int
  ) {
    let time = { (position: Int) in self.items[position].observedAt?.microseconds ?? .min }
    switch order {
    case .state:
      found.sortFirst(needed) {
        if $0.state != $1.state { return $0.state < $1.state }
        let (left, right) = (time($0.position), time($1.position))
        return left != right ? left > right : items[$0.position].id < items[$1.position].id
      }
    case .newest: found.sortFirst(needed) { (time($1.position), $0.position) < (time($0.position), $1.position) }
    case .oldest:
      found.sortFirst(needed) {
        let (left, right) = (items[$0.position].observedAt, items[$1.position].observedAt)
        return (left?.microseconds ?? .max, $0.position) < (right?.microseconds ?? .max, $1.position)
      }
    case .name:
      found.sortFirst(needed) { left, right in
        let (left, right) = (items[left.position], items[right.position])
        let (first, second) = (left.sortName(language), right.sortName(language))
        return first != second ? first < second : left.id < right.id
      }
    }
  }
}

extension Array {
  /// Keeps the first elements, in order, and may drop the rest: a page needs no more, and a list of a hundred thousand
  /// is then read once instead of sorted.
  mutating func sortFirst(_ needed: Int, by areInOrder: (Element, Element) -> Bool) {
    guard needed < 1000, count > 2 * needed, needed > 0 else { return sort(by: areInOrder) }
    var best = Array(prefix(needed)).sorted(by: areInOrder)
    for element in dropFirst(needed) where areInOrder(element, best[needed - 1]) {
      var (low, high) = (0, needed - 1)
      while low < high {
        let middle = (low + high) / 2
        if areInOrder(element, best[middle]) { high = middle } else { low = middle + 1 }
      }
      best.removeLast()
      best.insert(element, at: low)
    }
    self = best
  }
}

extension EntitySummary {
  /// What lists are ordered by: the name, or type and id.
  func sortName(_ language: Language) -> String { name?.in(language) ?? id }
}

extension Names {
  /// The name, or the type with the end of the id: "Streetlight busan:17" of `urn:ngsi-ld:Streetlight:busan:17`.
  func display(_ summary: EntitySummary, _ language: Language) -> String {
    if let name = summary.name { return name.in(language) }
    guard let type = summary.types.first else { return summary.id }
    let prefix = "urn:ngsi-ld:\(type):"
    guard summary.id.hasPrefix(prefix), summary.id.utf8.count > prefix.utf8.count else { return summary.id }
    return "\(self.type(type, language)) \(summary.id.dropFirst(prefix.count))"
  }
}
