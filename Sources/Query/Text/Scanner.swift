import NGSI

/// Reads the characters of a query text from left to right and says where it is when something is wrong.
struct Scanner {
  /// What the text is called in a problem: `q`, `scopeQ` …
  let subject: String
  private(set) var scalars: [Unicode.Scalar]
  private(set) var position = 0
  private var termsLeft = QueryLimits.terms
  private var depthLeft = QueryLimits.depth

  init(_ text: String, subject: String) throws(Problem) {
    self.subject = subject
    // A character has at most four bytes: this refuses a huge text before it is looked at.
    guard text.utf8.count <= QueryLimits.text * 4 else { throw Self.tooLong(subject) }
    scalars = Array(text.unicodeScalars)
    guard scalars.count <= QueryLimits.text else { throw Self.tooLong(subject) }
    skipSpace()
    guard !isAtEnd else { throw .badRequest("\(subject) is empty") }
  }

  private static func tooLong(_ subject: String) -> Problem {
    Problem(.tooComplexQuery, "\(subject) may have at most \(QueryLimits.text) characters")
  }

  var isAtEnd: Bool { position == scalars.count }
  var current: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

  func peek(_ offset: Int) -> Unicode.Scalar? {
    position + offset < scalars.count ? scalars[position + offset] : nil
  }

  func starts(with text: StaticString) -> Bool {
    text.withUTF8Buffer { bytes in
      guard position + bytes.count <= scalars.count else { return false }
      for offset in 0..<bytes.count where scalars[position + offset].value != UInt32(bytes[offset]) { return false }
      return true
    }
  }

  mutating func advance(_ count: Int = 1) { position = min(position + count, scalars.count) }

  mutating func move(to position: Int) { self.position = position }

  /// Passes the text if it is next.
  mutating func take(_ text: StaticString) -> Bool {
    guard starts(with: text) else { return false }
    position += text.utf8CodeUnitCount
    return true
  }

  mutating func takeSpaced(_ text: StaticString) -> Bool {
    skipSpace()
    guard take(text) else { return false }
    skipSpace()
    return true
  }

  mutating func skipSpace() {
    while let scalar = current, scalar == " " || scalar == "\t" || scalar == "\n" || scalar == "\r" { position += 1 }
  }

  mutating func take(while isPart: (Unicode.Scalar) -> Bool) -> String {
    let start = position
    while let scalar = current, isPart(scalar) { position += 1 }
    return text(from: start)
  }

  func text(from start: Int) -> String { text(from: start, to: position) }

  func text(from start: Int, to end: Int) -> String {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: scalars[start..<end])
    return String(text)
  }

  mutating func countTerm() throws(Problem) {
    termsLeft -= 1
    guard termsLeft >= 0 else {
      throw Problem(.tooComplexQuery, "\(subject) may have at most \(QueryLimits.terms) terms")
    }
  }

  mutating func enter() throws(Problem) {
    depthLeft -= 1
    guard depthLeft >= 0 else {
      throw Problem(.tooComplexQuery, "\(subject) may be nested at most \(QueryLimits.depth) deep")
    }
  }

  mutating func leave() { depthLeft += 1 }

  /// `q: at position 5 expected a value, found ';'`.
  func expected(_ what: String, at position: Int? = nil) -> Problem {
    let position = position ?? self.position
    guard position < scalars.count else {
      return .badRequest("\(subject): at position \(position + 1) expected \(what), found the end")
    }
    let rest = text(from: position, to: min(position + 24, scalars.count))
    return .badRequest("\(subject): at position \(position + 1) expected \(what), found '\(rest)'")
  }

  func wrong(_ what: String, at position: Int) -> Problem {
    .badRequest("\(subject): at position \(position + 1) \(what)")
  }

  func requireEnd(_ what: String) throws(Problem) {
    guard isAtEnd else { throw expected(what) }
  }
}

// MARK: - Names

extension Scanner {
  static func isNameStart(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.isAlphabetic || scalar == "_" || scalar == "@"
  }

  /// Letters, numbers and `_` as clause 4.6.2 has it; `-` and `$` besides, which are common and in nobody's way.
  static func isNamePart(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII {
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9", "_", "-", "$": return true
      default: return false
      }
    }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
      .letterNumber, .otherNumber, .nonspacingMark, .spacingMark:
      return true
    default: return false
    }
  }

  /// An attribute name, `prefix:name`, or a whole IRI (`https://…`, `urn:…`), which ends at an operator.
  mutating func name(_ what: String = "an attribute name", allowsPrefix: Bool = true) throws(Problem) -> String {
    let start = position
    guard let first = current, Self.isNameStart(first) else { throw expected(what) }
    if allowsPrefix, starts(with: "http://") || starts(with: "https://") || starts(with: "urn:") {
      return take { scalar in
        switch scalar {
        case "=", "!", "<", ">", "~", ";", "|", ",", "(", ")", "[", "]", "{", "}", "\"", " ": false
        default: true
        }
      }
    }
    position += 1
    while let scalar = current, Self.isNamePart(scalar) || (allowsPrefix && scalar == ":") { position += 1 }
    let name = text(from: start)
    guard name.utf8.count <= IRI.maxLength else { throw wrong("a name is too long", at: start) }
    return name
  }
}

/// Members of the core context that queries name; they mean the same under every user context.
enum CoreName {
  static let plain: Set<String> = [
    "observedAt", "createdAt", "modifiedAt", "deletedAt", "expiresAt", "unitCode", "datasetId", "instanceId",
    "valueType", "objectType", "location", "observationSpace", "operationSpace",
  ]

  static func expand(_ name: String, _ context: Context) -> String {
    plain.contains(name) ? Core.namespace + name : context.expand(name)
  }
}
