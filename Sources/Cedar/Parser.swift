/// Reads the text of rules (the Cedar policy language).
struct Parser {
  /// Conditions that stand in one another at most.
  static let maxDepth = 100
  /// Operators and members that may be chained in one condition; `&&` and `||` are not counted.
  static let maxLinks = 500

  private let tokens: [Lexer.Placed]
  private var place = 0
  private var depth = 0
  private var links = 0

  init(_ text: String) throws(PolicySyntaxError) { tokens = try Lexer.tokens(text) }

  // MARK: Rules

  /// - Parameter name: gives the name of the rule at a position from 0.
  mutating func policies(_ name: (Int) -> String) throws(PolicySyntaxError) -> [Policy] {
    var policies: [Policy] = []
    while next != .end { policies.append(try policy(name(policies.count))) }
    return policies
  }

  private mutating func policy(_ id: String) throws(PolicySyntaxError) -> Policy {
    var annotations: [String: String] = [:]
    while skip("@") {
      let key = try name("the name of an annotation")
      var value = ""
      if skip("(") {
        value = try text("the text of an annotation")
        try expect(")")
      }
      guard annotations.updateValue(value, forKey: key) == nil else {
        throw failure("the annotation @\(key) stands twice")
      }
    }
    guard case .name(let word) = next, let effect = Policy.Effect(rawValue: word) else {
      throw failure("a rule begins with permit or forbid")
    }
    place += 1
    try expect("(")
    let principal = try scope("principal")
    try expect(",")
    let action = try actionScope()
    try expect(",")
    let resource = try scope("resource")
    _ = skip(",")
    try expect(")")
    var conditions: [Policy.Condition] = []
    while case .name(let word) = next, word == "when" || word == "unless" {
      place += 1
      links = 0
      try expect("{")
      conditions.append(Policy.Condition(isRequired: word == "when", expression: try expression()))
      try expect("}")
    }
    try expect(";")
    return Policy(
      id: id, effect: effect, annotations: annotations, principal: principal, action: action, resource: resource,
      conditions: conditions)
  }

  private mutating func scope(_ variable: String) throws(PolicySyntaxError) -> Policy.Scope {
    try expect(word: variable)
    if skip("==") { return .equal(try entity()) }
    if skip(word: "in") { return .within(try entity()) }
    guard skip(word: "is") else { return .any }
    let type = try path()
    return skip(word: "in") ? .isTypeWithin(type, try entity()) : .isType(type)
  }

  private mutating func actionScope() throws(PolicySyntaxError) -> Policy.ActionScope {
    try expect(word: "action")
    if skip("==") { return .equal(try entity()) }
    guard skip(word: "in") else { return .any }
    guard skip("[") else { return .within([try entity()]) }
    var actions: [EntityUID] = []
    while !skip("]") {
      actions.append(try entity())
      guard !skip("]") else { break }
      try expect(",")
    }
    return .within(actions)
  }

  // MARK: Conditions

  private mutating func expression() throws(PolicySyntaxError) -> Expression {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.maxDepth else {
      throw failure("conditions stand in one another more than \(Self.maxDepth) deep")
    }
    if skip(word: "if") {
      let condition = try expression()
      try expect(word: "then")
      let yes = try expression()
      try expect(word: "else")
      return .choice(if: condition, then: yes, else: try expression())
    }
    let first = try conjunction()
    var members = [first]
    while skip("||") { members.append(try conjunction()) }
    return members.count == 1 ? first : .any(members)
  }

  private mutating func conjunction() throws(PolicySyntaxError) -> Expression {
    let first = try relation()
    var members = [first]
    while skip("&&") { members.append(try relation()) }
    return members.count == 1 ? first : .all(members)
  }

