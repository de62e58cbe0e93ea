import NGSI
import Patterns

// The right-hand side of a term of `q`.

extension FilterParser {
  mutating func equality(negated: Bool, expandingValues: Bool) throws(Problem) -> Condition {
    let first = try operand(expandingValues: expandingValues)
    if scanner.take("..") {
      let start = scanner.position
      let high = try operand(expandingValues: false)
      guard Self.makeRange(first, high) else {
        throw scanner.wrong("a range needs two numbers, times, dates or texts of the same kind", at: start)
      }
      return .within(first, high, negated: negated)
    }
    var list = [first]
    while scanner.takeSpaced(",") {
      try scanner.countTerm()
      list.append(try operand(expandingValues: expandingValues))
    }
    if list.count > 1 { return .anyOf(list, negated: negated) }
    return .compare(negated ? .unequal : .equal, first)
  }

  /// The value of `>` and its kin: one that has an order (production ComparableValue).
  mutating func ordered() throws(Problem) -> Operand {
    scanner.skipSpace()
    let start = scanner.position
    let isQuoted = scanner.current == "\""
    let value = try operand(expandingValues: false)
    switch value {
    case .number, .dateTime, .date, .time: break
    case .text where isQuoted: break
    default: throw scanner.expected("a number, a time, a date or a quoted text, which have an order", at: start)
    }
    if scanner.starts(with: "..") || scanner.starts(with: ",") {
      throw scanner.wrong("a range or list goes with == and != only", at: scanner.position)
    }
    return value
  }

  private static func makeRange(_ low: Operand, _ high: Operand) -> Bool {
    switch (low, high) {
    case (.number, .number), (.text, .text), (.dateTime, .dateTime), (.date, .date), (.time, .time): true
    default: false
    }
  }

  private mutating func operand(expandingValues: Bool) throws(Problem) -> Operand {
    scanner.skipSpace()
    let start = scanner.position
    if scanner.current == "\"" {
      let text = try quoted()
      return expandingValues ? .uri(context.expand(text)) : .text(text)
    }
    let token = unquoted()
    scanner.skipSpace()
    guard let first = token.unicodeScalars.first else { throw scanner.expected("a value", at: start) }
    if expandingValues, Scanner.isNameStart(first), token != "true", token != "false" {
      return .uri(context.expand(token))
    }
    guard let value = Self.value(token) else {
      throw scanner.expected(
        "a number, true, false, a quoted text, a URI, or a time such as 2026-11-22T09:30:00Z", at: start)
    }
    return value
  }

  private static func value(_ token: String) -> Operand? {
    switch token {
    case "true": return .bool(true)
    case "false": return .bool(false)
    default: break
    }
    if let number = number(token) { return .number(number) }
    if let time = DateTime(token) { return .dateTime(time) }
    if Clock.isDate(token) { return .date(token) }
    if Clock.microseconds(token) != nil { return .time(token) }
    if IRI.isAbsolute(token) { return .uri(token) }
    // A bare word is no value of the grammar but of its example 12; it is taken as the text it is.
    let scalars = token.unicodeScalars
    guard let first = scalars.first, Scanner.isNameStart(first), scalars.allSatisfy(Scanner.isNamePart) else {
      return nil
    }
    return .text(token)
  }

  /// A JSON number that a `Double` can hold.
  private static func number(_ token: String) -> Double? {
    guard let first = token.utf8.first, first == UInt8(ascii: "-") || first &- UInt8(ascii: "0") < 10,
      let number = (try? JSONParser.parse(token))?.number, number.isFinite
    else { return nil }
    return number
  }

  /// A JSON string.
  private mutating func quoted() throws(Problem) -> String {
    let start = scanner.position
    scanner.advance()
    while let scalar = scanner.current, scalar != "\"" { scanner.advance(scalar == "\\" ? 2 : 1) }
    guard !scanner.isAtEnd else { throw scanner.wrong("a quoted text starts that does not end", at: start) }
    scanner.advance()
    guard case .string(let text)? = try? JSONParser.parse(scanner.text(from: start)) else {
      throw scanner.wrong("a quoted text is not a JSON string", at: start)
    }
    scanner.skipSpace()
    return text
  }

  /// Everything up to a delimiter; parentheses that open within belong to it, for URIs may have them.
  private mutating func unquoted() -> String {
    let start = scanner.position
    let first = scanner.current
    let mayBeRange = first.map { $0 == "-" || ("0"..."9").contains($0) } ?? false
    var open = 0
    scan: while let scalar = scanner.current {
      switch scalar {
      case ";", "|", ",", " ", "\"": break scan
      case "(": open += 1
      case ")":
        if open == 0 { break scan }
        open -= 1
      case "." where mayBeRange && scanner.peek(1) == ".": break scan
      default: break
      }
      scanner.advance()
    }
    return scanner.text(from: start)
  }
}

// MARK: - Patterns

extension FilterParser {
  /// A regular expression, quoted or not.
  ///
  /// Quoted, it ends at the next quote that no backslash precedes; other backslashes stay, for the expression is no
  /// JSON string. Unquoted, it ends at `;`, `|` or `)` outside its own brackets and parentheses.
  mutating func pattern() throws(Problem) -> String {
    let start = scanner.position
    let text = scanner.current == "\"" ? try quotedPattern() : unquotedPattern()
    guard !text.isEmpty else { throw scanner.expected("a regular expression", at: start) }
    do { _ = try Pattern.cached(text) } catch {
      throw scanner.wrong("the regular expression '\(text.prefix(80))' cannot be used: \(error.detail)", at: start)
    }
    scanner.skipSpace()
    return text
  }

  private mutating func quotedPattern() throws(Problem) -> String {
    let start = scanner.position
    scanner.advance()
    var text = String.UnicodeScalarView()
    while let scalar = scanner.current, scalar != "\"" {
      if scalar == "\\", let next = scanner.peek(1) {
        if next != "\"" { text.append(scalar) }
        text.append(next)
        scanner.advance(2)
      } else {
        text.append(scalar)
        scanner.advance()
      }
    }
    guard scanner.take("\"") else { throw scanner.wrong("a quoted text starts that does not end", at: start) }
    return String(text)
  }

  private mutating func unquotedPattern() -> String {
    let start = scanner.position
    var open = 0
    var isInClass = false
    scan: while let scalar = scanner.current {
      switch scalar {
      case "\\": scanner.advance()
      case "[": isInClass = true
      case "]": isInClass = false
      case "(" where !isInClass: open += 1
      case ")" where !isInClass:
        if open == 0 { break scan }
        open -= 1
      case ";" where !isInClass && open == 0, "|" where !isInClass && open == 0: break scan
      default: break
      }
      scanner.advance()
    }
    return scanner.text(from: start)
  }
}

// MARK: - Dates and times of day

enum Clock {
  /// `YYYY-MM-DD` with a day that exists.
  static func isDate(_ text: String) -> Bool { text.utf8.count == 10 && DateTime(text + "T00:00:00Z") != nil }

  /// Microseconds since midnight of `hh:mm:ss[.fraction]Z`; a comma may stand for the point.
  static func microseconds(_ text: String) -> Int64? {
    guard text.utf8.count >= 9, text.utf8.last == UInt8(ascii: "Z") else { return nil }
    return DateTime("1970-01-01T" + text)?.microseconds
  }
}
