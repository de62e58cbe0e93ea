import NGSI
import Patterns

/// Turns schemas into nodes, each place once, so that a schema may refer to itself.
struct SchemaCompiler {
  private var registry: SchemaRegistry
  let limits: Schema.Limits
  private(set) var nodes: [Node] = []
  private(set) var resources: [Resource] = []
  /// Whether any schema asks what others have looked at.
  private(set) var tracksEvaluation = false
  private var indexOf: [SchemaPlace: Int] = [:]
  private var resourceOf: [String: Int] = [:]
  private var waiting: [(index: Int, place: SchemaPlace)] = []

  init(registry: SchemaRegistry, limits: Schema.Limits) {
    self.registry = registry
    self.limits = limits
  }

  /// Compiles the schema at a place and all it refers to; gives its index.
  mutating func compileAll(from place: SchemaPlace) throws(SchemaError) -> Int {
    let root = try index(of: place)
    while let next = waiting.popLast() {
      nodes[next.index] = try node(at: next.place)
    }
    return root
  }

  private mutating func index(of place: SchemaPlace) throws(SchemaError) -> Int {
    if let known = indexOf[place] { return known }
    guard nodes.count < limits.nodes else {
      throw SchemaError(location: place.text, detail: "more than \(limits.nodes) schemas")
    }
    nodes.append(Node())
    indexOf[place] = nodes.count - 1
    waiting.append((nodes.count - 1, place))
    return nodes.count - 1
  }

  private mutating func resource(_ base: String) throws(SchemaError) -> Int {
    if let known = resourceOf[base] { return known }
    resources.append(Resource())
    let index = resources.count - 1
    resourceOf[base] = index
    for (name, place) in registry.scopes[base]?.dynamicAnchors ?? [:] {
      resources[index].dynamicAnchors[name] = try self.index(of: place)
    }
    return index
  }

  // MARK: - One schema

  private mutating func node(at place: SchemaPlace) throws(SchemaError) -> Node {
    var node = Node()
    node.location = place.text
    node.resource = try resource(registry.base(at: place))
    switch registry.schema(at: place) {
    case .bool(let always)?: node.always = always
    case .object(let object)?: node.keywords = try keywords(of: object, at: place)
    default: throw SchemaError(location: place.text, detail: "a schema is an object, true or false")
    }
    return node
  }

  private mutating func keywords(of object: JSONObject, at place: SchemaPlace) throws(SchemaError) -> [Keyword] {
    let words = SchemaWords(object: object, place: place)
    let draft = registry.draft(at: place)
    if draft == .seven, let reference = try words.text("$ref") {
      return [.reference(try index(of: try registry.target(of: reference, from: place)))]
    }
    var keywords = try words.assertions()
    try addArrayWords(words, draft, to: &keywords)
    try addObjectWords(words, to: &keywords)
    try addReferences(words, to: &keywords)
    if let list = try list("allOf", words) { keywords.append(.allOf(list)) }
    if let list = try list("anyOf", words) { keywords.append(.anyOf(list)) }
    if let list = try list("oneOf", words) { keywords.append(.oneOf(list)) }
    if let schema = try single("not", words) { keywords.append(.not(schema)) }
    if let condition = try single("if", words) {
      keywords.append(
        .condition(condition, then: try single("then", words), otherwise: try single("else", words)))
    }
    if draft != .seven {
      if let schema = try single("unevaluatedItems", words) { keywords.append(.unevaluatedItems(schema)) }
      if let schema = try single("unevaluatedProperties", words) { keywords.append(.unevaluatedMembers(schema)) }
      if object.contains("unevaluatedItems") || object.contains("unevaluatedProperties") { tracksEvaluation = true }
    }
    return keywords
  }

