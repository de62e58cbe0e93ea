import NGSI

/// The drafts that differ in what words mean.
enum Draft: Sendable, Comparable {
  case seven
  case d2019
  case d2020

  /// What `$schema` names; `nil` for one that is not known here.
  init?(named uri: String) {
    let name = uri.hasSuffix("#") ? uri.dropLast() : uri[...]
    switch name.drop(while: { $0 != ":" }) {
    case "://json-schema.org/draft-07/schema", "://json-schema.org/draft-06/schema": self = .seven
    case "://json-schema.org/draft/2019-09/schema": self = .d2019
    case "://json-schema.org/draft/2020-12/schema", "://json-schema.org/schema": self = .d2020
    default: return nil
    }
  }
}

/// A place in a document: which, and the JSON Pointer to a schema in it.
struct SchemaPlace: Sendable, Hashable {
  var document: String
  var pointer: String

  var text: String { document + "#" + pointer }
}

/// The documents that references may lead to, with the names that schemas in them have.
struct SchemaRegistry: Sendable {
  struct Scope: Sendable {
    /// Where the schema with this base URI stands.
    var place: SchemaPlace
    var draft: Draft
    var anchors: [String: SchemaPlace] = [:]
    var dynamicAnchors: [String: SchemaPlace] = [:]
  }

  /// Documents that may be referred to; each is looked at when it is.
  private let given: [String: JSON]
  private let limits: Schema.Limits
  private(set) var documents: [String: JSON] = [:]
  /// By base URI.
  private(set) var scopes: [String: Scope] = [:]
  /// The base URI that holds at a place where a schema has one of its own.
  private(set) var baseAt: [SchemaPlace: String] = [:]
  private var seen = 0

  init(given documents: [String: JSON], _ limits: Schema.Limits) {
    var given: [String: JSON] = [:]
    for (uri, document) in documents {
      given[URIReference(uri).withoutFragment] = document
      // A document is also known by the name that it gives itself.
      if let id = document["$id"]?.string { given[URIReference(id).withoutFragment] = document }
    }
    self.given = given
    self.limits = limits
  }

  /// Takes a document, and the identifiers in it, under a URI.
  @discardableResult
  mutating func add(_ document: JSON, as uri: String) throws(SchemaError) -> SchemaPlace {
    let base = URIReference(uri)
    let name = base.withoutFragment
    let place = SchemaPlace(document: name, pointer: "")
    documents[name] = document
    scopes[name] = Scope(place: place, draft: .d2020)
    baseAt[place] = name
    try scan(document, at: place, base: base, in: name)
    return place
  }

  /// Words whose value is a schema, an array or an object of schemas.
  private static let single: Set<String> = [
    "additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not",
    "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
  ]
  private static let lists: Set<String> = ["allOf", "anyOf", "items", "oneOf", "prefixItems"]
  private static let maps: Set<String> = [
    "$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties",
  ]

  private mutating func scan(
    _ schema: JSON, at place: SchemaPlace, base: URIReference, in scope: String
  ) throws(SchemaError) {
    guard let object = schema.object else { return }
    seen += 1
    guard seen <= limits.nodes else {
      throw SchemaError(location: place.text, detail: "more than \(limits.nodes) schemas")
    }
    var (base, scope) = (base, scope)
    var draft = scopes[scope]?.draft ?? .d2020
    if let name = object["$schema"]?.string {
      draft = Draft(named: name) ?? draft
      scopes[scope]?.draft = draft
    }
    let hidesSiblings = draft == .seven && object.contains("$ref")
    if let id = object["$id"]?.string, !hidesSiblings {
      let reference = URIReference(id).resolved(against: base)
      if let fragment = reference.fragment, !fragment.isEmpty {
        scopes[scope]?.anchors[fragment] = place
      }
      let isAnchorOnly = id.hasPrefix("#")
      if !isAnchorOnly {
        base = reference
        base.fragment = nil
        scope = base.withoutFragment
        if scopes[scope] == nil || place.pointer.isEmpty {
          scopes[scope] = Scope(place: place, draft: draft)
          if place.pointer.isEmpty, documents[scope] == nil { documents[scope] = schema }
        }
        scopes[scope]?.draft = draft
        baseAt[place] = scope
      }
    }
    if let anchor = object["$anchor"]?.string { scopes[scope]?.anchors[anchor] = place }
    if let anchor = object["$dynamicAnchor"]?.string {
      scopes[scope]?.anchors[anchor] = place
      scopes[scope]?.dynamicAnchors[anchor] = place
    }
    if object["$recursiveAnchor"] == true { scopes[scope]?.dynamicAnchors[""] = place }
    for member in object {
      let pointer = place.pointer + "/" + JSONPointer.escape(member.key)
      func inside(_ name: String) -> SchemaPlace {
        SchemaPlace(document: place.document, pointer: pointer + "/" + JSONPointer.escape(name))
      }
      switch member.value {
      case .object(let map) where Self.maps.contains(member.key):
        for entry in map { try scan(entry.value, at: inside(entry.key), base: base, in: scope) }
      case .array(let list) where Self.lists.contains(member.key):
        for (index, entry) in list.enumerated() {
          try scan(entry, at: inside(String(index)), base: base, in: scope)
        }
      case .object where Self.single.contains(member.key):
        let place = SchemaPlace(document: place.document, pointer: pointer)
        try scan(member.value, at: place, base: base, in: scope)
      default: continue
      }
    }
  }

  // MARK: - Look-up

  /// The schema at a place.
  func schema(at place: SchemaPlace) -> JSON? {
    guard var value = documents[place.document], let tokens = JSONPointer.tokens(place.pointer) else { return nil }
    for token in tokens {
      switch value {
      case .object(let object):
        guard let next = object[token] else { return nil }
        value = next
      case .array(let items):
        guard let index = Int(token), items.indices.contains(index) else { return nil }
        value = items[index]
      default: return nil
      }
    }
    return value
  }

  /// The base URI that holds at a place: the one of the nearest schema around it that has one.
  func base(at place: SchemaPlace) -> String {
    var pointer = place.pointer
    while true {
      if let base = baseAt[SchemaPlace(document: place.document, pointer: pointer)] { return base }
      guard let slash = pointer.lastIndex(of: "/") else { return place.document }
      pointer = String(pointer[..<slash])
    }
  }

  /// Where a reference leads to.
  ///
  /// - Throws: ``SchemaError`` when it leads nowhere that is given.
  mutating func target(of reference: String, from place: SchemaPlace) throws(SchemaError) -> SchemaPlace {
    let target = URIReference(reference).resolved(against: URIReference(base(at: place)))
    let document = target.withoutFragment
    guard let fragment = JSONPointer.decodedFragment(target.fragment ?? "") else {
      throw SchemaError(location: place.text, detail: "the $ref '\(reference.prefix(200))' has a broken escape")
    }
    if scopes[document] == nil, let other = given[document] { try add(other, as: document) }
    guard let scope = scopes[document] else {
      throw SchemaError(
        location: place.text,
        detail: "the $ref leads to \(document.prefix(200)), which is not among the schemas given; none is fetched")
    }
    if fragment.isEmpty { return scope.place }
    if let anchor = scope.anchors[fragment] { return anchor }
    let found = SchemaPlace(document: scope.place.document, pointer: scope.place.pointer + fragment)
    guard fragment.hasPrefix("/"), schema(at: found) != nil else {
      throw SchemaError(location: place.text, detail: "the $ref '\(reference.prefix(200))' leads nowhere")
    }
    return found
  }

  func draft(at place: SchemaPlace) -> Draft { scopes[base(at: place)]?.draft ?? .d2020 }
}
