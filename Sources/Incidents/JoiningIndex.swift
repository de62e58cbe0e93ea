import Foundation
import NGSI

/// Finds the incidents that a report may be about without looking at all that are open. It may name too many, never too few:
/// ``JoiningRules`` decides.
public struct JoiningIndex: Sendable {
  private struct Source: Hashable {
    var source: String
    var category: String
  }

  private struct Cell: Hashable {
    var category: String
    var column: Int
    var row: Int
  }

  /// Where one incident is entered.
  private struct Entered {
    var sources: Set<Source> = []
    var cell: Cell?
    var category: String
    /// It may be far from the place that is named.
    var isVague: Bool
  }

  /// Degrees; about 550 m from south to north.
  private static let size = 0.005
  /// Metres that are not known, from which on an incident counts as being anywhere.
  private static let vague = 1_000.0
  /// Cells that are looked at one by one; a wider circle takes all of a category.
  private static let mostCells = 256.0
  /// Metres in a degree of latitude (mean meridian of WGS 84, rounded down).
  private static let metresADegree = 110_000.0

  private var entered: [String: Entered] = [:]
  private var sources: [Source: Set<String>] = [:]
  private var cells: [Cell: Set<String>] = [:]
  private var vague: [String: Set<String>] = [:]
  private var categories: [String: Set<String>] = [:]

  public init() {}

  /// Enters an incident as it is now.
  public mutating func put(_ incident: Incident) {
    remove(incident.id)
    var entry = Entered(
      sources: Set(incident.reports.map { Source(source: $0.source, category: incident.category) }),
      category: incident.category, isVague: (incident.position?.uncertainty ?? 0) > Self.vague)
    if let position = incident.position, !entry.isVague { entry.cell = Self.cell(position, incident.category) }
    for source in entry.sources { sources[source, default: []].insert(incident.id) }
    if let cell = entry.cell { cells[cell, default: []].insert(incident.id) }
    if entry.isVague { vague[entry.category, default: []].insert(incident.id) }
    categories[entry.category, default: []].insert(incident.id)
    entered[incident.id] = entry
  }

  public mutating func remove(_ id: String) {
    guard let entry = entered.removeValue(forKey: id) else { return }
    for source in entry.sources { Self.remove(id, from: &sources, at: source) }
    if let cell = entry.cell { Self.remove(id, from: &cells, at: cell) }
    if entry.isVague { Self.remove(id, from: &vague, at: entry.category) }
    Self.remove(id, from: &categories, at: entry.category)
  }

  private static func remove<Key: Hashable>(_ id: String, from table: inout [Key: Set<String>], at key: Key) {
    table[key]?.remove(id)
    if table[key]?.isEmpty == true { table[key] = nil }
  }

  /// The incidents that a report may be about.
  public func candidates(for report: Report, by rules: JoiningRules) -> Set<String> {
    var found = sources[Source(source: report.source, category: report.category)] ?? []
    guard let here = report.believedPosition else { return found }
    let concerned = rules.rules.filter { $0.categories.contains(report.category) }
    for category in Set(concerned.flatMap(\.categories)) {
      found.formUnion(vague[category] ?? [])
      let reach = concerned.filter { $0.categories.contains(category) }.map(\.metres).max() ?? 0
      found.formUnion(near(here, within: reach + (here.uncertainty ?? 0) + Self.vague, category))
    }
    return found
  }

  private func near(_ here: Position, within metres: Double, _ category: String) -> Set<String> {
    let all = categories[category] ?? []
    guard all.count > 8 else { return all }
    let high = metres / Self.metresADegree
    let widest = min(90, abs(here.latitude) + high) * .pi / 180
    let wide = metres / (Self.metresADegree * max(cos(widest), 1e-9))
    // Near the poles and the antimeridian degrees say little.
    let fits = abs(here.longitude) + wide < 180 && abs(here.latitude) + high < 89
    guard fits, (2 * high / Self.size + 2) * (2 * wide / Self.size + 2) <= Self.mostCells else { return all }
    let (columns, rows) = (
      Self.step(here.longitude - wide)...Self.step(here.longitude + wide),
      Self.step(here.latitude - high)...Self.step(here.latitude + high)
    )
    var found: Set<String> = []
    for column in columns {
      for row in rows {
        if let ids = cells[Cell(category: category, column: column, row: row)] { found.formUnion(ids) }
      }
    }
    return found
  }

  private static func cell(_ position: Position, _ category: String) -> Cell {
    Cell(category: category, column: step(position.longitude), row: step(position.latitude))
  }

  private static func step(_ degrees: Double) -> Int { Int((degrees / size).rounded(.down)) }
}
