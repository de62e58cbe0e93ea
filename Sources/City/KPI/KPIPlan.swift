/// The KPIs of a manifest with their formulas, and what these read of the city.
public struct KPIPlan: Sendable {
  private let kpis: [(kpi: Manifest.KPI, formula: Formula)]
  private let facts: FormulaData
  /// Short names of the attributes that are read, by short type name; none where entities are only counted.
  public let needs: [String: Set<String>]

  /// - Parameter manifest: one that was checked; a text in it that is no formula is left out.
  public init(_ manifest: Manifest) {
    kpis = (manifest.kpis ?? []).compactMap { kpi in (try? Formula(kpi.formula)).map { (kpi, $0) } }
    facts = FormulaData(manifest)
    var needs: [String: Set<String>] = [:]
    for figure in kpis.flatMap(\.formula.figures) {
      needs[figure.reading.type, default: []].formUnion(figure.reading.attribute.map { [$0] } ?? [])
    }
    self.needs = needs
  }

  /// What formulas are computed from before any entity was added: the facts of the manifest.
  public var data: FormulaData { facts }

  public func values(of data: FormulaData) -> [KPIValue] {
    kpis.map { kpi, formula in
      do throws(FormulaGaps) {
        return KPIValue(kpi: kpi, value: .success(try formula.value(of: data)))
      } catch { return KPIValue(kpi: kpi, value: .failure(error)) }
    }
  }
}

/// A KPI as the city has it now.
public struct KPIValue: Sendable {
  public var kpi: Manifest.KPI
  public var value: Result<Double, FormulaGaps>

  public init(kpi: Manifest.KPI, value: Result<Double, FormulaGaps>) {
    self.kpi = kpi
    self.value = value
  }
}
