/// A figure that the city is measured by, beside its target.
public struct Indicator: Sendable, Hashable {
  public enum Direction: Sendable, Hashable { case lower, higher }

  /// Something without which it cannot be computed.
  public enum Gap: Sendable, Hashable {
    /// No entity of the type has a value of the attribute; short names.
    case noValue(type: String, attribute: String?)
    /// The city's plan does not state it.
    case noFact(String)
    case divisionByZero
    case overflow
    /// The city could not be read.
    case unread
  }

  public struct Missing: Error, Sendable, Hashable {
    public var gaps: [Gap]

    public init(gaps: [Gap]) { self.gaps = gaps }
  }

  public var id: String
  public var name: LocalizedText
  public var value: Result<Double, Missing>
  public var target: Double
  /// Which side of the target is good.
  public var better: Direction
  /// As people read it; empty for a plain number.
  public var unit: String

  public init(
    id: String, name: LocalizedText, value: Result<Double, Missing>, target: Double, better: Direction, unit: String
  ) {
    self.id = id
    self.name = name
    self.value = value
    self.target = target
    self.better = better
    self.unit = unit
  }

  /// `nil` as long as there is no value.
  var isMet: Bool? {
    guard let value = try? value.get() else { return nil }
    return better == .lower ? value <= target : value >= target
  }
}

extension Visit {
  /// One line of the targets: texts ready to be shown.
  func row(_ indicator: Indicator) -> [String: String] {
    let state = indicator.isMet.map { $0 ? "met" : "missed" } ?? "none"
    var row = [
      "indicatorId": indicator.id, "indicatorName": indicator.name.in(language), "indicatorState": state,
      "indicatorStateText": text("target_" + state),
      "indicatorMark": ["met": "normal", "missed": "attention"][state] ?? "unknown",
      "indicatorTarget": text(
        indicator.better == .lower ? "targetAtMost" : "targetAtLeast", ["target": amount(indicator.target, indicator)]),
    ]
    switch indicator.value {
    case .success(let value):
      row["indicatorValue"] = amount(value, indicator)
      row["indicatorGaps"] = ""
    case .failure(let missing):
      row["indicatorValue"] = ""
      row["indicatorGaps"] = missing.gaps.map(gap).joined(separator: " · ")
    }
    return row
  }

  private func amount(_ number: Double, _ indicator: Indicator) -> String {
    indicator.unit.isEmpty ? NumberText.short(number) : "\(NumberText.short(number)) \(indicator.unit)"
  }

  private func gap(_ gap: Indicator.Gap) -> String {
    switch gap {
    case .noValue(let type, let attribute):
      let name = [room.names.type(type, language), attribute.map { room.names.attribute($0, language) }]
      return text("gap_noValue", ["what": name.compactMap(\.self).joined(separator: " ")])
    case .noFact(let fact): return text("gap_noFact", ["what": fact])
    case .divisionByZero: return text("gap_divisionByZero")
    case .overflow: return text("gap_overflow")
    case .unread: return text("gap_unread")
    }
  }
}
