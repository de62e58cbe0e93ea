import NGSI

/// One line of what needs a person.
enum AttentionEntry: Sendable {
  case one(EntitySummary)
  /// More entities of one cause than are worth a line each.
  case many(AttentionGroup)
}

/// Entities in the same state for the same cause.
struct AttentionGroup: Sendable {
  var state: EntityState
  /// Place of the rule in ``StateRules/rules``.
  var rule: Int
  var count: Int
  /// Short type name to number of entities, the most first.
  var types: [(type: String, count: Int)]
}

struct AttentionPage: Sendable {
  var entries: [AttentionEntry]
  /// Entities, whether they have a line of their own or not.
  var total: Int
  /// Whether ``entries`` speak of all of them.
  var isWhole: Bool
}

extension Board {
  /// Most entities of one cause with a line each: a hundred low batteries must not bury one broken lamp.
  private static func mostAlone(_ state: EntityState) -> Int { state == .alarm ? 8 : 3 }

  /// Alarms, then attention; in each the rare cause before the common one, and its newest reading first.
  func attention(at now: DateTime, limit: Int) -> AttentionPage {
    struct Cause: Hashable {
      var state: EntityState
      var rule: Int
    }
    var found: [Cause: [Int]] = [:]
    for (position, item) in items.enumerated() {
      let state = item.state(at: now)
      guard state <= .attention, let cause = item.cause else { continue }
      found[Cause(state: state, rule: cause.rule), default: []].append(position)
    }
    let causes = found.sorted {
      ($0.key.state.rawValue, $0.value.count, $0.key.rule) < ($1.key.state.rawValue, $1.value.count, $1.key.rule)
    }
    let entries = causes.flatMap { cause, positions -> [AttentionEntry] in
      guard positions.count > Self.mostAlone(cause.state) else {
        let time = { (position: Int) in self.items[position].observedAt?.microseconds ?? .min }
        let newest = positions.sorted { (time($1), items[$0].id) < (time($0), items[$1].id) }
        return newest.map { .one(items[$0]) }
      }
      let types = Dictionary(grouping: positions) { items[$0].types.first ?? "" }.mapValues(\.count)
      let most = types.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { (type: $0.key, count: $0.value) }
      return [.many(AttentionGroup(state: cause.state, rule: cause.rule, count: positions.count, types: most))]
    }
    return AttentionPage(
      entries: Array(entries.prefix(limit)), total: found.values.reduce(0) { $0 + $1.count },
      isWhole: entries.count <= limit)
  }
}

extension Visit {
  func row(_ entry: AttentionEntry) -> [String: String] {
    switch entry {
    case .one(let summary): return row(summary)
    case .many(let group):
      let rule = room.rules.rules[group.rule]
      let query = ["state": group.state.name, "cause": rule.id]
      let types = group.types.prefix(3).map { type, count in
        type.isEmpty ? "" : "\(room.names.type(type, language)) \(NumberText.short(Double(count)))"
      }
      return [
        "rowId": "cause:\(rule.id):\(group.state.name)",
        "rowHref": "/entities?" + Query("").with(query),
        "rowName": text(
          "wrongGroup",
          ["n": NumberText.short(Double(group.count)), "cause": rule.label(group.state).in(language)]),
        "rowType": types.joined(separator: " · ") + (group.types.count > 3 ? " …" : ""),
        "rowState": group.state.name, "rowStateText": text("state_" + group.state.name),
        "rowReading": "", "rowCause": "", "rowAge": "", "rowTime": "",
      ]
    }
  }
}
