import NGSI

/// How an entity stands, the worst first.
enum EntityState: Int, Sendable, CaseIterable, Comparable {
  case alarm = 0
  case attention = 1
  /// It has readings, but the newest is older than its kind allows.
  case stale = 2
  case normal = 3
  /// Nothing about it is measured.
  case unknown = 4

  static func < (left: EntityState, right: EntityState) -> Bool { left.rawValue < right.rawValue }

  /// Name in URLs, style classes and strings tables.
  var name: String {
    switch self {
    case .alarm: "alarm"
    case .attention: "attention"
    case .stale: "stale"
    case .normal: "normal"
    case .unknown: "unknown"
    }
  }

  init?(name: String) {
    guard let state = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = state
  }
}

/// The dated, sourced table `Resources/data/rules.json`: which reading means what, and how old one may be.
struct StateRules: Sendable {
  /// One row of the table.
  struct Rule: Sendable {
    enum Test: Sendable {
      /// Attention and alarm above the bounds, in ``unit``.
      case above(attention: Double?, alarm: Double?)
      case below(attention: Double?, alarm: Double?)
      case isOneOf(attention: Set<String>, alarm: Set<String>)
    }

    enum Basis: String, Sendable {
      /// A law or regulation.
      case law
      /// A published index or warning level of an authority.
      case index
      /// Madang's own: no authority stands behind it.
      case house
    }

    var id: String
    /// Short type names; empty for every type.
    var types: Set<String>
    /// Short attribute name.
    var attribute: String
    /// Unit of the bounds, UN/CEFACT code; empty for a pure number.
    var unit: String
    /// Factor from a reading's unit code to ``unit``; a reading in another unit is not judged.
    var factors: [String: Double]
    /// Readings below this are a code for "not known" (a battery level of -1) and not judged.
    var validFrom: Double?
    var test: Test
    /// Whether a bound itself is over it ("33 °C or more") or the last good value ("above 35 µg/m³").
    var includesBound = false
    /// What it rests on.
    var basis: Basis
    var attentionLabel: LocalizedText
    var alarmLabel: LocalizedText
    var source: LocalizedText
    /// Since when it is in force, or when it was read or published where that is not known.
    var sourceDate: String

    /// What it says of a reading in this state.
    func label(_ state: EntityState) -> LocalizedText { state == .alarm ? alarmLabel : attentionLabel }

    /// Bounds in the unit of a reading, for the lines of a chart.
    func bounds(inUnit code: String) -> (attention: Double?, alarm: Double?) {
      guard let factor = factors[code] else { return (nil, nil) }
      switch test {
      case .above(let attention, let alarm), .below(let attention, let alarm):
        return (attention.map { $0 / factor }, alarm.map { $0 / factor })
      case .isOneOf: return (nil, nil)
      }
    }

    /// What the reading means; `nil` when the rule has nothing to say on it.
    func judge(_ value: JSON, unitCode: String?) -> EntityState? {
      switch test {
      case .above(let attention, let alarm):
        guard let number = reading(value, unitCode) else { return nil }
        if let alarm, number > alarm || includesBound && number == alarm { return .alarm }
        if let attention, number > attention || includesBound && number == attention { return .attention }
        return .normal
      case .below(let attention, let alarm):
        guard let number = reading(value, unitCode) else { return nil }
        if let alarm, number < alarm || includesBound && number == alarm { return .alarm }
        if let attention, number < attention || includesBound && number == attention { return .attention }
        return .normal
      case .isOneOf(let attention, let alarm):
        let words = value.items.compactMap { item in item.string ?? item.bool.map { $0 ? "true" : "false" } }
        guard !words.isEmpty else { return nil }
        if words.contains(where: alarm.contains) { return .alarm }
        if words.contains(where: attention.contains) { return .attention }
        return .normal
      }
    }

    private func reading(_ value: JSON, _ unitCode: String?) -> Double? {
      guard let number = value.number, let factor = factors[unitCode ?? ""] else { return nil }
      let reading = number * factor
      if let validFrom, reading < validFrom { return nil }
      return reading
    }
  }

  var rules: [Rule]
  private var rulesOfAttribute: [String: [Int]] = [:]
  private var ages: [String: Double]
  private var defaultAge: Double

  /// Age in seconds after which a reading of this type is stale.
  func staleAge(types: [String]) -> Double { types.compactMap { ages[$0] }.max() ?? defaultAge }

  /// Rules on this attribute of an entity of these short types, with their place in ``rules``.
  func rules(attribute: String, types: [String]) -> [(index: Int, rule: Rule)] {
    (rulesOfAttribute[attribute] ?? []).compactMap { index in
      let rule = rules[index]
      return rule.types.isEmpty || types.contains(where: rule.types.contains) ? (index, rule) : nil
    }
  }
}

// MARK: - Reading the table

extension StateRules {
  init(_ json: JSON) throws(ConsoleError) {
    guard let rows = json["rules"]?.array, let ages = json["staleAfterSeconds"]?.object,
      let defaultAge = ages["*"]?.number
    else { throw .resource("data/rules.json needs 'rules' and 'staleAfterSeconds' with a '*'") }
    self.ages = [:]
    for age in ages { self.ages[age.key] = age.value.number }
    self.defaultAge = defaultAge
    rules = []
    for row in rows { rules.append(try Rule(row)) }
    for (index, rule) in rules.enumerated() { rulesOfAttribute[rule.attribute, default: []].append(index) }
  }
}

extension StateRules.Rule {
  init(_ json: JSON) throws(ConsoleError) {
    guard let id = json["id"]?.string, let attribute = json["attribute"]?.string,
      let source = LocalizedText(json["source"]), let sourceDate = json["sourceDate"]?.string,
      let basis = json["basis"]?.string.flatMap(Basis.init)
    else { throw .resource("a rule of data/rules.json needs id, attribute, basis, source and sourceDate") }
    self.id = id
    self.attribute = attribute
    self.source = source
    self.sourceDate = sourceDate
    self.basis = basis
    includesBound = json["atLeast"] != nil || json["atMost"] != nil
    types = Set(json["types"]?.array?.compactMap(\.string) ?? [])
    unit = json["unit"]?.string ?? ""
    factors = [:]
    for factor in json["factors"]?.object ?? JSONObject() { factors[factor.key] = factor.value.number }
    validFrom = json["validFrom"]?.number
    if let bounds = json["above"] ?? json["atLeast"] {
      test = .above(attention: bounds["attention"]?.number, alarm: bounds["alarm"]?.number)
    } else if let bounds = json["below"] ?? json["atMost"] {
      test = .below(attention: bounds["attention"]?.number, alarm: bounds["alarm"]?.number)
    } else if let words = json["is"] {
      test = .isOneOf(
        attention: Set(words["attention"]?.array?.compactMap(\.string) ?? []),
        alarm: Set(words["alarm"]?.array?.compactMap(\.string) ?? []))
    } else {
      throw .resource("the rule \(id) of data/rules.json has none of 'above', 'atLeast', 'below', 'atMost' and 'is'")
    }
    attentionLabel = LocalizedText(json["label"]?["attention"]) ?? LocalizedText("")
    alarmLabel = LocalizedText(json["label"]?["alarm"]) ?? attentionLabel
  }
}

extension LocalizedText {
  /// Reads `{"ko": …, "en": …}`.
  init?(_ json: JSON?) {
    guard let ko = json?["ko"]?.string, let en = json?["en"]?.string else { return nil }
    self.init(ko: ko, en: en)
  }
}
