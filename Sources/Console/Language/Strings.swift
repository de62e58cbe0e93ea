import NGSI

/// All that the console says, one table for each language with the same keys: `strings/en.json`, `strings/operations-en.json` and so on.
struct Strings: Sendable {
  private let tables: [Language: [String: String]]

  init(_ resources: Resources) throws(ConsoleError) {
    var tables: [Language: [String: String]] = [:]
    for language in Language.allCases {
      var table: [String: String] = [:]
      for path in resources.files.keys.sorted()
      where path.hasPrefix("strings/") && path.hasSuffix("\(language.rawValue).json") {
        guard let object = try resources.json(path).object else { throw .resource("\(path) must be an object") }
        for member in object { table[member.key] = member.value.string }
      }
      tables[language] = table
    }
    self.tables = tables
  }

  func table(_ language: Language) -> [String: String] { tables[language] ?? [:] }

  /// The text of a key, with `{name}` replaced; a missing key shows itself.
  func text(_ key: String, _ language: Language, _ values: [String: String] = [:]) -> String {
    var text = tables[language]?[key] ?? key
    for (name, value) in values { text = text.replacing("{\(name)}", with: value) }
    return text
  }

  /// The part of a table that browser modules need: keys that begin with `js`, or with what a page has of its own.
  func scriptTable(_ language: Language, prefix: String = "js") -> JSON {
    var object = JSONObject()
    for (key, value) in table(language).sorted(by: { $0.key < $1.key }) where key.hasPrefix(prefix) {
      object[key] = .string(value)
    }
    return .object(object)
  }
}