  private mutating func relation() throws(PolicySyntaxError) -> Expression {
    let left = try sum()
    if skip(word: "has") { return try has(left) }
    if skip(word: "like") {
      guard case .text(let pieces, _) = next else { throw failure("like has a pattern in quotes") }
      place += 1
      return .like(left, Wildcards(pieces))
    }
    if skip(word: "is") {
      let type = try path()
      return .isType(left, type, within: skip(word: "in") ? try sum() : nil)
    }
    let comparisons: [(String, Expression.Comparison)] = [
      ("==", .equal), ("!=", .notEqual), ("<=", .lessOrEqual), ("<", .less), (">=", .greaterOrEqual), (">", .greater),
    ]
    for (sign, comparison) in comparisons where skip(sign) { return .compare(comparison, left, try sum()) }
    if skip(word: "in") { return .compare(.within, left, try sum()) }
    return left
  }

  /// `has a.b.c` asks for each in turn.
  private mutating func has(_ left: Expression) throws(PolicySyntaxError) -> Expression {
    if case .text = next { return .has(left, ExactText(try text("the name of an attribute"))) }
    var (holder, name) = (left, ExactText(try attribute()))
    var all = [Expression.has(holder, name)]
    while skip(".") {
      try link()
      holder = .member(holder, name)
      name = ExactText(try attribute())
      all.append(.has(holder, name))
    }
    return all.count == 1 ? all[0] : .all(all)
  }

  private mutating func sum() throws(PolicySyntaxError) -> Expression {
    var left = try product()
    while true {
      if skip("+") {
        try link()
        left = .arithmetic(.add, left, try product())
      } else if skip("-") {
        try link()
        left = .arithmetic(.subtract, left, try product())
      } else {
        return left
      }
    }
  }

  private mutating func product() throws(PolicySyntaxError) -> Expression {
    var left = try unary()
    while skip("*") {
      try link()
      left = .arithmetic(.multiply, left, try unary())
    }
    return left
  }

  private mutating func unary() throws(PolicySyntaxError) -> Expression {
    var nots = 0
    while skip("!") { nots += 1 }
    if nots > 0 {
      guard nots <= 4 else { throw failure("at most four ! stand in a row") }
      var inner = try member()
      for _ in 0..<nots { inner = .not(inner) }
      return inner
    }
    var minuses = 0
    while skip("-") { minuses += 1 }
    guard minuses <= 4 else { throw failure("at most four - stand in a row") }
    guard minuses > 0 else { return try member() }
    var inner: Expression
    if case .integer(let number) = next, !isAccess(after: 1) {
      // The least number has no counterpart above zero: sign and digits are one.
      place += 1
      inner = .value(.integer(number > UInt64(Int64.max) ? .min : -Int64(number)))
      minuses -= 1
    } else {
      inner = try member()
    }
    for _ in 0..<minuses { inner = .negate(inner) }
    return inner
  }

  private func isAccess(after offset: Int) -> Bool {
    let token = tokens[min(place + offset, tokens.count - 1)].token
    return token == .sign(".") || token == .sign("[")
  }

  private mutating func member() throws(PolicySyntaxError) -> Expression {
    var holder = try primary()
    while true {
      if skip(".") {
        try link()
        let name = try attribute()
        guard next == .sign("(") else {
          holder = .member(holder, ExactText(name))
          continue
        }
        guard let method = Expression.Method(rawValue: name) else { throw failure("there is no method \(name)") }
        let arguments = try list("(", ")")
        guard arguments.count == method.count else { throw failure("\(name) takes \(method.count) arguments") }
        holder = .method(method, holder, arguments)
      } else if skip("[") {
        try link()
        holder = .member(holder, ExactText(try text("the name of an attribute")))
        try expect("]")
      } else {
        return holder
      }
    }
  }

  private mutating func primary() throws(PolicySyntaxError) -> Expression {
    switch next {
    case .integer(let number):
      guard number <= UInt64(Int64.max) else { throw failure("the number \(number) is too large") }
      place += 1
      return .value(.integer(Int64(number)))
    case .text: return .value(.string(ExactText(try text("a text"))))
    case .sign("("):
      place += 1
      let inner = try expression()
      try expect(")")
      return inner
    case .sign("["): return .set(try list("[", "]"))
    case .sign("{"): return try record()
    case .name(let word):
      switch word {
      case "true", "false":
        place += 1
        return .value(.bool(word == "true"))
      case "if": return try expression()
      default: break
      }
      if tokens[place + 1].token == .sign("::") { return .value(.entity(try entity())) }
      if let variable = Expression.Variable(rawValue: word) {
        place += 1
        return .variable(variable)
      }
      if let function = Expression.Function(rawValue: word), tokens[place + 1].token == .sign("(") {
        place += 1
        let arguments = try list("(", ")")
        guard arguments.count == 1, let argument = arguments.first else { throw failure("\(word) takes one argument") }
        return .function(function, argument)
      }
      throw failure("\(word) stands for nothing")
    default: throw failure("a value is missing")
    }
  }

