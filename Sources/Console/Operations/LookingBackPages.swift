import Hummingbird
import Incidents
import NGSI
import Safety

/// `/operations/shift`: the log of a shift, and the sheet that is handed over with it.
enum ShiftPage {
  static let linesShown = 500

  static func answer(_ visit: Visit) async throws -> Response {
    guard let safety = visit.room.source.safety else { return OperationsPage.none(visit) }
    let period = Period(visit, hours: 8)
    let (log, isCut): (ShiftLog, Bool)
    do throws(Problem) {
      (log, isCut) = try await visit.room.source.asReader { () throws(Problem) in
        try safety.shift(from: period.from, to: period.to, in: .default)
      }
    } catch { return OperationsPage.refused(visit, error) }
    let plan = safety.plan
    var content = period.content(visit)
    content["lines"] = log.lines.suffix(linesShown).map { line in
      [
        "lineTime": line.entry.at.description, "lineLocal": visit.room.time.text(line.entry.at),
        "lineHref": Visit.incidentPath(line.incident.id), "lineNumber": Visit.number(line.incident.id),
        "lineTitle": visit.categoryTitle(line.incident.category, plan),
        "lineText": visit.text("entry_" + line.entry.command.name), "lineWho": visit.who(line.entry.by),
        "lineDetail": visit.detail(of: line, plan),
      ].withoutEmpty
    }
    content["isQuiet"] = log.lines.isEmpty
    if log.lines.count > linesShown {
      content["linesCut"] = visit.text("linesCut", ["n": "\(linesShown)", "m": "\(log.lines.count)"])
    }
    if isCut { content["cut"] = visit.text("periodCut") }
    content["open"] = log.open.map { item in
      var row = visit.row(item, plan)
      if let run = item.incident.run {
        row["openSteps"] = run.openSteps.compactMap { run.procedure.step($0) }.map { visit.title($0.title) }
          .joined(separator: ", ")
      }
      return row
    }
    content["isClear"] = log.open.isEmpty
    content["openedCount"] = "\(log.opened)"
    content["closedCount"] = "\(log.closed)"
    content["falseCount"] = "\(log.falseAlarms)"
    content["parties"] = log.parties.map { ["partyName": visit.who($0.party), "partyEntries": "\($0.entries)"] }
    content["printedAt"] = visit.room.time.text(visit.now)
    return PageFrame.answer(
      visit, template: "shift", title: visit.text("shiftTitle"), section: "operations", content: content.withoutEmpty)
  }
}

/// `/operations/figures`: how the city did.
enum FiguresPage {
  static let sourcesShown = 30

  static func answer(_ visit: Visit) async throws -> Response {
    guard let safety = visit.room.source.safety else { return OperationsPage.none(visit) }
    let period = Period(visit, hours: 24 * 7)
    let (figures, isCut): (ResponseFigures, Bool)
    do throws(Problem) {
      (figures, isCut) = try await visit.room.source.asReader { () throws(Problem) in
        try safety.figures(from: period.from, to: period.to, in: .default)
      }
    } catch { return OperationsPage.refused(visit, error) }
    var content = period.content(visit)
    content["count"] = NumberText.short(Double(figures.count))
    content["falseCount"] = NumberText.short(Double(figures.falseAlarms))
    content["isNothing"] = figures.count == 0
    content["milestones"] = ResponseTargets.Milestone.allCases.map {
      ["milestoneName": visit.text("milestone_" + $0.rawValue)]
    }
    let all: [String: Any] = [
      "rowName": visit.text("allCategories"), "rowCount": NumberText.short(Double(figures.count)),
      "cells": cells(visit, figures.all),
    ]
    content["rows"] =
      [all]
      + figures.categories.map { row in
        [
          "rowName": visit.categoryTitle(row.category, safety.plan), "rowCount": NumberText.short(Double(row.count)),
          "cells": cells(visit, row.spreads),
        ]
      }
    content["sources"] = figures.sources.prefix(sourcesShown).map { source in
      [
        "sourceName": source.source, "sourceChannel": visit.text("channel_" + source.channel),
        "sourceCount": NumberText.short(Double(source.incidents)),
        "sourceFalse": NumberText.short(Double(source.falseAlarms)),
        "sourceShare": source.judged == 0 ? "–" : "\(source.falseAlarms * 100 / source.judged) %",
      ]
    }
    if isCut { content["cut"] = visit.text("periodCut") }
    if visit.seesCity {
      let cameras = await visit.room.board.items.count { $0.types.contains(where: Nearby.cameraTypes.contains) }
      content["cameraCount"] = NumberText.short(Double(cameras))
    }
    return PageFrame.answer(
      visit, template: "figures", title: visit.text("figuresTitle"), section: "operations",
      content: content.withoutEmpty)
  }

  private static func cells(
    _ visit: Visit, _ spreads: [ResponseTargets.Milestone: ResponseFigures.Spread]
  ) -> [[String: Any]] {
    ResponseTargets.Milestone.allCases.map { milestone in
      guard let spread = spreads[milestone] else { return ["cellEmpty": true] }
      return [
        "cellMedian": visit.clock(spread.median), "cellNinetieth": visit.clock(spread.ninetieth),
        "cellLongest": visit.clock(spread.longest), "cellCount": NumberText.short(Double(spread.count)),
      ]
    }
  }
}

/// The time that a page looks back on, out of its address (`from`, `to` in the city's time).
struct Period {
  let from: DateTime
  let to: DateTime

  /// - Parameter hours: before now, where nothing is said.
  init(_ visit: Visit, hours: Double) {
    let time = visit.room.time
    let end = visit.query["to"].flatMap { time.instant(field: $0) } ?? visit.now
    let begin = visit.query["from"].flatMap { time.instant(field: $0) } ?? end.adding(seconds: -hours * 3600)
    (from, to) = (min(begin, end), max(begin, end))
  }

  func content(_ visit: Visit) -> [String: Any] {
    let time = visit.room.time
    return [
      "fromField": time.field(from), "toField": time.field(to), "fromText": time.text(from), "toText": time.text(to),
      "zone": "\(time.zone.identifier), \(time.offset(to))",
    ]
  }
}
