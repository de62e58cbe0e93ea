import NGSI
import Patterns

/// The words of one schema, read with what each may hold.
struct SchemaWords {
  let object: JSONObject
  let place: SchemaPlace

  func at(_ word: String) -> SchemaPlace {
    SchemaPlace(document: place.document, pointer: place.pointer + "/" + JSONPointer.escape(word))
  }

  func inside(_ word: String, _ name: String) -> SchemaPlace {
    SchemaPlace(
      document: place.document, pointer: "\(place.pointer)/\(JSONPointer.escape(word))/\(JSONPointer.escape(name))")
  }

  func wrong(_ word: String, _ expected: String) -> SchemaError {
    SchemaError(location: at(word).text, detail: "'\(word)' is to be \(expected)")
  }

  // MARK: - Values

  func text(_ word: String) throws(SchemaError) -> String? {
    guard let value = object[word] else { return nil }
    guard let text = value.string else { throw wrong(word, "a text") }
    return text
  }

  private func count(_ word: String) throws(SchemaError) -> Int? {
    guard let value = object[word] else { return nil }
    guard let number = value.number, number >= 0, number.rounded() == number else {
      throw wrong(word, "a whole number that is not negative")
    }
    return number < 9e15 ? Int(number) : .max
  }

  func bounds(_ least: String, _ most: String) throws(SchemaError) -> Bounds? {
    let (low, high) = (try count(least), try count(most))
    guard low != nil || high != nil else { return nil }
    return Bounds(least: low ?? 0, most: high ?? .max)
  }

  private func number(_ word: String) throws(SchemaError) -> JSON? {
    guard let value = object[word] else { return nil }
    guard value.number != nil else { throw wrong(word, "a number") }
    return value
  }

  func names(_ value: JSON, _ word: String) throws(SchemaError) -> [String] {
    let names = value.array?.compactMap(\.string)
    guard let names, names.count == value.array?.count else { throw wrong(word, "a list of names") }
    return names
  }

  /// Names of general categories that ECMA-262 has and PCRE2 knows by their short form.
  private static let categories = [
    ("Letter", "L"), ("Uppercase_Letter", "Lu"), ("Lowercase_Letter", "Ll"), ("Mark", "M"), ("Number", "N"),
    ("Decimal_Number", "Nd"), ("Punctuation", "P"), ("Symbol", "S"), ("Separator", "Z"), ("Space_Separator", "Zs"),
  ]

  func pattern(_ text: String, _ word: String) throws(SchemaError) -> Pattern {
    var known = text
    if text.contains("{") {
      for (long, short) in Self.categories {
        known = known.replacing("\\p{\(long)}", with: "\\p{\(short)}").replacing("\\P{\(long)}", with: "\\P{\(short)}")
      }
    }
    do { return try Pattern(known, dialect: .ecmaScript) } catch {
      throw SchemaError(location: at(word).text, detail: "the pattern '\(text.prefix(100))': \(error.detail)")
    }
  }

  // MARK: - Words that hold no schema

  /// Assertions of section 6 of the validation specification, and `format`.
  func assertions() throws(SchemaError) -> [Keyword] {
    var keywords: [Keyword] = []
    if let value = object["type"] {
      var types: JSONTypes = []
      for name in value.items {
        guard let type = name.string.flatMap({ JSONTypes(named: $0) }) else { throw wrong("type", "a type or several") }
        types.insert(type)
      }
      keywords.append(.type(types))
    }
    if let value = object["enum"] {
      guard let values = value.array else { throw wrong("enum", "a list of values") }
      keywords.append(.enumeration(values))
    }
    if let value = object["const"] { keywords.append(.constant(value)) }
    try addNumberWords(to: &keywords)
    if let bounds = try bounds("minLength", "maxLength") { keywords.append(.length(bounds)) }
    if let text = try text("pattern") { keywords.append(.pattern(try pattern(text, "pattern"))) }
    if let format = try text("format").flatMap(Format.init(rawValue:)) { keywords.append(.format(format)) }
    if let bounds = try bounds("minItems", "maxItems") { keywords.append(.itemCount(bounds)) }
    if let value = object["uniqueItems"] {
      guard let unique = value.bool else { throw wrong("uniqueItems", "true or false") }
      if unique { keywords.append(.uniqueItems) }
    }
    if let bounds = try bounds("minProperties", "maxProperties") { keywords.append(.memberCount(bounds)) }
    if let value = object["required"] { keywords.append(.required(try names(value, "required"))) }
    if let value = object["dependentRequired"] {
      guard let map = value.object else { throw wrong("dependentRequired", "an object") }
      var required: [(String, [String])] = []
      for member in map { required.append((member.key, try names(member.value, "dependentRequired"))) }
      keywords.append(.dependentRequired(required))
    }
    return keywords
  }

  private func addNumberWords(to keywords: inout [Keyword]) throws(SchemaError) {
    if let value = try number("multipleOf") {
      guard let divisor = ExactNumber(value), divisor.isPositive else { throw wrong("multipleOf", "a positive number") }
      keywords.append(.multipleOf(divisor))
    }
    if let value = try number("minimum") { keywords.append(.minimum(value, isExclusive: false)) }
    if let value = try number("maximum") { keywords.append(.maximum(value, isExclusive: false)) }
    if let value = try number("exclusiveMinimum") { keywords.append(.minimum(value, isExclusive: true)) }
    if let value = try number("exclusiveMaximum") { keywords.append(.maximum(value, isExclusive: true)) }
  }
}
