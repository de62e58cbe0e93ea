import NGSI

extension TypeSelection {
  /// Reads a type selection (clause 4.17): names or URIs with `,` or `|` (or), `;` (and) and parentheses; `*` alone
  /// is any type.
  public init(_ text: String, context: Context) throws(Problem) {
    var scanner = try Scanner(text, subject: "type")
    if scanner.takeSpaced("*") {
      self = .anything
    } else {
      self = try TypeSelection.tree(
        try Selection.parse(&scanner) { scanner throws(Problem) in context.expand(try Self.name(&scanner)) })
    }
    try scanner.requireEnd("',', '|', ';' or the end")
  }

  private static func name(_ scanner: inout Scanner) throws(Problem) -> String {
    let start = scanner.position
    var open = 0
    // Parentheses within a URI belong to it (note of clause 4.17).
    scan: while let scalar = scanner.current {
      switch scalar {
      case ",", "|", ";", " ", "\"", "<", ">": break scan
      case "(": open += 1
      case ")":
        if open == 0 { break scan }
        open -= 1
      default: break
      }
      scanner.advance()
    }
    let name = scanner.text(from: start)
    guard let first = name.unicodeScalars.first, Scanner.isNameStart(first), name.utf8.count <= IRI.maxLength else {
      throw scanner.expected("an entity type", at: start)
    }
    guard name.unicodeScalars.allSatisfy(Scanner.isNamePart) || IRI.isAbsolute(name) else {
      throw scanner.expected("an entity type of letters, digits and '_', or a URI", at: start)
    }
    return name
  }

  private static func tree(_ selection: Selection<String>) throws(Problem) -> TypeSelection {
    switch selection {
    case .one(let name): return .type(name)
    case .all(let parts): return .all(try Selection.map(parts, tree))
    case .any(let parts): return .any(try Selection.map(parts, tree))
    }
  }
}

extension ScopeFilter {
  /// Reads a scope query (clause 4.19): scopes with `+` for one level and `/#` at the end for all below, combined
  /// with `,` or `|` (or), `;` (and) and parentheses. A leading slash may be left out.
  public init(scopeQ text: String) throws(Problem) {
    var scanner = try Scanner(text, subject: "scopeQ")
    self = try Self.tree(try Selection.parse(&scanner, Self.scope))
    try scanner.requireEnd("',', '|', ';' or the end")
  }

  private static func scope(_ scanner: inout Scanner) throws(Problem) -> ScopeFilter {
    var levels: [Level] = []
    if scanner.current == "/" { scanner.advance() }
    repeat {
      guard levels.count < 32 else { throw Problem(.tooComplexQuery, "scopeQ: a scope may have at most 32 levels") }
      if scanner.take("+") {
        levels.append(.anyOne)
      } else if scanner.take("#") {
        levels.append(.anyRest)
        break
      } else {
        levels.append(.name(try scanner.name("a scope level, '+' or '#'", allowsPrefix: false)))
      }
    } while scanner.take("/")
    let names = levels.compactMap { if case .name(let name) = $0 { name } else { nil } }
    if names.count == levels.count { return .exact("/" + names.joined(separator: "/")) }
    if names.count == levels.count - 1, levels.count > 1, levels.last == .anyRest {
      return .below("/" + names.joined(separator: "/"))
    }
    return .pattern(levels)
  }

  private static func tree(_ selection: Selection<ScopeFilter>) throws(Problem) -> ScopeFilter {
    switch selection {
    case .one(let scope): return scope
    case .all(let parts): return .all(try Selection.map(parts, tree))
    case .any(let parts): return .any(try Selection.map(parts, tree))
    }
  }
}

/// What type selections and scope queries have in common.
private indirect enum Selection<Item> {
  case one(Item)
  case all([Selection])
  case any([Selection])

  static func parse(
    _ scanner: inout Scanner, _ item: (inout Scanner) throws(Problem) -> Item
  ) throws(Problem) -> Selection {
    var parts = [try conjunction(&scanner, item)]
    while scanner.takeSpaced("|") || scanner.takeSpaced(",") { parts.append(try conjunction(&scanner, item)) }
    return parts.count == 1 ? parts[0] : .any(parts)
  }

  private static func conjunction(
    _ scanner: inout Scanner, _ item: (inout Scanner) throws(Problem) -> Item
  ) throws(Problem) -> Selection {
    var parts = [try factor(&scanner, item)]
    while scanner.takeSpaced(";") { parts.append(try factor(&scanner, item)) }
    return parts.count == 1 ? parts[0] : .all(parts)
  }

  private static func factor(
    _ scanner: inout Scanner, _ item: (inout Scanner) throws(Problem) -> Item
  ) throws(Problem) -> Selection {
    scanner.skipSpace()
    guard scanner.take("(") else {
      try scanner.countTerm()
      let one = try item(&scanner)
      scanner.skipSpace()
      return .one(one)
    }
    try scanner.enter()
    let inner = try parse(&scanner, item)
    guard scanner.takeSpaced(")") else { throw scanner.expected("';', '|', ',' or ')'") }
    scanner.leave()
    return inner
  }

  static func map<Other>(
    _ parts: [Selection], _ transform: (Selection) throws(Problem) -> Other
  ) throws(Problem) -> [Other] {
    var mapped: [Other] = []
    for part in parts { mapped.append(try transform(part)) }
    return mapped
  }
}
