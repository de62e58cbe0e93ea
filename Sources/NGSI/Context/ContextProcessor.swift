/// Turns JSON-LD 1.1 context values into term definitions (JSON-LD 1.1 API, sections 4.1 and 4.2), as far as they matter
/// to names.
///
/// - The core context is there from the start and again at the end, so that its prefixes serve the user's definitions
///   and none of its terms can be redefined.
/// - `@base`, `@language`, `@direction`, `@propagate` and `@protected` change no name: they are read over.
/// - A `@reverse` definition gives no name: it is read over.
/// - A scoped context is refused in what the client sent (clause 5.5.7) and read over in what was fetched.
struct ContextProcessor {
  /// Most definitions in one context, those of nested contexts included.
  static let maxTerms = 20_000
  /// Longest chain of contexts that include one another.
  static let maxDepth = 10
  /// Longest chain of definitions that stand on one another.
  private static let maxChain = 64

  /// The fetched `@context` values by URL. All that the processed value needs are there.
  let documents: [String: JSON]
  private var terms: [String: Context.Term] = CoreContext.current
  private var nullTerms: Set<String> = []
  private var vocabulary = Core.defaultVocabulary
  private var termsLeft = maxTerms
  /// Whether the core context was the last to be processed.
  private var endsInCore = false
  /// Addresses of the contexts that are being processed, outermost first.
  private var remote: [String] = []

  init(documents: [String: JSON]) { self.documents = documents }

  /// - Throws: ``Problem`` `BadRequestData` for what the client sent, `LdContextNotAvailable` for what was fetched.
  static func context(_ source: JSON, documents: [String: JSON]) throws(Problem) -> Context {
    var processor = ContextProcessor(documents: documents)
    try processor.process(source)
    let terms = processor.terms.merging(CoreContext.current) { _, core in core }
    return Context(
      terms: terms, nullTerms: processor.nullTerms.filter { CoreContext.current[$0] == nil }, source: source,
      endsInCore: processor.endsInCore)
  }

  /// Addresses that a context value names itself, at its own level.
  static func addresses(in value: JSON) -> [String] {
    var found: [String] = []
    for item in value.items {
      switch item {
      case .string(let url): found.append(url)
      case .array: found += addresses(in: item)
      case .object(let object): if let url = object["@import"]?.string { found.append(url) }
      default: continue
      }
    }
    return found
  }

  private func failure(_ detail: String) -> Problem {
    if let url = remote.last { return Problem(.ldContextNotAvailable, "the @context \(url): \(detail)") }
    return .badRequest("the @context: \(detail)")
  }

  private mutating func process(_ value: JSON, nesting: Int = 0) throws(Problem) {
    guard nesting < Self.maxDepth else { throw failure("arrays are nested too deeply") }
    switch value {
    case .array(let items): for item in items { try process(item, nesting: nesting + 1) }
    case .null:
      terms = CoreContext.current
      nullTerms = []
      vocabulary = Core.defaultVocabulary
    case .string(let url): try processRemote(url)
    case .object(let object): try process(object)
    default: throw failure("a URL, an object, or an array of both is expected")
    }
  }

  private mutating func processRemote(_ url: String) throws(Problem) {
    if let version = CoreContext.version(of: url) {
      endsInCore = true
      guard version < CoreContext.versions.upperBound else { return }
      terms.merge(CoreContext.terms(version: version)) { _, named in named }
      terms.merge(CoreContext.current) { _, core in core }
      return
    }
    guard !remote.contains(url) else { throw failure("it includes itself by way of \(url)") }
    guard remote.count < Self.maxDepth else { throw failure("contexts include one another too deeply") }
    guard let document = documents[url] else { throw failure("\(url) is not at hand") }
    remote.append(url)
    try process(document)
    remote.removeLast()
  }

