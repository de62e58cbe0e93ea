/// A word or sign of the text of rules.
enum Token: Sendable, Hashable {
  case name(String)
  case integer(UInt64)
  /// Pieces of a text in quotes, where a star is a wildcard if it is a pattern; `\\*` stands in patterns only.
  case text([PatternPiece], isPattern: Bool)
  case sign(String)
  case end
}

/// Cuts the text of rules into tokens.
struct Lexer {
  struct Placed: Sendable {
    var token: Token
    var line: Int
    var column: Int
  }

  private var scalars: [Unicode.Scalar]
  private var place = 0
  private var line = 1
  private var column = 1

  static func tokens(_ text: String) throws(PolicySyntaxError) -> [Placed] {
    var lexer = Lexer(scalars: Array(text.unicodeScalars))
    var tokens: [Placed] = []
    while true {
      try lexer.skipSpace()
      let (line, column) = (lexer.line, lexer.column)
      let token = try lexer.token()
      tokens.append(Placed(token: token, line: line, column: column))
      if token == .end { return tokens }
    }
  }

  private init(scalars: [Unicode.Scalar]) { self.scalars = scalars }

  private var next: Unicode.Scalar? { place < scalars.count ? scalars[place] : nil }

  private mutating func take() -> Unicode.Scalar? {
    guard let scalar = next else { return nil }
    place += 1
    if scalar == "\n" {
      line += 1
      column = 1
    } else {
      column += 1
    }
    return scalar
  }

  private func failure(_ problem: String) -> PolicySyntaxError {
    PolicySyntaxError(line: line, column: column, problem: problem)
  }

  private mutating func skipSpace() throws(PolicySyntaxError) {
    while let scalar = next {
      if scalar.properties.isWhitespace {
        _ = take()
      } else if scalar == "/", place + 1 < scalars.count, scalars[place + 1] == "/" {
        while let other = next, other != "\n" {
          _ = other
          _ = take()
        }
      } else {
        return
      }
    }
  }

  private static let signs = [
    "::", "==", "!=", "<=", ">=", "&&", "||", "(", ")", "{", "}", "[", "]", ",", ";", ":", ".", "<", ">", "+", "-",
    "*", "!", "@", "?", "=",
  ]

  private mutating func token() throws(PolicySyntaxError) -> Token {
    guard let first = next else { return .end }
    if first == "_" || first.isASCII && first.properties.isAlphabetic { return .name(takeWhile(Self.isNamePart)) }
    if ("0"..."9").contains(first) {
      let digits = takeWhile { ("0"..."9").contains($0) }
      guard let number = UInt64(digits), number <= UInt64(Int64.max) + 1 else {
        throw failure("the number \(digits.prefix(40)) is too large")
      }
      return .integer(number)
    }
    if first == "\"" { return try quoted() }
    for sign in Self.signs where scalars[place...].starts(with: sign.unicodeScalars) {
      for _ in sign.unicodeScalars { _ = take() }
      return .sign(sign)
    }
    throw failure("\(Quoted.text(String(first))) does not belong here")
  }

  static func isNamePart(_ scalar: Unicode.Scalar) -> Bool {
    scalar == "_" || scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
  }

  private mutating func takeWhile(_ belongs: (Unicode.Scalar) -> Bool) -> String {
    var text = ""
    while let scalar = next, belongs(scalar) {
      text.unicodeScalars.append(scalar)
      _ = take()
    }
    return text
  }

  private mutating func quoted() throws(PolicySyntaxError) -> Token {
    _ = take()
    var pieces: [PatternPiece] = []
    var isPattern = false
    while true {
      guard let scalar = take() else { throw failure("a text in quotes does not end") }
      if scalar == "\"" { return .text(pieces, isPattern: isPattern) }
      if scalar == "*" {
        pieces.append(.anything)
        continue
      }
      if scalar == "\\", next == "*" { isPattern = true }
      pieces.append(.scalar(scalar == "\\" ? try escaped() : scalar))
    }
  }

  private mutating func escaped() throws(PolicySyntaxError) -> Unicode.Scalar {
    guard let mark = take() else { throw failure("a text in quotes does not end") }
    switch mark {
    case "n": return "\n"
    case "r": return "\r"
    case "t": return "\t"
    case "0": return "\0"
    case "\\", "\"", "'", "*": return mark
    case "x":
      let digits = String(String.UnicodeScalarView([take(), take()].compactMap { $0 }))
      guard digits.utf8.count == 2, let code = UInt8(digits, radix: 16), code < 0x80 else {
        throw failure("\\x has two hexadecimal digits, at most 7F")
      }
      return Unicode.Scalar(code)
    case "u":
      guard take() == "{" else { throw failure("\\u has its digits in braces") }
      let digits = takeWhile { $0.isASCII && Character($0).isHexDigit }
      guard take() == "}", (1...6).contains(digits.utf8.count), let code = UInt32(digits, radix: 16),
        let scalar = Unicode.Scalar(code)
      else { throw failure("\\u has one to six hexadecimal digits of a character in braces") }
      return scalar
    default: throw failure("\\\(Character(mark)) stands for nothing")
    }
  }
}
