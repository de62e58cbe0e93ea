import NGSI
import Patterns

/// Where in the judged value; a chain, so that a path costs nothing until it is told.
indirect enum ValuePath: Sendable {
  case root
  case member(String, of: ValuePath)
  case item(Int, of: ValuePath)

  var pointer: String {
    switch self {
    case .root: ""
    case .member(let name, let parent): parent.pointer + "/" + JSONPointer.escape(name)
    case .item(let index, let parent): parent.pointer + "/\(index)"
    }
  }
}

/// What schemas have looked at of one object or array.
struct Evaluated: Sendable {
  var names: Set<String> = []
  var allNames = false
  var items = 0
  var picked: Set<Int> = []

  mutating func formUnion(_ other: Evaluated) {
    names.formUnion(other.names)
    allNames = allNames || other.allNames
    items = max(items, other.items)
    picked.formUnion(other.picked)
  }
}

/// One judgement on its way.
struct Validator {
  let schema: Schema
  /// Whether failures are written down; inside `not`, `anyOf` and their like they are not.
  private(set) var reports: Bool
  var failures: [SchemaFailure] = []
  private var work = 0
  private var depth = 0
  /// Resources entered, outermost first: where a `$dynamicRef` looks.
  private var scopes: [Int] = []

  init(schema: Schema, reports: Bool) {
    self.schema = schema
    self.reports = reports
  }

  /// Whether there is no need to go on: one failure is enough where none is told.
  var isDone: Bool { !reports || failures.count >= schema.limits.failures }

  mutating func evaluate(_ index: Int, _ value: JSON, at path: ValuePath) throws(SchemaError) -> Bool {
    var seen = Evaluated()
    return try evaluate(index, value, at: path, &seen)
  }

  mutating func evaluate(_ index: Int, _ value: JSON, at path: ValuePath, _ seen: inout Evaluated)
    throws(SchemaError) -> Bool
  {
    let node = schema.nodes[index]
    if let always = node.always { return always || fail("false", path, "nothing here", value) }
    depth += 1
    scopes.append(node.resource)
    defer {
      depth -= 1
      scopes.removeLast()
    }
    guard depth <= schema.limits.depth else {
      throw SchemaError(location: node.location, detail: "more than \(schema.limits.depth) schemas inside one another")
    }
    var isValid = true
    // What this schema saw, apart from what its neighbours did: `unevaluated…` asks for no more.
    var own = Evaluated()
    for keyword in node.keywords {
      try spend(1, node)
      if try !carryOut(keyword, node, value, path, &own) {
        isValid = false
        if isDone { break }
      }
    }
    if isValid, schema.tracks { seen.formUnion(own) }
    return isValid
  }

  mutating func spend(_ steps: Int, _ node: Node) throws(SchemaError) {
    work += steps
    guard work <= schema.limits.work else {
      throw SchemaError(location: node.location, detail: "the value takes more than \(schema.limits.work) steps")
    }
  }

  private mutating func carryOut(
    _ keyword: Keyword, _ node: Node, _ value: JSON, _ path: ValuePath, _ own: inout Evaluated
  ) throws(SchemaError) -> Bool {
    switch keyword {
    case .type(let types):
      return !types.isDisjoint(with: JSONTypes(of: value)) || fail("type", path, types.text, value)
    case .enumeration(let values):
      try spend(values.count / 8, node)
      return values.contains(value) || fail("enum", path, "one of \(Self.text(.array(values), 200))", value)
    case .constant(let constant):
      return constant == value || fail("const", path, Self.text(constant, 100), value)
    case .multipleOf, .minimum, .maximum: return judgeNumber(keyword, value, path)
    case .length, .pattern, .format: return try judgeText(keyword, node, value, path)
    case .items, .contains, .itemCount, .uniqueItems, .unevaluatedItems:
      guard case .array(let items) = value else { return true }
      return try judgeArray(keyword, node, items, path, &own)
    case .members(let known, let patterns, let additional):
      guard case .object(let object) = value else { return true }
      return try judgeMembers(known, patterns, additional, node, object, path, &own)
    case .memberCount, .required, .dependentRequired, .dependentSchemas, .memberNames, .unevaluatedMembers:
      guard case .object(let object) = value else { return true }
      return try judgeObject(keyword, node, object, path, &own)
    case .reference(let target): return try evaluate(target, value, at: path, &own)
    case .dynamicReference(let target, let anchor):
      let outermost = scopes.lazy.compactMap { [schema] in schema.resources[$0].dynamicAnchors[anchor] }.first
      return try evaluate(outermost ?? target, value, at: path, &own)
    case .allOf, .anyOf, .oneOf, .not, .condition: return try judgeCombination(keyword, value, path, &own)
    }
  }

