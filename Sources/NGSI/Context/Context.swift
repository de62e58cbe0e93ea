import Synchronization

/// A processed JSON-LD @context: turns names into IRIs and back.
///
/// Immutable and shared between requests; look-ups are dictionary reads. What it is applied to (clause 5.5.7):
/// attribute names, entity types and VocabProperty values, in entities as well as in `type`, `attrs`, `pick`, `q` and
/// every other parameter that holds names. What it is not applied to:
/// - identifiers (`id`, `object`, `datasetId` …): they are kept exactly as they came, a prefix in them included;
/// - values: the coercion (`@type`) of a user term belongs, in JSON-LD's reading, to the attribute node and not to what
///   stands under `value`, so it changes nothing; it can be asked for with ``term(_:)``.
///
/// The core context has the last word, its `@vocab` included, as JSON-LD gives it to a context in last position: a
/// user's `@vocab` only serves the definitions of its own context.
public final class Context: Sendable {
  /// How one term of the context expands.
  public struct Term: Sendable, Hashable {
    /// An IRI, or a keyword (`@id`, `@type`) for an alias.
    public var iri: String
    /// `@type` of the term definition: `@id`, `@vocab`, `@json`, a datatype IRI, or nothing.
    public var coercion: String?
    public var container: String?
    /// Whether `term:name` may be written for an IRI that begins with this one's.
    public var isPrefix: Bool

    public init(iri: String, coercion: String? = nil, container: String? = nil, isPrefix: Bool = false) {
      self.iri = iri
      self.coercion = coercion
      self.container = container
      self.isPrefix = isPrefix
    }
  }

  private let terms: [String: Term]
  /// Terms that the user context maps to null: names that it forbids.
  private let nullTerms: Set<String>
  private let termOfIRI: [String: String]
  private let prefixOfIRI: [String: String]
  /// Lengths of the prefixes' IRIs in bytes, so that a compaction tries only those.
  private let prefixLengths: [Int]
  private let vocabulary: String
  /// Names by IRI, as far as they have been asked for.
  private let compacted = Mutex<[String: String]>([:])
  private static let mostCompacted = 4096
  private let leavesNamesAlone: Bool
  /// The context as the client gave it: a URL, an array, or an object. For the `Link` header, and for subscriptions.
  public let source: JSON
  /// Where the context can be had as a whole, when it is not ``source`` that says so: a context of the hub's own.
  public let address: String?
  /// Whether ``source`` itself, or the last document that it names, puts the core context in last position.
  private let endsInCore: Bool

  /// - Parameters:
  ///   - terms: user and core terms, prefixes included, already expanded.
  ///   - nullTerms: terms that are defined as null.
  ///   - vocabulary: IRI that unknown terms are appended to.
  ///   - source: the context as the client gave it.
  ///   - endsInCore: whether the core context already stands in the last position of it.
  public init(
    terms: [String: Term], nullTerms: Set<String> = [], vocabulary: String = Core.defaultVocabulary, source: JSON,
    endsInCore: Bool = false
  ) {
    self.terms = terms
    self.nullTerms = nullTerms
    self.vocabulary = vocabulary
    self.source = source
    self.endsInCore = endsInCore
    address = nil
    leavesNamesAlone = false
    // Of several terms for one IRI JSON-LD takes the shortest, then the least.
    func isBetter(_ term: String, than known: String?) -> Bool {
      guard let known else { return true }
      return (term.utf8.count, term) < (known.utf8.count, known)
    }
    var reverse = [String: String](minimumCapacity: terms.count)
    var prefixes: [String: String] = [:]
    for (term, definition) in terms where !definition.iri.hasPrefix("@") {
      if isBetter(term, than: reverse[definition.iri]) { reverse[definition.iri] = term }
      // A name is read up to its first colon: a term that has one is never found as a prefix.
      guard definition.isPrefix, !term.utf8.contains(UInt8(ascii: ":")) else { continue }
      if isBetter(term, than: prefixes[definition.iri]) { prefixes[definition.iri] = term }
    }
    termOfIRI = reverse
    prefixOfIRI = prefixes
    prefixLengths = Set(prefixes.keys.map(\.utf8.count)).sorted(by: >)
  }

  private init(identity: Void) {
    terms = [:]
    nullTerms = []
    termOfIRI = [:]
    prefixOfIRI = [:]
    prefixLengths = []
    vocabulary = ""
    leavesNamesAlone = true
    source = .null
    address = nil
    endsInCore = false
  }

