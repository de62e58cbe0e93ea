import NGSI

/// What types, attributes and units are called by people (`data/names.json`, `data/units.json`).
struct Names: Sendable {
  private let types: [String: LocalizedText]
  private let attributes: [String: LocalizedText]
  /// Attributes of a type that say most about it, the best first.
  private let headlines: [String: [String]]
  private let units: [String: String]
  /// What the words of coded values mean: by attribute, then by word; `*` for any attribute.
  private let words: [String: [String: LocalizedText]]
  /// Attributes that their data model measures from 0 to 1 without a unit; people read them in percent.
  private let fractions: Set<String>

  init(_ resources: Resources) throws(ConsoleError) {
    let names = try resources.json("data/names.json")
    types = Self.texts(names["types"])
    attributes = Self.texts(names["attributes"])
    var headlines: [String: [String]] = [:]
    for member in names["headlines"]?.object ?? JSONObject() {
      headlines[member.key] = member.value.array?.compactMap(\.string)
    }
    self.headlines = headlines
    var words: [String: [String: LocalizedText]] = [:]
    for member in names["words"]?.object ?? JSONObject() { words[member.key] = Self.texts(member.value) }
    self.words = words
    fractions = Set(names["fractions"]?.array?.compactMap(\.string) ?? [])
    var units: [String: String] = [:]
    for member in try resources.json("data/units.json")["units"]?.object ?? JSONObject() {
      units[member.key] = member.value.string
    }
    self.units = units
  }

  /// Between the texts of a list.
  static let listSeparator = ", "

  private static func texts(_ json: JSON?) -> [String: LocalizedText] {
    var texts: [String: LocalizedText] = [:]
    for member in json?.object ?? JSONObject() { texts[member.key] = LocalizedText(member.value) }
    return texts
  }

  /// The last part of a name's IRI: `AirQualityObserved` of `https://smartdatamodels.org/…/AirQualityObserved`.
  static func short(_ iri: String) -> String {
    if iri.hasPrefix(Core.defaultVocabulary) { return String(iri.dropFirst(Core.defaultVocabulary.count)) }
    guard let cut = iri.lastIndex(where: { $0 == "/" || $0 == "#" }) else { return iri }
    let rest = iri[iri.index(after: cut)...]
    return rest.isEmpty ? iri : String(rest)
  }

  func type(_ short: String, _ language: Language) -> String { types[short]?.in(language) ?? short }

  func attribute(_ short: String, _ language: Language) -> String { attributes[short]?.in(language) ?? short }

  /// A value in the reader's language where it is a word of a data model; any other text as it is.
  func word(_ text: String, of attribute: String, _ language: Language) -> String {
    (words[attribute]?[text] ?? words["*"]?[text])?.in(language) ?? text
  }

  func headlines(types: [String]) -> [String] { types.lazy.compactMap { headlines[$0] }.first ?? [] }

  /// Symbol of a UN/CEFACT common code; a code that is not in the table is shown as it is.
  func unit(_ code: String?) -> String {
    guard let code, !code.isEmpty else { return "" }
    return units[code] ?? code
  }

  /// Whether people read the number in percent though it is measured from 0 to 1.
  func isFraction(_ attribute: Attribute, named short: String) -> Bool {
    guard attribute.unitCode == nil || attribute.unitCode == "C62", fractions.contains(short),
      let number = attribute.value.number
    else { return false }
    return (0...1).contains(number)
  }

  /// A scalar or a list of texts as it came, with the code of the unit it is then in; `nil` for anything else.
  func reading(_ attribute: Attribute, named short: String, most: Int) -> (text: String, unitCode: String?)? {
    if isFraction(attribute, named: short), let number = attribute.value.number {
      return (NumberText.short(number * 100), "P1")
    }
    let text: String? =
      switch attribute.value {
      case .string(let text): text.count > most ? text.prefix(most) + "…" : text
      case .bool(let flag): flag ? "true" : "false"
      case .integer, .double, .decimal: attribute.value.number.map(NumberText.short)
      case .array(let items) where !items.isEmpty && items.allSatisfy({ $0.string != nil }):
        String(items.compactMap(\.string).joined(separator: Self.listSeparator).prefix(most))
      default: nil
      }
    return text.map { ($0, attribute.unitCode) }
  }
}
