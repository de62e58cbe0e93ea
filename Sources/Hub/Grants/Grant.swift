import NGSI
import Store

/// Leave to do what one otherwise may not: for a purpose, on a legal basis, for some things, until its reason ends.
///
/// It is asked for, approved by others, and lasts for a time; or it is taken at once where life is at stake (*break-glass*)
/// and judged afterwards. Each step stands in the evidence log.
public struct Grant: Sendable, Hashable {
  /// Who did something about a grant.
  public struct Party: Sendable, Hashable {
    public var kind: Caller.Kind
    public var id: String
    public var agency: String?

    init(_ caller: Caller) { (kind, id, agency) = (caller.kind, caller.id, caller.agency) }

    func isSame(as other: Party) -> Bool { kind == other.kind && id == other.id }
  }

  /// Who may use it.
  public enum Grantee: Sendable, Hashable {
    case party(Caller.Kind, id: String)
    /// Everyone of an agency.
    case agency(String)
    /// Everyone with a role.
    case role(String)

    func includes(_ caller: Caller) -> Bool {
      switch self {
      case .party(let kind, let id): caller.kind == kind && caller.id == id
      case .agency(let name): caller.agency == name
      case .role(let name): caller.roles.contains(name)
      }
    }
  }

  /// Which entities: all parts that are said must hold.
  public struct Thing: Sendable, Hashable {
    public var id: String?
    /// Expanded.
    public var type: String?
    public var scope: String?

    /// An entity of which no more is known than this.
    var entity: Entity {
      Entity(id: id ?? "", types: type.map { [$0] } ?? [], scopes: scope.map { [$0] } ?? [])
    }
  }

  /// One change that is to be made once.
  public struct Command: Sendable, Hashable {
    public var entityId: String
    public var attributes: [AttributeSet]
    /// As it was asked for.
    public internal(set) var document: JSON
  }

  public enum What: Sendable, Hashable {
    /// Actions on things; of these attributes only, expanded, where any are said.
    case access([HubAction], [Thing], attributes: [String])
    case command(Command)

    var things: [Thing] {
      switch self {
      case .access(_, let things, _): things
      case .command(let command): [Thing(id: command.entityId)]
      }
    }
  }

  /// A span of time in which something was recorded.
  public struct Recorded: Sendable, Hashable {
    public var from: DateTime
    public var to: DateTime

    public init(from: DateTime, to: DateTime) { (self.from, self.to) = (from, to) }
  }

  public enum State: String, Sendable, Hashable {
    case requested, refused, approved, revoked, used
  }

  /// What was done about it.
  public struct Step: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable {
      case request
      case breakGlass = "break-glass"
      case approve, refuse, revoke, review, use
    }

    public var kind: Kind
    public var by: Party
    public var at: DateTime
    /// In their words.
    public var note: String?
    /// Of a review: whether it was right to break the glass.
    public var isJustified: Bool?
    /// Where it stands in the evidence log.
    public var entry: UInt64?
  }

  public let id: String
  public let tenant: Tenant
  public var grantee: Grantee
  /// A code out of the city's purposes.
  public var purpose: String
  /// The entity whose end ends the grant.
  public var incident: String?
  public var legalBasis: String
  public var what: What
  public var from: DateTime
  public var to: DateTime
  /// When what may be seen was recorded; the grant's own time where nothing is said.
  public var recorded: Recorded?
  public var state: State
  public var steps: [Step]

  public var isBreakGlass: Bool { steps.first?.kind == .breakGlass }
  public var approvals: [Step] { steps.filter { $0.kind == .approve } }
  public var review: Step? { steps.last { $0.kind == .review } }
  var requester: Party? { steps.first?.by }

  /// Whether it waits to be decided, or gives something.
  func isOpen(at time: DateTime) -> Bool { (state == .requested || state == .approved) && time < to }

  /// Whether it gives anything, now or later.
  func isLive(at time: DateTime) -> Bool { state == .approved && time < to }

  /// What a person is told of its state: an approved one may not have begun, or be over.
  public func status(at time: DateTime) -> String {
    switch state {
    case .approved: time >= to ? "ended" : time < from ? "approved" : "active"
    case .requested: time >= to ? "lapsed" : "requested"
    default: state.rawValue
    }
  }
}

// MARK: - As a document

extension Grant {
  /// What clients see: with short names, and its state as of now.
  public func shown(at time: DateTime) -> JSONObject {
    var object = document { Context.core.compact($0) }
    object["state"] = .string(status(at: time))
    if isBreakGlass { object["reviewed"] = .bool(review != nil) }
    return object
  }

  /// What the store keeps.
  func document(_ name: (String) -> String = { $0 }) -> JSONObject {
    var object = JSONObject()
    object["id"] = .string(id)
    object["grantee"] =
      switch grantee {
      case .party(let kind, let id): ["kind": .string(kind.rawValue), "id": .string(id)]
      case .agency(let name): ["agency": .string(name)]
      case .role(let name): ["role": .string(name)]
      }
    object["purpose"] = .string(purpose)
    object["incident"] = incident.map { .string($0) }
    object["legalBasis"] = .string(legalBasis)
    switch what {
    case .access(let actions, let things, let attributes):
      object["actions"] = .array(actions.map { .string($0.rawValue) })
      object["things"] = .array(
        things.map { thing in
          var part = JSONObject()
          part["id"] = thing.id.map { .string($0) }
          part["type"] = thing.type.map { .string(name($0)) }
          part["scope"] = thing.scope.map { .string($0) }
          return .object(part)
        })
      if !attributes.isEmpty { object["attributes"] = .array(attributes.map { .string(name($0)) }) }
    case .command(let command): object["command"] = command.document
    }
    object["from"] = .string(from.description)
    object["to"] = .string(to.description)
    object["recorded"] = recorded.map {
      ["from": .string($0.from.description), "to": .string($0.to.description)]
    }
    object["state"] = .string(state.rawValue)
    object["steps"] = .array(steps.map(\.json))
    return object
  }