  private mutating func process(_ given: JSONObject) throws(Problem) {
    var object = given
    endsInCore = false
    if let version = object["@version"], version.number != 1.1 { throw failure("'@version' must be 1.1") }
    if let address = object["@import"] {
      guard let url = address.string, let imported = documents[url]?.object, imported["@import"] == nil else {
        throw failure("'@import' must name a context that is one object and imports nothing itself")
      }
      object = imported
      for member in given.members where member.key != "@import" { object[member.key] = member.value }
    }
    termsLeft -= object.count
    guard termsLeft >= 0 else { throw failure("more than \(Self.maxTerms) terms") }
    try readVocabulary(object["@vocab"])
    var local = LocalDefinitions(object: object)
    for member in object.members where !Self.isKeywordLike(member.key) {
      try define(member.key, &local, chain: 0)
    }
  }

  private mutating func readVocabulary(_ value: JSON?) throws(Problem) {
    switch value {
    case nil: break
    case .null?: vocabulary = Core.defaultVocabulary
    case .string(let text)?:
      var local = LocalDefinitions(object: JSONObject())
      vocabulary = text.isEmpty ? vocabulary : try expand(text, &local, chain: 0)
    default: throw failure("'@vocab' must be an IRI or null")
    }
  }
}

// MARK: - Term definitions

/// The object whose terms are being defined, and how far each has come.
private struct LocalDefinitions {
  let object: JSONObject
  var isDefined: [String: Bool] = [:]
}

extension ContextProcessor {
  /// `@` and letters: reserved by JSON-LD, whether it means something yet or not.
  static func isKeywordLike(_ text: String) -> Bool {
    let bytes = text.utf8
    return bytes.count > 1 && bytes.first == UInt8(ascii: "@")
      && bytes.dropFirst().allSatisfy { ($0 | 0x20) &- UInt8(ascii: "a") < 26 }
  }

  private static let keywords: Set<String> = [
    "@id", "@type", "@value", "@language", "@direction", "@list", "@set", "@graph", "@index", "@included", "@json",
    "@none", "@nest", "@reverse",
  ]

  private mutating func define(_ term: String, _ local: inout LocalDefinitions, chain: Int) throws(Problem) {
    if let isDone = local.isDefined[term] {
      guard isDone else { throw failure("the definition of '\(term)' goes in a circle") }
      return
    }
    guard !term.isEmpty else { throw failure("a term is empty") }
    guard chain < Self.maxChain else { throw failure("definitions stand on one another too deeply at '\(term)'") }
    guard let value = local.object[term] else { return }
    local.isDefined[term] = false
    defer { local.isDefined[term] = true }
    terms[term] = nil
    nullTerms.remove(term)
    switch value {
    case .null: nullTerms.insert(term)
    case .string(let id): try define(term, as: id, JSONObject(), isSimple: true, &local, chain: chain)
    case .object(let definition):
      if definition["@reverse"] != nil { return }
      if definition["@context"] != nil, remote.isEmpty {
        throw failure("'\(term)' has a context of its own, which NGSI-LD does not allow (clause 5.5.7)")
      }
      switch definition["@id"] {
      case nil: try define(term, as: nil, definition, isSimple: false, &local, chain: chain)
      case .null?: nullTerms.insert(term)
      case .string(let id)?: try define(term, as: id, definition, isSimple: false, &local, chain: chain)
      default: throw failure("'@id' of '\(term)' must be a string")
      }
    default: throw failure("'\(term)' must be defined by a string, an object, or null")
    }
  }