  private mutating func list(_ open: String, _ close: String) throws(PolicySyntaxError) -> [Expression] {
    try expect(open)
    var expressions: [Expression] = []
    while !skip(close) {
      expressions.append(try expression())
      guard !skip(close) else { break }
      try expect(",")
    }
    return expressions
  }

  private mutating func record() throws(PolicySyntaxError) -> Expression {
    try expect("{")
    var members: [RecordMember] = []
    while !skip("}") {
      let name: String
      if case .text = next { name = try text("the name of a member") } else { name = try attribute() }
      guard !members.contains(where: { $0.name == ExactText(name) }) else {
        throw failure("the member \(name) stands twice")
      }
      try expect(":")
      members.append(RecordMember(name: ExactText(name), expression: try expression()))
      guard !skip("}") else { break }
      try expect(",")
    }
    return .record(members)
  }

  // MARK: Names

  private static let reserved: Set<String> = [
    "true", "false", "if", "then", "else", "in", "is", "like", "has", "__cedar",
  ]

  private mutating func entity() throws(PolicySyntaxError) -> EntityUID {
    var parts = [try typeName()]
    while true {
      try expect("::")
      if case .text = next {
        return EntityUID(ExactText(parts.joined(separator: "::")), ExactText(try text("the name of an entity")))
      }
      parts.append(try typeName())
    }
  }

  private mutating func path() throws(PolicySyntaxError) -> ExactText {
    var parts = [try typeName()]
    while skip("::") { parts.append(try typeName()) }
    return ExactText(parts.joined(separator: "::"))
  }

  private mutating func typeName() throws(PolicySyntaxError) -> String {
    let name = try name("a type")
    guard !Self.reserved.contains(name) else { throw failure("\(name) is no type") }
    return name
  }

  private mutating func attribute() throws(PolicySyntaxError) -> String { try name("the name of an attribute") }

  private mutating func name(_ what: String) throws(PolicySyntaxError) -> String {
    guard case .name(let name) = next else { throw failure("\(what) is missing") }
    place += 1
    return name
  }

  private mutating func text(_ what: String) throws(PolicySyntaxError) -> String {
    guard case .text(let pieces, let isPattern) = next else { throw failure("\(what) is missing, in quotes") }
    guard !isPattern else { throw failure("\\* stands in patterns of like only") }
    place += 1
    var text = ""
    for piece in pieces {
      switch piece {
      case .scalar(let scalar): text.unicodeScalars.append(scalar)
      case .anything: text += "*"
      }
    }
    return text
  }

  // MARK: Tokens

  private var next: Token { tokens[place].token }

  private mutating func skip(_ sign: String) -> Bool {
    guard next == .sign(sign) else { return false }
    place += 1
    return true
  }

  private mutating func skip(word: String) -> Bool {
    guard next == .name(word) else { return false }
    place += 1
    return true
  }

  private mutating func expect(_ sign: String) throws(PolicySyntaxError) {
    guard skip(sign) else { throw failure("\(Quoted.text(sign)) is missing") }
  }

  private mutating func expect(word: String) throws(PolicySyntaxError) {
    guard skip(word: word) else { throw failure("\(word) is missing") }
  }

  private mutating func link() throws(PolicySyntaxError) {
    links += 1
    guard links <= Self.maxLinks else { throw failure("a condition is longer than \(Self.maxLinks) operators") }
  }

  private func failure(_ problem: String) -> PolicySyntaxError {
    PolicySyntaxError(line: tokens[place].line, column: tokens[place].column, problem: problem)
  }
}