  // MARK: - Failures

  mutating func fail(_ keyword: String, _ path: ValuePath, _ expected: String, _ found: JSON) -> Bool {
    fail(keyword, path, expected, found: Self.text(found, 100))
  }

  mutating func fail(_ keyword: String, _ path: ValuePath, _ expected: String, found: String) -> Bool {
    if reports, failures.count < schema.limits.failures {
      failures.append(SchemaFailure(pointer: path.pointer, keyword: keyword, expected: expected, found: found))
    }
    return false
  }

  /// The value as JSON, cut short.
  static func text(_ value: JSON, _ most: Int) -> String {
    switch value {
    case .object(let object) where object.count > 8: return "an object of \(object.count) members"
    case .array(let items) where items.count > 40: return "a list of \(items.count)"
    case .string(let text) where text.utf8.count > most: return "\"\(text.prefix(most))…\""
    default:
      let text = JSONWriter.text(value)
      return text.utf8.count > most ? text.prefix(most) + "…" : text
    }
  }

  /// Runs a part whose failures are nobody's business.
  mutating func quietly<Value>(_ body: (inout Validator) throws(SchemaError) -> Value) throws(SchemaError)
    -> Value
  {
    let before = reports
    reports = false
    defer { reports = before }
    return try body(&self)
  }
}

// MARK: - Numbers and texts

extension Validator {
  private mutating func judgeNumber(_ keyword: Keyword, _ value: JSON, _ path: ValuePath) -> Bool {
    guard let number = value.number else { return true }
    switch keyword {
    case .multipleOf(let divisor):
      let isMultiple = ExactNumber(value)?.isMultiple(of: divisor) ?? false
      return isMultiple || fail("multipleOf", path, "a multiple of what the schema names", value)
    case .minimum(let bound, let isExclusive):
      let order = Self.order(value, number, bound)
      return order > 0 || (order == 0 && !isExclusive)
        || fail(
          isExclusive ? "exclusiveMinimum" : "minimum", path,
          "\(isExclusive ? "more than" : "at least") \(Self.text(bound, 40))", value)
    case .maximum(let bound, let isExclusive):
      let order = Self.order(value, number, bound)
      return order < 0 || (order == 0 && !isExclusive)
        || fail(
          isExclusive ? "exclusiveMaximum" : "maximum", path,
          "\(isExclusive ? "less than" : "at most") \(Self.text(bound, 40))", value)
    default: return true
    }
  }

  private static func order(_ value: JSON, _ number: Double, _ bound: JSON) -> Int {
    if let left = value.integer, let right = bound.integer { return left < right ? -1 : left == right ? 0 : 1 }
    let other = bound.number ?? 0
    return number < other ? -1 : number == other ? 0 : 1
  }

  private mutating func judgeText(_ keyword: Keyword, _ node: Node, _ value: JSON, _ path: ValuePath)
    throws(SchemaError) -> Bool
  {
    guard case .string(let text) = value else { return true }
    switch keyword {
    case .length(let bounds):
      let count = text.unicodeScalars.count
      return bounds.contains(count)
        || fail("length", path, "\(bounds.text) characters", found: "\(count)")
    case .pattern(let pattern):
      return try matches(pattern, text, node)
        || fail("pattern", path, "a text that matches '\(pattern.text.prefix(200))'", value)
    case .format(let format): return format.accepts(text) || fail("format", path, format.summary, value)
    default: return true
    }
  }

  mutating func matches(_ pattern: Pattern, _ text: String, _ node: Node) throws(SchemaError) -> Bool {
    try spend(1 + text.utf8.count / 32, node)
    do { return try pattern.matches(text) } catch { throw SchemaError(location: node.location, detail: error.detail) }
  }
}
