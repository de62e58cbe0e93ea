import NGSI

extension Filter {
  /// Reads a `q` text (clause 4.9).
  ///
  /// - Parameters:
  ///   - context: expands attribute names and entity types.
  ///   - expandValues: attribute names as written whose values are terms to expand (`expandValues`).
  ///     `jsonKeys` needs no parameter: members in brackets are never expanded.
  /// - Throws: ``Problem`` `BadRequestData` with position, what was found and what was expected; `TooComplexQuery`
  ///   beyond ``QueryLimits``.
  public init(q text: String, context: Context, expandValues: Set<String> = []) throws(Problem) {
    var parser = FilterParser(
      scanner: try Scanner(text, subject: "q"), context: context, expandValues: expandValues)
    self = try parser.filter()
    try parser.scanner.requireEnd("';', '|' or the end")
  }
}

extension AttributePath {
  /// Reads a path alone, as `orderBy` uses it.
  init(_ text: String, subject: String, context: Context) throws(Problem) {
    var parser = FilterParser(scanner: try Scanner(text, subject: subject), context: context, expandValues: [])
    self = try parser.path().path
    parser.scanner.skipSpace()
    try parser.scanner.requireEnd("the end of the path")
  }
}

/// Recursive descent over the grammar of clause 4.9, where "and" binds more tightly than "or".
struct FilterParser {
  var scanner: Scanner
  let context: Context
  let expandValues: Set<String>

  mutating func filter() throws(Problem) -> Filter {
    var parts = [try conjunction()]
    while scanner.takeSpaced("|") { parts.append(try conjunction()) }
    return parts.count == 1 ? parts[0] : .any(parts)
  }

  private mutating func conjunction() throws(Problem) -> Filter {
    var parts = [try factor()]
    while scanner.takeSpaced(";") { parts.append(try factor()) }
    return parts.count == 1 ? parts[0] : .all(parts)
  }

  private mutating func factor() throws(Problem) -> Filter {
    scanner.skipSpace()
    guard scanner.take("(") else { return try term() }
    try scanner.enter()
    let inner = try filter()
    guard scanner.takeSpaced(")") else { throw scanner.expected("';', '|' or ')'") }
    scanner.leave()
    return inner
  }

  private mutating func term() throws(Problem) -> Filter {
    try scanner.countTerm()
    let start = scanner.position
    if scanner.take("!") {
      let path = try path().path
      guard !isOperatorNext else { throw scanner.wrong("'!' goes with a bare attribute, not a comparison", at: start) }
      return .test(path, .absent)
    }
    let (path, name) = try path()
    scanner.skipSpace()
    return .test(path, try condition(expandingValues: expandValues.contains(name)))
  }

  private var isOperatorNext: Bool {
    switch scanner.current {
    case "=", "!", "<", ">", "~": true
    default: false
    }
  }

  private mutating func condition(expandingValues: Bool) throws(Problem) -> Condition {
    if scanner.take("!~=") { return .pattern(try pattern(), negated: true) }
    if scanner.take("~=") { return .pattern(try pattern(), negated: false) }
    if scanner.take("==") { return try equality(negated: false, expandingValues: expandingValues) }
    if scanner.take("!=") { return try equality(negated: true, expandingValues: expandingValues) }
    if scanner.take(">=") { return .compare(.greaterOrEqual, try ordered()) }
    if scanner.take("<=") { return .compare(.lessOrEqual, try ordered()) }
    if scanner.take(">") { return .compare(.greater, try ordered()) }
    if scanner.take("<") { return .compare(.less, try ordered()) }
    switch scanner.current {
    case nil, ";", "|", ")": return .exists
    default: throw scanner.expected("an operator (== != > >= < <= ~= !~=), ';', '|' or the end")
    }
  }
}

// MARK: - Paths

extension FilterParser {
  /// The path and the name of its last attribute as written.
  mutating func path(depth: Int = 0) throws(Problem) -> (path: AttributePath, name: String) {
    scanner.skipSpace()
    return try path(depth: depth, from: try scanner.name(allowsPrefix: depth == 0))
  }

  private mutating func path(depth: Int, from first: String) throws(Problem) -> (path: AttributePath, name: String) {
    var path = AttributePath(attribute: CoreName.expand(first, context))
    var name = first
    if scanner.take("{") {
      let (linked, last) = try linked(depth: depth + 1)
      path.linked = linked
      return (path, last)
    }
    while scanner.current == "." {
      scanner.advance()
      name = try scanner.name("a name after '.'", allowsPrefix: depth == 0)
      path.subAttributes.append(CoreName.expand(name, context))
      guard path.subAttributes.count <= EntityReader.maxAttributeDepth else {
        throw Problem(.tooComplexQuery, "q: a path may have at most \(EntityReader.maxAttributeDepth) names after dots")
      }
    }
    if scanner.take("[") { path.valueMembers = try members() }
    return (path, name)
  }

  /// What stands between braces: `path` or `Type,Type:path`.
  private mutating func linked(depth: Int) throws(Problem) -> (AttributePath.Linked, String) {
    guard depth <= QueryLimits.linkedDepth else {
      throw Problem(.tooComplexQuery, "q: a path may follow at most \(QueryLimits.linkedDepth) relationships")
    }
    var names = [try scanner.name("an attribute name or an entity type", allowsPrefix: false)]
    while scanner.take(",") {
      try scanner.countTerm()
      names.append(try scanner.name("an entity type", allowsPrefix: false))
    }
    let inner: (path: AttributePath, name: String)
    let types: [String]
    if scanner.take(":") {
      types = names.map { context.expand($0) }
      inner = try path(depth: depth)
    } else {
      guard names.count == 1 else { throw scanner.expected("':' and an attribute name after the entity types") }
      types = []
      inner = try path(depth: depth, from: names[0])
    }
    guard scanner.take("}") else { throw scanner.expected("'}'") }
    return (AttributePath.Linked(types: types, path: inner.path), inner.name)
  }

  /// What stands between brackets: JSON member names with dots, a language tag, or `*`.
  private mutating func members() throws(Problem) -> [String] {
    var members: [String] = []
    repeat {
      let start = scanner.position
      let member = scanner.take { scalar in
        switch scalar {
        case ".", "[", "]", "\"", "{", "}", ";", "|", "=", "<", ">", "~", "(", ")": false
        default: true
        }
      }
      guard !member.isEmpty else { throw scanner.expected("a member name", at: start) }
      members.append(member)
      guard members.count <= QueryLimits.depth else {
        throw Problem(.tooComplexQuery, "q: brackets may hold at most \(QueryLimits.depth) names")
      }
    } while scanner.take(".")
    guard scanner.take("]") else { throw scanner.expected("'.' or ']'") }
    return members
  }
}
