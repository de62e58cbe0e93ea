import Hub
import NGSI
import Query
import Store

/// A write to one entity that may concern sources (ETSI GS CIM 009 clauses 5.6.1 to 5.6.6 and 5.6.17 to 5.6.19), or
/// to its history (clauses 5.6.11 to 5.6.16).
public struct SourceWrite: Sendable {
  public var operation: OperationName
  public var id: String
  /// Expanded, as far as the request says them.
  public var types: [String]?
  /// Expanded names of the attributes that it writes; `nil` for the entity as a whole (a deletion).
  public var attributes: Set<String>?
  public var method: SourceCall.Method
  /// Segments below `/ngsi-ld/v1`. An attribute name in it stands after `attrs`.
  public var path: [String]
  /// The expanded attribute name in the path, where there is one.
  public var attributeInPath: String?
  public var parameters: [(name: String, value: String)]
  /// As the client sent it, without `@context`.
  public var body: JSON?
  public var context: Context
  /// Of a write to the history, the time that it is about; `nil` for a write to the present state.
  public var time: TemporalFilter?

  public init(
    _ operation: OperationName, id: String, types: [String]?, attributes: Set<String>?, method: SourceCall.Method,
    path: [String], attributeInPath: String? = nil, parameters: [(name: String, value: String)] = [],
    body: JSON? = nil, context: Context
  ) {
    self.operation = operation
    self.id = id
    self.types = types
    self.attributes = attributes
    self.method = method
    self.path = path
    self.attributeInPath = attributeInPath
    self.parameters = parameters
    self.body = body
    self.context = context
  }

  /// The write to an entity that is known to have these types.
  func of(_ types: [String]?) -> SourceWrite {
    var write = self
    write.types = types
    return write
  }

  /// What registrations are matched against.
  var sourceQuery: SourceQuery {
    var query = SourceQuery(entity: id, types: types)
    query.attributes = attributes ?? []
    (query.time, query.writesHistory) = (time, time != nil)
    return query
  }

  /// The request with only these attributes; `nil` keeps all.
  func request(_ names: Set<String>?, _ wording: Wording) -> SourceRequest {
    var path = path
    if let attribute = attributeInPath, let place = path.firstIndex(of: "attrs") {
      path[place + 1] = wording.name(attribute)
    }
    var request = SourceRequest(method: method, path: path, parameters: parameters, context: wording.source)
    request.namesAreIRIs = wording.usesIRIs
    guard let body else { return request }
    guard attributeInPath == nil else {
      request.body = wording.attribute(body)
      return request
    }
    request.body = wording.entity(names.map { body.keeping($0, context) } ?? body)
    return request
  }
}

extension JSON {
  /// An entity or fragment of one with these attributes only.
  func keeping(_ names: Set<String>, _ context: Context) -> JSON {
    guard case .object(let object) = self else { return self }
    var kept = JSONObject()
    for member in object.members {
      let isAttribute = !["id", "@id", "type", "@type", "scope", "expiresAt"].contains(member.key)
      if !isAttribute || names.contains(context.expand(member.key)) { kept[member.key] = member.value }
    }
    return .object(kept)
  }
}

/// What a write is to do where.
struct WritePlan: Sendable {
  struct Step: Sendable {
    var registration: Registration
    /// Names that go there; `nil` for all of the entity.
    var attributes: Set<String>?
    /// Whether the source can do it. A proxied source that cannot is a conflict, another is passed over.
    var isOffered: Bool
  }

  var steps: [Step] = []
  /// Names that are left for the hub; `nil` for all of the entity.
  var local: Set<String>?
  /// Whether anything is left for the hub.
  var staysLocal = true

  /// Exclusive sources first, then redirects, then inclusive ones beside the hub (clause 5.6.1.4).
  init(_ matches: [SourceMatch], _ operation: OperationName, id: String, types: [String]?, _ attributes: Set<String>?) {
    local = attributes
    for mode in [Registration.Mode.exclusive, .redirect] {
      var taken: Set<String> = []
      var takesAll = false
      for match in matches where match.registration.mode == mode {
        guard let step = step(match, operation, id, types) else { continue }
        steps.append(step)
        if let names = step.attributes { taken.formUnion(names) }
        // Where no names are registered, nothing of the entity is the hub's.
        if match.names(of: id, types: types)?.isEmpty == true { takesAll = true }
      }
      if takesAll {
        (local, staysLocal) = ([], false)
      } else if !taken.isEmpty {
        local?.subtract(taken)
        if local?.isEmpty == true { staysLocal = false }
      }
    }
    for match in matches where match.registration.mode == .inclusive && staysLocal {
      if let step = step(match, operation, id, types), step.isOffered { steps.append(step) }
    }
  }

  /// What of the rest goes to a source; `nil` for nothing.
  private func step(_ match: SourceMatch, _ operation: OperationName, _ id: String, _ types: [String]?) -> Step? {
    guard staysLocal, let names = match.names(of: id, types: types) else { return nil }
    let isOffered = match.registration.offers(operation)
    guard let rest = local else { return Step(registration: match.registration, attributes: nil, isOffered: isOffered) }
    let part = names.isEmpty ? rest : rest.intersection(names)
    // An entity without attributes goes where whole entities are registered.
    guard !part.isEmpty || (names.isEmpty && rest.isEmpty) else { return nil }
    return Step(registration: match.registration, attributes: part, isOffered: isOffered)
  }
}

/// What became of a write, source by source.
public struct WriteOutcome: Sendable {
  public struct Failure: Sendable {
    public var problem: Problem
    /// `nil` for the hub itself.
    public var registration: String?

    public init(problem: Problem, registration: String?) {
      self.problem = problem
      self.registration = registration
    }
  }

  public var failures: [Failure] = []
  /// Whether some source, or the hub, did its part.
  public var hasSuccess = false
  /// Whether a source has made something new.
  public var hasCreated = false

  public init() {}

  /// The one problem to answer with; `nil` when several are to be told, or some part was done (clause 6.3.17).
  public var problem: Problem? {
    guard !hasSuccess, let first = failures.first else { return nil }
    let isNowhere = failures.allSatisfy { $0.problem.kind == .resourceNotFound }
    return failures.count == 1 || isNowhere ? first.problem : nil
  }
}