  private mutating func define(
    _ term: String, as id: String?, _ definition: JSONObject, isSimple: Bool, _ local: inout LocalDefinitions,
    chain: Int
  ) throws(Problem) {
    let coercion = try coercion(definition["@type"], of: term, &local, chain: chain)
    let container = try container(definition["@container"], of: term)
    let colon = term.utf8.dropFirst().firstIndex(of: UInt8(ascii: ":"))
    let isName = colon == nil && !term.utf8.contains(UInt8(ascii: "/"))
    var iri: String
    if let id, id != term {
      if Self.isKeywordLike(id), !Self.keywords.contains(id) {
        guard id != "@context" else { throw failure("'\(term)' cannot stand for @context") }
        return
      }
      iri = try expand(id, &local, chain: chain)
      if !isName {
        // Written out or as prefix and name, a term that looks like an IRI may only stand for that IRI.
        local.isDefined[term] = true
        let own = try expand(term, &local, chain: chain)
        guard own == iri else { throw failure("'\(term)' cannot stand for \(iri)") }
      }
    } else if let colon {
      let prefix = String(term[..<colon])
      if local.object.contains(prefix) { try define(prefix, &local, chain: chain + 1) }
      let name = term[term.utf8.index(after: colon)...]
      iri = terms[prefix].map { $0.iri + name } ?? term
    } else {
      guard isName else { throw failure("'\(term)' is a relative IRI") }
      iri = vocabulary + term
    }
    guard iri.hasPrefix("@") || iri.utf8.contains(UInt8(ascii: ":")) else {
      throw failure("'\(term)' stands for '\(iri)', which is no absolute IRI")
    }
    var isPrefix = isSimple && isName && (iri.utf8.last.map(Self.genericDelimiters.contains) ?? false)
    if let stated = definition["@prefix"] {
      guard let flag = stated.bool, isName else { throw failure("'@prefix' of '\(term)' is out of place") }
      isPrefix = flag
    }
    terms[term] = Context.Term(iri: iri, coercion: coercion, container: container, isPrefix: isPrefix)
  }

  /// RFC 3986 section 2.2, `gen-delims`.
  private static let genericDelimiters = Set(":/?#[]@".utf8)

  private mutating func coercion(
    _ value: JSON?, of term: String, _ local: inout LocalDefinitions, chain: Int
  ) throws(Problem) -> String? {
    guard let value else { return nil }
    guard let text = value.string else { throw failure("'@type' of '\(term)' must be a string") }
    if ["@id", "@vocab", "@json", "@none"].contains(text) { return text }
    let iri = try expand(text, &local, chain: chain)
    guard !iri.hasPrefix("@"), iri.utf8.contains(UInt8(ascii: ":")) else {
      throw failure("'@type' of '\(term)' must be an IRI")
    }
    return iri
  }

  private func container(_ value: JSON?, of term: String) throws(Problem) -> String? {
    guard let value, value != .null else { return nil }
    let known: Set<String> = ["@list", "@set", "@language", "@index", "@id", "@graph", "@type"]
    for item in value.items {
      guard let text = item.string, known.contains(text) else {
        throw failure("'@container' of '\(term)' is \(JSONWriter.text(item))")
      }
    }
    return value.items.first?.string
  }

  /// IRI expansion (section 5.2) while definitions are being made: relative to the vocabulary.
  private mutating func expand(_ text: String, _ local: inout LocalDefinitions, chain: Int) throws(Problem) -> String {
    if Self.keywords.contains(text) { return text }
    if local.isDefined[text] != true, local.object.contains(text), !Self.isKeywordLike(text) {
      try define(text, &local, chain: chain + 1)
    }
    if let term = terms[text] { return term.iri }
    guard !nullTerms.contains(text) else { throw failure("a definition stands on '\(text)', which is null") }
    if let colon = text.utf8.dropFirst().firstIndex(of: UInt8(ascii: ":")) {
      let prefix = String(text[..<colon])
      let name = text[text.utf8.index(after: colon)...]
      if prefix == "_" || name.hasPrefix("//") { return text }
      if local.isDefined[prefix] != true, local.object.contains(prefix) {
        try define(prefix, &local, chain: chain + 1)
      }
      if let term = terms[prefix], term.isPrefix { return term.iri + name }
      return text
    }
    return vocabulary + text
  }
}
