/// A processed JSON-LD @context: turns terms into IRIs and back.
///
/// Immutable and shared between requests; look-ups are dictionary reads.
public final class Context: Sendable {
  /// How one term of the context expands.
  public struct Term: Sendable, Hashable {
    public var iri: String
    /// `@type` of the term definition: `@id`, `@vocab`, `@json`, a datatype IRI, or nothing.
    public var coercion: String?

    public init(iri: String, coercion: String? = nil) {
      self.iri = iri
      self.coercion = coercion
    }
  }

  private let terms: [String: Term]
  private let termOfIRI: [String: String]
  private let vocabulary: String
  private let leavesNamesAlone: Bool
  /// What to put into a `Link` header or an `@context` member: a URL, an array, or an object.
  public let source: JSON

  /// - Parameters:
  ///   - terms: user and core terms, prefixes included, already expanded.
  ///   - vocabulary: IRI that unknown terms are appended to.
  ///   - source: the context as the client gave it.
  public init(terms: [String: Term], vocabulary: String = Core.defaultVocabulary, source: JSON) {
    self.terms = terms
    self.vocabulary = vocabulary
    self.source = source
    leavesNamesAlone = false
    var reverse = [String: String](minimumCapacity: terms.count)
    for (term, definition) in terms where !definition.iri.hasPrefix("@") {
      // Of several terms for one IRI JSON-LD takes the shortest, then the least.
      if let known = reverse[definition.iri], (known.utf8.count, known) < (term.utf8.count, term) { continue }
      reverse[definition.iri] = term
    }
    termOfIRI = reverse
  }

  private init(identity: Void) {
    terms = [:]
    termOfIRI = [:]
    vocabulary = ""
    leavesNamesAlone = true
    source = .null
  }

  /// The form of the store: every name already is an IRI and stays one.
  public static let identity = Context(identity: ())

  /// Whether this is ``identity``.
  public var isIdentity: Bool { leavesNamesAlone }

  public func term(_ name: String) -> Term? { terms[name] }

  /// The IRI of an attribute name, entity type or vocabulary value.
  public func expand(_ name: String) -> String {
    if leavesNamesAlone { return name }
    if let term = terms[name] { return term.iri }
    if let colon = name.utf8.firstIndex(of: UInt8(ascii: ":")) {
      let local = name[name.utf8.index(after: colon)...]
      if !local.hasPrefix("//"), let prefix = terms[String(name[..<colon])] { return prefix.iri + local }
      return name
    }
    return vocabulary + name
  }

  /// The shortest name this context gives an IRI: a term, a name under the vocabulary, or the IRI itself.
  public func compact(_ iri: String) -> String {
    if leavesNamesAlone { return iri }
    if let term = termOfIRI[iri] { return term }
    if iri.hasPrefix(vocabulary), iri.utf8.count > vocabulary.utf8.count {
      let rest = String(iri.dropFirst(vocabulary.count))
      if terms[rest] == nil, !rest.utf8.contains(UInt8(ascii: ":")) { return rest }
    }
    return iri
  }
}
