extension Formula {
  /// Deepest nesting of parentheses and signs.
  public static let maxDepth = 32

  /// - Throws: ``FormulaProblem`` at the first character that cannot be understood.
  public init(_ text: String) throws(FormulaProblem) {
    var parser = FormulaParser(text)
    self = try parser.whole()
  }
}

/// Reads a formula by recursive descent: one function for each rule of its grammar.
private struct FormulaParser {
  private enum Token: Hashable {
    case number(Double)
    case name(String)
    case sign(String)
    case end
  }

  private let characters: [Character]
  /// Where the token at hand starts and ends.
  private var start = 0
  private var end = 0
  private var token = Token.end
  private var depth = 0

  init(_ text: String) { characters = Array(text) }

  mutating func whole() throws(FormulaProblem) -> Formula {
    try advance()
    let formula = try sum()
    guard token == .end else { throw problem("an operator + - * / or the end") }
    return formula
  }

  // MARK: Rules

  private mutating func sum() throws(FormulaProblem) -> Formula {
    var left = try product()
    while let operation = operation(.add, .subtract) {
      try advance()
      left = .joined(left, operation, try product())
    }
    return left
  }

  private mutating func product() throws(FormulaProblem) -> Formula {
    var left = try factor()
    while let operation = operation(.multiply, .divide) {
      try advance()
      if operation == .divide, token == .number(0) { throw problem("a divisor other than 0") }
      left = .joined(left, operation, try factor())
    }
    return left
  }

  private mutating func factor() throws(FormulaProblem) -> Formula {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Formula.maxDepth else {
      throw problem("at most \(Formula.maxDepth) parentheses and signs inside one another")
    }
    switch token {
    case .sign("-"):
      try advance()
      return .negative(try factor())
    case .sign("("):
      try advance()
      let inner = try sum()
      try take(")")
      return inner
    case .number(let value):
      try advance()
      return .number(value)
    case .name(let name):
      if let function = Formula.Function(rawValue: name) { return try figure(function) }
      guard let fact = Formula.Fact(rawValue: name) else {
        let known = Formula.Function.allCases.map { $0.rawValue + "(…)" } + Formula.Fact.allCases.map(\.rawValue)
        throw problem("one of " + known.joined(separator: ", "))
      }
      try advance()
      return .fact(fact)
    case .sign, .end: throw problem("a number, a figure such as mean(Type.attribute), or a parenthesis")
    }
  }

  private mutating func figure(_ function: Formula.Function) throws(FormulaProblem) -> Formula {
    try advance()
    try take("(")
    guard case .name(let type) = token, type.first?.isUppercase == true else {
      throw problem("an entity type such as AirQualityObserved")
    }
    try advance()
    var reading = Formula.Reading(type: type, attribute: nil)
    if token == .sign(".") {
      try advance()
      guard case .name(let attribute) = token else { throw problem("the name of an attribute") }
      reading.attribute = attribute
      try advance()
    } else if function != .count {
      throw problem("'.' and the name of an attribute")
    }
    var percentage: Double?
    var comparison: Formula.Comparison?
    switch function {
    case .percentile:
      try take(",")
      guard case .number(let number) = token, (0...100).contains(number) else {
        throw problem("a percentage from 0 to 100")
      }
      percentage = number
      try advance()
    case .share: comparison = try self.comparison()
    case .count: if reading.attribute != nil, token != .sign(")") { comparison = try self.comparison() }
    case .mean, .sum, .min, .max, .median: break
    }
    try take(")")
    return .figure(function, reading, comparison, percentage: percentage)
  }

  private mutating func comparison() throws(FormulaProblem) -> Formula.Comparison {
    guard case .sign(let text) = token, let sign = Formula.Sign(rawValue: text) else {
      throw problem("one of " + Formula.Sign.allCases.map(\.rawValue).joined(separator: " "))
    }
    try advance()
    let isNegative = token == .sign("-")
    if isNegative { try advance() }
    switch token {
    case .number(let number):
      try advance()
      return Formula.Comparison(sign: sign, value: .number(isNegative ? -number : number))
    case .name(let word) where sign == .equal && !isNegative:
      try advance()
      return Formula.Comparison(sign: sign, value: .word(word))
    default: throw problem(sign == .equal ? "a number or a word" : "a number")
    }
  }

  private func operation(_ choices: Formula.Operation...) -> Formula.Operation? {
    guard case .sign(let text) = token else { return nil }
    return choices.first { $0.rawValue == text }
  }

  private mutating func take(_ sign: String) throws(FormulaProblem) {
    guard token == .sign(sign) else { throw problem("'\(sign)'") }
    try advance()
  }

  // MARK: Tokens

  private func problem(_ expected: String) -> FormulaProblem {
    let found = start < characters.count ? "'\(String(characters[start..<end]))'" : "the end"
    return FormulaProblem(column: start + 1, found: found, expected: expected)
  }

  private mutating func advance() throws(FormulaProblem) {
    start = end
    while start < characters.count, characters[start] == " " { start += 1 }
    end = start
    guard start < characters.count else {
      token = .end
      return
    }
    let first = characters[start]
    if first.isASCIIDigit {
      token = .number(try number())
    } else if first.isNameStart {
      while end < characters.count, characters[end].isNameStart || characters[end].isASCIIDigit { end += 1 }
      token = .name(String(characters[start..<end]))
    } else {
      end = start + 1
      if first == "<" || first == ">", end < characters.count, characters[end] == "=" { end += 1 }
      token = .sign(String(characters[start..<end]))
    }
  }

  /// Digits, a point with digits, an exponent.
  private mutating func number() throws(FormulaProblem) -> Double {
    func digits() { while end < characters.count, characters[end].isASCIIDigit { end += 1 } }
    func next(_ offset: Int, _ test: (Character) -> Bool) -> Bool {
      end + offset < characters.count && test(characters[end + offset])
    }
    digits()
    if next(0, { $0 == "." }), next(1, \.isASCIIDigit) {
      end += 1
      digits()
    }
    if next(0, { $0 == "e" || $0 == "E" }) {
      let offset = next(1, { $0 == "+" || $0 == "-" }) ? 2 : 1
      if next(offset, \.isASCIIDigit) {
        end += offset
        digits()
      }
    }
    guard let value = Double(String(characters[start..<end])), value.isFinite else {
      throw problem("a number that can be held")
    }
    return value
  }
}

extension Character {
  fileprivate var isASCIIDigit: Bool { ("0"..."9").contains(self) }
  fileprivate var isNameStart: Bool { ("a"..."z").contains(self) || ("A"..."Z").contains(self) || self == "_" }
}
