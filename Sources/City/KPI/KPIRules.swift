/// Whether every KPI of a manifest is a formula, and can be computed from what the city's devices and connectors give.
struct KPIRules {
  let manifest: Manifest
  let file: CheckedFile

  /// Formulas that are none.
  func syntax() -> [FileProblem] {
    (manifest.kpis ?? []).enumerated().compactMap { offset, kpi in
      do throws(FormulaProblem) {
        _ = try Formula(kpi.formula)
        return nil
      } catch {
        return file.problem(
          at: "kpis[\(offset)].formula", found: "\(error.found) at character \(error.column)", expected: error.expected)
      }
    }
  }

  /// Names in formulas that nothing in the city gives.
  func closure(_ supply: Supply) -> [FileProblem] {
    var problems: [FileProblem] = []
    for (offset, kpi) in (manifest.kpis ?? []).enumerated() {
      guard let formula = try? Formula(kpi.formula) else { continue }
      func note(_ found: String, _ expected: String) {
        problems.append(file.problem(at: "kpis[\(offset)].formula", found: found, expected: expected))
      }
      if formula.facts.contains(.visitors), manifest.population.visitors == nil {
        note("'visitors'", "'visitors' in population")
      }
      for figure in formula.figures { check(figure.function, figure.reading, figure.comparison, supply, note) }
    }
    return problems
  }

  private func check(
    _ function: Formula.Function, _ reading: Formula.Reading, _ comparison: Formula.Comparison?, _ supply: Supply,
    _ note: (_ found: String, _ expected: String) -> Void
  ) {
    guard let attributes = supply.types[reading.type] else {
      if supply.isOpen { return }
      return note(
        "the type '\(reading.type)', which no fleet or connector gives", Self.oneOf(supply.types.keys, reading.type))
    }
    guard let attribute = reading.attribute else { return }
    guard let kind = attributes[attribute] else {
      return note(
        "'\(reading.type).\(attribute)', which no fleet or connector gives", Self.oneOf(attributes.keys, attribute))
    }
    let wantsNumber: Bool
    switch (function, comparison?.value) {
    case (.count, nil): return
    case (_, .word): wantsNumber = false
    default: wantsNumber = true
    }
    if wantsNumber, kind != .number {
      note(
        "'\(reading.type).\(attribute)', which is no number",
        Self.oneOf(attributes.filter { $0.value == .number }.map(\.key), attribute))
    } else if !wantsNumber, kind == .number {
      note("a word to compare the number '\(reading.type).\(attribute)' with", "a number")
    }
  }

  private static func oneOf(_ known: some Collection<String>, _ word: String) -> String {
    let names = known.sorted()
    if let near = YAMLReader.nearest(to: word, among: names) { return "'\(near)' (did you mean that?)" }
    return names.isEmpty ? "something that the city measures" : "one of " + names.joined(separator: ", ")
  }
}