  /// - Throws: why what was kept cannot be read.
  init(stored: StoredDocument, in tenant: Tenant) throws(Problem) {
    let body = stored.body
    func time(_ name: String) -> DateTime? { body[name]?.string.flatMap { DateTime($0) } }
    guard let from = time("from"), let to = time("to"),
      let state = body["state"]?.string.flatMap(State.init(rawValue:)),
      let grantee = body["grantee"].flatMap(Grantee.init(json:))
    else { throw Problem(.internalError, "the stored grant \(stored.id) cannot be read") }
    id = stored.id
    self.tenant = tenant
    (self.from, self.to, self.state, self.grantee) = (from, to, state, grantee)
    if let span = body["recorded"], let begin = span["from"]?.string.flatMap({ DateTime($0) }),
      let end = span["to"]?.string.flatMap({ DateTime($0) })
    {
      recorded = Recorded(from: begin, to: end)
    }
    purpose = body["purpose"]?.string ?? ""
    incident = body["incident"]?.string
    legalBasis = body["legalBasis"]?.string ?? ""
    if let command = body["command"] {
      what = .command(try Command(command))
    } else {
      what = .access(
        (body["actions"]?.items ?? []).compactMap { $0.string.flatMap(HubAction.init(rawValue:)) },
        (body["things"]?.items ?? []).map {
          Thing(id: $0["id"]?.string, type: $0["type"]?.string, scope: $0["scope"]?.string)
        }, attributes: (body["attributes"]?.items ?? []).compactMap(\.string))
    }
    steps = (body["steps"]?.items ?? []).compactMap(Step.init(json:))
  }
}

extension Grant.Grantee {
  /// `{"kind", "id"}`, `{"agency"}` or `{"role"}`.
  init?(json: JSON) {
    if let agency = json["agency"]?.string, !agency.isEmpty {
      self = .agency(agency)
    } else if let role = json["role"]?.string, !role.isEmpty {
      self = .role(role)
    } else if let id = json["id"]?.string, !id.isEmpty,
      let kind = Caller.Kind(rawValue: json["kind"]?.string ?? Caller.Kind.person.rawValue),
      [.person, .client, .device].contains(kind)
    {
      self = .party(kind, id: id)
    } else {
      return nil
    }
  }
}

extension Grant.Step {
  fileprivate var json: JSON {
    var object = JSONObject()
    object["step"] = .string(kind.rawValue)
    object["by"] = .object(by.json)
    object["at"] = .string(at.description)
    object["note"] = note.map { .string($0) }
    object["justified"] = isJustified.map { .bool($0) }
    object["entry"] = entry.map { .integer(Int64(clamping: $0)) }
    return .object(object)
  }

  fileprivate init?(json: JSON) {
    guard let kind = json["step"]?.string.flatMap(Kind.init(rawValue:)), let by = json["by"].flatMap(Grant.Party.init),
      let at = json["at"]?.string.flatMap({ DateTime($0) })
    else { return nil }
    self.init(
      kind: kind, by: by, at: at, note: json["note"]?.string, isJustified: json["justified"]?.bool,
      entry: json["entry"]?.integer.flatMap { UInt64(exactly: $0) })
  }
}

extension Grant.Party {
  fileprivate var json: JSONObject {
    var object = JSONObject()
    object["kind"] = .string(kind.rawValue)
    object["id"] = .string(id)
    object["agency"] = agency.map { .string($0) }
    return object
  }

  fileprivate init?(json: JSON) {
    guard let kind = json["kind"]?.string.flatMap(Caller.Kind.init(rawValue:)), let id = json["id"]?.string else {
      return nil
    }
    (self.kind, self.id, agency) = (kind, id, json["agency"]?.string)
  }
}

extension Grant.Command {
  /// `{"entity": id, "attributes": {…}}`, the attributes in NGSI-LD.
  init(_ document: JSON) throws(Problem) {
    guard let id = document["entity"]?.string, IRI.isAbsolute(id),
      case .object(let attributes)? = document["attributes"], !attributes.isEmpty
    else { throw .badRequest("'command' needs 'entity', a URI, and 'attributes' as NGSI-LD writes them") }
    let fragment = try EntityReader(context: .core).entity(.object(attributes))
    try fragment.requireSoundGeometries()
    var sets: [AttributeSet] = []
    for set in fragment.attributes { sets.append(try set.attributeSet()) }
    guard !sets.isEmpty, fragment.types == nil, fragment.id == nil else {
      throw .badRequest("'command' changes attributes only, and needs one")
    }
    (entityId, self.attributes, self.document) = (id, sets, document)
  }

  /// Whether a change does nothing beyond this.
  func covers(_ update: EntityUpdate) -> Bool {
    guard update.entity.id == entityId, update.before != nil, update.entity.deletedAt == nil,
      update.addedTypes.isEmpty, update.removedTypes.isEmpty, !update.scopesChanged, !update.expiresAtChanged
    else { return false }
    return update.changes.allSatisfy { change in
      guard let new = change.new else { return false }
      let asked = attributes.first { $0.name == change.name }?.instances.first { $0.datasetId == new.datasetId }
      return asked?.hasSameContent(as: new) ?? false
    }
  }
}