  private mutating func addReferences(_ words: SchemaWords, to keywords: inout [Keyword]) throws(SchemaError) {
    if let reference = try words.text("$ref") {
      keywords.append(.reference(try index(of: try registry.target(of: reference, from: words.place))))
    }
    if let reference = try words.text("$dynamicRef") {
      let target = try registry.target(of: reference, from: words.place)
      let anchor = reference.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).last.map(String.init)
      let isDynamic = anchor.map { registry.scopes[registry.base(at: target)]?.dynamicAnchors[$0] == target } ?? false
      let node = try index(of: target)
      keywords.append(isDynamic ? .dynamicReference(node, anchor ?? "") : .reference(node))
    }
    if let reference = try words.text("$recursiveRef") {
      let target = try registry.target(of: reference, from: words.place)
      let isRecursive = registry.scopes[registry.base(at: target)]?.dynamicAnchors[""] == target
      let node = try index(of: target)
      keywords.append(isRecursive ? .dynamicReference(node, "") : .reference(node))
    }
  }

  private mutating func addArrayWords(_ words: SchemaWords, _ draft: Draft, to keywords: inout [Keyword])
    throws(SchemaError)
  {
    let isTuple = words.object["items"]?.array != nil
    let prefix = try list(isTuple ? "items" : "prefixItems", words, mayBeEmpty: true)
    let rest = isTuple ? try single("additionalItems", words) : try single("items", words)
    if prefix != nil || rest != nil { keywords.append(.items(prefix: prefix ?? [], rest: rest)) }
    if let contains = try single("contains", words) {
      let bounds = draft == .seven ? nil : try words.bounds("minContains", "maxContains")
      var counted = Bounds(least: 1, most: bounds?.most ?? .max)
      if let bounds, words.object.contains("minContains") { counted.least = bounds.least }
      keywords.append(.contains(contains, counted, marks: draft >= .d2020))
    }
  }

  private mutating func addObjectWords(_ words: SchemaWords, to keywords: inout [Keyword]) throws(SchemaError) {
    let properties = try map("properties", words)
    let patterns = try map("patternProperties", words)
    let additional = try single("additionalProperties", words)
    if properties != nil || patterns != nil || additional != nil {
      var compiled: [(Pattern, Int)] = []
      for (text, schema) in patterns ?? [] { compiled.append((try words.pattern(text, "patternProperties"), schema)) }
      keywords.append(
        .members(
          Dictionary(properties ?? [], uniquingKeysWith: { first, _ in first }), patterns: compiled,
          additional: additional))
    }
    if let names = try single("propertyNames", words) { keywords.append(.memberNames(names)) }
    var schemas = try map("dependentSchemas", words) ?? []
    if let old = words.object["dependencies"] {
      guard let old = old.object else { throw words.wrong("dependencies", "an object") }
      var required: [(String, [String])] = []
      for member in old {
        if case .array = member.value {
          required.append((member.key, try words.names(member.value, "dependencies")))
        } else {
          schemas.append((member.key, try index(of: words.inside("dependencies", member.key))))
        }
      }
      if !required.isEmpty { keywords.append(.dependentRequired(required)) }
    }
    if !schemas.isEmpty { keywords.append(.dependentSchemas(schemas)) }
  }

  // MARK: - Schemas in words

  private mutating func single(_ word: String, _ words: SchemaWords) throws(SchemaError) -> Int? {
    guard words.object.contains(word) else { return nil }
    return try index(of: words.at(word))
  }

  private mutating func list(_ word: String, _ words: SchemaWords, mayBeEmpty: Bool = false) throws(SchemaError)
    -> [Int]?
  {
    guard let value = words.object[word] else { return nil }
    guard let items = value.array, mayBeEmpty || !items.isEmpty else {
      throw words.wrong(word, "a list of schemas that is not empty")
    }
    var list: [Int] = []
    for index in items.indices { list.append(try self.index(of: words.inside(word, String(index)))) }
    return list
  }

  private mutating func map(_ word: String, _ words: SchemaWords) throws(SchemaError) -> [(String, Int)]? {
    guard let value = words.object[word] else { return nil }
    guard let object = value.object else { throw words.wrong(word, "an object of schemas") }
    var map: [(String, Int)] = []
    for member in object { map.append((member.key, try index(of: words.inside(word, member.key)))) }
    return map
  }
}
