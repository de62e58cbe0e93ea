import Foundation

/// A report for people: columns of text.
public struct Table: CustomStringConvertible {
  let report: Report

  public init(_ report: Report) { self.report = report }

  public var description: String {
    var lines = [
      "\(report.machine.cores) cores of \(report.machine.processor), \(report.machine.memoryBytes >> 30) GiB, Linux "
        + "\(report.machine.kernel), load \(number(report.machine.loadAtBegin)) to \(number(report.machine.loadAtEnd))",
      "",
    ]
    lines += Self.aligned([pointHead] + report.points.map(row))
    lines.append("")
    lines += Self.aligned([anchorHead] + report.anchors.map(row))
    lines.append("")
    for load in report.loads {
      lines.append(
        "loaded \(load.entities) entities: \(number(load.entitiesPerSecond)) a second"
          + (load.cpuPerEntity.map { ", \(number($0)) µs CPU each" } ?? ""))
    }
    for memory in report.memory {
      lines.append(
        "memory with \(memory.entities) entities: \(memory.resident / 1_000_000) MB resident, "
          + "\(memory.anonymous / 1_000_000) MB its own, \(memory.peak / 1_000_000) MB at most")
    }
    for anchor in report.missing { lines.append("missing anchor \(anchor.anchor.rawValue): \(anchor.reason)") }
    for point in report.points where point.figures.failures > 0 {
      lines.append("\(point.figures.failures) failures of \(name(point)): \(point.figures.firstFailure ?? "")")
    }
    lines.append("\(report.targets.count { $0.isMet }) of \(report.targets.count) targets met")
    for target in report.targets where !target.isMet {
      lines.append(
        "MISSED \(target.subject): \(number(target.found)) \(target.unit), limit \(number(target.limitHere))"
          + (target.limitHere == target.limit ? "" : " (\(number(target.limit)) where nginx takes 9 µs)"))
    }
    return lines.joined(separator: "\n")
  }

  private func name(_ point: Report.Point) -> String {
    "\(point.operation.rawValue), \(point.entities) entities, \(point.clients) clients"
  }

  private var pointHead: [String] {
    [
      "operation", "entities", "clients", "CPU µs", "p50 µs", "p99 µs", "per s", "×nginx", "×SQLite", "×Redis",
      "target",
    ]
  }

  private func row(_ point: Report.Point) -> [String] {
    func ratio(_ anchor: Report.Anchor) -> String { point.ratios[anchor.rawValue]?.cpu.map(number) ?? "–" }
    return [point.operation.rawValue, "\(point.entities)", "\(point.clients)"] + figures(point.figures)
      + [ratio(.http), ratio(.sqlite), ratio(.redis)]
      + [point.target.map { "\($0.isMet ? "met" : "MISSED") \(number($0.limitHere)) \($0.unit)" } ?? ""]
  }

  private var anchorHead: [String] {
    ["anchor", "operation", "entities", "clients", "CPU µs", "p50 µs", "p99 µs", "per s"]
  }

  private func row(_ anchor: Report.AnchorPoint) -> [String] {
    [
      anchor.anchor.rawValue, anchor.operation?.rawValue ?? "–", anchor.entities.map(String.init) ?? "–",
      "\(anchor.clients)",
    ] + figures(anchor.figures)
  }

  private func figures(_ figures: Figures) -> [String] {
    [figures.cpu.map(number) ?? "–", number(figures.p50), number(figures.p99), number(figures.perSecond)]
  }

  private func number(_ value: Double) -> String {
    value >= 100 ? String(Int(value.rounded())) : String(format: value >= 10 ? "%.1f" : "%.2f", value)
  }

  /// Pads columns: the first to the left, others to the right, the last not at all.
  static func aligned(_ rows: [[String]]) -> [String] {
    guard let head = rows.first else { return [] }
    let widths = head.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      row.enumerated().map { column, text in
        if column == row.count - 1, head[column] == "target" { return text }
        let space = String(repeating: " ", count: widths[column] - text.count)
        return column == 0 ? text + space : space + text
      }.joined(separator: "  ")
    }
  }
}
