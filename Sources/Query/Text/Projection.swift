import NGSI

/// A list of members to keep or to leave out: `pick`, `omit` (clause 4.21).
public struct Projection: Sendable, Hashable {
  public enum Member: Sendable, Hashable {
    case id
    case type
    case scope
    /// Expanded IRI.
    case attribute(String)
  }

  public struct Term: Sendable, Hashable {
    public var member: Member
    /// What to keep or leave out of the entities that this relationship points at: `observation{temperature}`.
    public var linked: Projection?

    public init(_ member: Member, linked: Projection? = nil) {
      self.member = member
      self.linked = linked
    }
  }

  public var terms: [Term]

  public init(terms: [Term]) { self.terms = terms }

  /// Reads a projection text: names with `,` or `|` between them and `{…}` after a relationship.
  public init(_ text: String, subject: String = "pick", context: Context) throws(Problem) {
    var scanner = try Scanner(text, subject: subject)
    self = try Self.parse(&scanner, context)
    try scanner.requireEnd("',', '|', '{' or the end")
  }

  /// Reads the JSON form: an array of projection texts (clause 5.2.23).
  public init(json: JSON, subject: String = "pick", context: Context) throws(Problem) {
    guard case .array(let items) = json, !items.isEmpty, items.count <= QueryLimits.terms else {
      throw .badRequest("'\(subject)' must be an array of 1 to \(QueryLimits.terms) names")
    }
    terms = []
    for item in items {
      guard let text = item.string else { throw .badRequest("'\(subject)' must be an array of strings") }
      terms += try Projection(text, subject: subject, context: context).terms
      guard terms.count <= QueryLimits.terms else {
        throw Problem(.tooComplexQuery, "'\(subject)' may have at most \(QueryLimits.terms) names")
      }
    }
  }

  private static func parse(_ scanner: inout Scanner, _ context: Context) throws(Problem) -> Projection {
    var terms: [Term] = []
    repeat {
      try scanner.countTerm()
      scanner.skipSpace()
      let name = try scanner.name("a member name")
      var term = Term(member(name, context))
      if scanner.takeSpaced("{") {
        guard case .attribute = term.member else {
          throw scanner.expected("',' or '|', for '\(name)' is no relationship")
        }
        try scanner.enter()
        term.linked = try parse(&scanner, context)
        scanner.leave()
        guard scanner.takeSpaced("}") else { throw scanner.expected("',', '|' or '}'") }
      }
      terms.append(term)
    } while scanner.takeSpaced(",") || scanner.takeSpaced("|")
    return Projection(terms: terms)
  }

  private static func member(_ name: String, _ context: Context) -> Member {
    switch name {
    case "id", "@id": .id
    case "type", "@type": .type
    case "scope": .scope
    default: .attribute(CoreName.expand(name, context))
    }
  }

  public func contains(_ member: Member) -> Bool { terms.contains { $0.member == member } }

  /// Expanded names of the attributes in it.
  public var attributes: [String] {
    terms.compactMap { if case .attribute(let name) = $0.member { name } else { nil } }
  }

  /// What applies to the entities that the relationship points at; `nil` when nothing is said about them.
  public func linked(through relationship: String) -> Projection? {
    terms.first { $0.member == .attribute(relationship) && $0.linked != nil }?.linked
  }

  /// How many relationships it follows at most; may not exceed `joinLevel` (clause 5.7.2.4).
  public var hops: Int { terms.map { $0.linked.map { $0.hops + 1 } ?? 0 }.max() ?? 0 }

  /// Reads `attrs`: attribute names or IRIs separated by commas; gives expanded names.
  public static func attributeNames(_ text: String, context: Context) throws(Problem) -> [String] {
    let projection = try Projection(text, subject: "attrs", context: context)
    guard projection.hops == 0 else { throw .badRequest("attrs: '{' is not allowed here, use pick") }
    return projection.terms.map { term in
      switch term.member {
      case .id: "@id"
      case .type: "@type"
      case .scope: Core.namespace + "scope"
      case .attribute(let name): name
      }
    }
  }
}
