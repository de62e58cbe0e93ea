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
    var found: [(position: Int, state: EntityState)] = []
    for (position, item) in items.enumerated() {
      if let type = query.type, !item.types.contains(type) { continue }
      let state = item.state(at: now)
      if let wanted = query.state, wanted != state { continue }
      guard words.allSatisfy({ item.searchText.contains($0) }) else { continue }
      found.append((position, state))
    }
    sort(&found, query.sort, language)
    let page = found.dropFirst(query.offset).prefix(query.limit)
    return ListPage(summaries: page.map { items[$0.position] }, total: found.count)
  }

  /// What needs a person: alarms, then attention, each with the newest reading first.
  func wrong(at now: DateTime, limit: Int) -> ListPage {
    var found: [(position: Int, state: EntityState)] = []
    for (position, item) in items.enumerated() {
      let state = item.state(at: now)
      if state <= .attention { found.append((position, state)) }
    }
    sort(&found, .state, .en)
    return ListPage(summaries: found.prefix(limit).map { items[$0.position] }, total: found.count)
  }

  private func sort(
    _ found: inout [(position: Int, state: EntityState)], _ order: ListQuery.Sort, _ language: Language
  ) {
    let time = { (position: Int) in self.items[position].observedAt?.microseconds ?? Int64.min }
    switch order {
    case .state:
      found.sort {
        if $0.state != $1.state { return $0.state < $1.state }
        let (left, right) = (time($0.position), time($1.position))
        return left != right ? left > right : items[$0.position].id < items[$1.position].id
      }
    case .newest: found.sort { (time($1.position), $0.position) < (time($0.position), $1.position) }
    case .oldest:
      found.sort {
        let (left, right) = (items[$0.position].observedAt, items[$1.position].observedAt)
        return (left?.microseconds ?? .max, $0.position) < (right?.microseconds ?? .max, $1.position)
      }
    case .name:
      let names = found.map { entry in
        (items[entry.position].displayName(language), items[entry.position].id, entry)
      }
      found = names.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.2)
    }
  }
}

extension EntitySummary {
  /// The name, or the last part of the id.
  func displayName(_ language: Language) -> String {
    if let name { return name.in(language) }
    return Names.idTail(id)
  }
}

extension Names {
  /// The id without the prefix that all NGSI-LD URNs share.
  static func idTail(_ id: String) -> String {
    let prefix = "urn:ngsi-ld:"
    let rest = id.hasPrefix(prefix) ? String(id.dropFirst(prefix.count)) : id
    return rest.isEmpty ? id : rest
  }
}