  private init(_ other: Context, source: JSON, address: String?) {
    terms = other.terms
    nullTerms = other.nullTerms
    termOfIRI = other.termOfIRI
    prefixOfIRI = other.prefixOfIRI
    prefixLengths = other.prefixLengths
    vocabulary = other.vocabulary
    leavesNamesAlone = other.leavesNamesAlone
    self.source = source
    self.address = address
    endsInCore = other.endsInCore
  }

  /// The same names, given in another way or to be had elsewhere.
  public func restated(source: JSON? = nil, address: String?) -> Context {
    Context(self, source: source ?? self.source, address: address)
  }

  /// The form of the store: every name already is an IRI and stays one.
  public static let identity = Context(identity: ())

  /// The core context alone: what a request without any context uses (clause 5.5.5).
  public static let core = Context(terms: CoreContext.current, source: .string(CoreContext.url), endsInCore: true)

  /// Whether this is ``identity``.
  public var isIdentity: Bool { leavesNamesAlone }

  public func term(_ name: String) -> Term? { terms[name] }

  /// Whether the user context maps the name to null, so that it stands for nothing.
  public func isNull(_ name: String) -> Bool { !nullTerms.isEmpty && nullTerms.contains(name) }

  /// What to write as `@context` member: ``source`` with the core context in last position (clause 4.4), where it does
  /// not stand there already.
  public var embedded: JSON {
    endsInCore ? source : .array(source.items + [.string(CoreContext.url)])
  }

  /// The URL that a `Link` header names: where the context can be had, or the first of its documents.
  public var url: String {
    if let address { return address }
    switch source {
    case .string(let url): return url
    case .array(let items):
      return items.compactMap(\.string).first { CoreContext.version(of: $0) == nil } ?? CoreContext.url
    default: return CoreContext.url
    }
  }

  /// Whether one URL, with the core context that is always there, says all of ``source``.
  public var isSaidByOneURL: Bool {
    var isSaid = true
    var urls = 0
    for item in source.items {
      switch item {
      case .string(let url): if CoreContext.version(of: url) == nil { urls += 1 }
      case .null where source == .null: break
      default: isSaid = false
      }
    }
    return isSaid && urls <= 1
  }

  /// The IRI of an attribute name, entity type or vocabulary value.
  public func expand(_ name: String) -> String {
    if leavesNamesAlone { return name }
    if let term = terms[name] { return term.iri }
    if let colon = name.utf8.firstIndex(of: UInt8(ascii: ":")), colon != name.utf8.startIndex {
      let local = name[name.utf8.index(after: colon)...]
      if !local.hasPrefix("//"), let prefix = terms[String(name[..<colon])], prefix.isPrefix {
        return prefix.iri + local
      }
      return name
    }
    if name.utf8.first == UInt8(ascii: "@") { return name }
    return vocabulary + name
  }

  /// The shortest name this context gives an IRI: a term, a name under the vocabulary, `prefix:name`, or the IRI.
  public func compact(_ iri: String) -> String {
    if leavesNamesAlone { return iri }
    if let known = compacted.withLock({ $0[iri] }) { return known }
    let name = shortest(iri)
    // Texts that differ only in their normalization are one key to a dictionary; ASCII has no such pairs.
    if iri.utf8.allSatisfy({ $0 < 0x80 }) {
      compacted.withLock { if $0.count < Self.mostCompacted { $0[iri] = name } }
    }
    return name
  }

  private func shortest(_ iri: String) -> String {
    if let term = termOfIRI[iri] { return term }
    if iri.utf8.count > vocabulary.utf8.count, iri.hasPrefix(vocabulary) {
      let rest = iri.utf8.dropFirst(vocabulary.utf8.count)
      // A colon would make the name read as prefix and name.
      if !rest.contains(UInt8(ascii: ":")), let name = String(rest), terms[name] == nil, !isNull(name) { return name }
    }
    return compactWithPrefix(iri) ?? iri
  }

  private func compactWithPrefix(_ iri: String) -> String? {
    var best: String?
    for length in prefixLengths where length < iri.utf8.count {
      guard let start = String(iri.utf8.prefix(length)), let prefix = prefixOfIRI[start],
        let local = String(iri.utf8.dropFirst(length)), !local.hasPrefix("//")
      else { continue }
      let candidate = prefix + ":" + local
      if let known = best, (known.utf8.count, known) < (candidate.utf8.count, candidate) { continue }
      if terms[candidate] == nil { best = candidate }
    }
    return best
  }
}
