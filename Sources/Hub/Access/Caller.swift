import NGSI

/// Who asks something of the hub, and what for. Bound with ``current`` around a call; where nobody is bound, nobody asks.
public struct Caller: Sendable, Hashable {
  public enum Kind: String, Sendable, Hashable {
    case person = "Person"
    /// A program with an account of its own.
    case client = "Client"
    case device = "Device"
    /// An adapter of the manifest, which fetches or listens for the city.
    case adapter = "Adapter"
    /// The city itself: what it does to keep its own promises is not asked about.
    case city = "City"
    case nobody = "Nobody"
  }

  /// What is proved of it: one reference, as a caller is passed on many times for each request.
  private var who: Who

  /// A code out of the city's purposes, as the caller states it.
  public var purpose: String?
  /// Where it asks from: an address.
  public var source: String?
  /// In its own words, why.
  public var reason: String?
  /// The grant by which others have approved what it is about to do.
  public var approval: String?

  private struct Identity: Hashable {
    var kind: Kind
    var id: String
    var roles: [String] = []
    var agency: String?
    var tenants: [String] = []
    var scopes: [String]?
    var methods: [String] = []
    var produces: [String] = []
  }

  private final class Who: Sendable, Hashable {
    let identity: Identity

    init(_ identity: Identity) { self.identity = identity }

    static func == (left: Who, right: Who) -> Bool { left === right || left.identity == right.identity }

    func hash(into hasher: inout Hasher) { hasher.combine(identity) }
  }

  /// Whether all of it is the same byte for byte: names that only look alike are of others.
  public func isExactly(_ other: Caller) -> Bool {
    func same(_ left: String?, _ right: String?) -> Bool {
      guard let left, let right else { return left == nil && right == nil }
      return left.hasSameBytes(as: right)
    }
    func same(_ left: [String]?, _ right: [String]?) -> Bool {
      guard let left, let right else { return left == nil && right == nil }
      return left.count == right.count && zip(left, right).allSatisfy { $0.hasSameBytes(as: $1) }
    }
    guard same(purpose, other.purpose), same(source, other.source), same(reason, other.reason),
      same(approval, other.approval)
    else { return false }
    if who === other.who { return true }
    let (mine, theirs) = (who.identity, other.who.identity)
    return mine.kind == theirs.kind && same(mine.id, theirs.id) && same(mine.roles, theirs.roles)
      && same(mine.agency, theirs.agency) && same(mine.tenants, theirs.tenants) && same(mine.scopes, theirs.scopes)
      && same(mine.methods, theirs.methods) && same(mine.produces, theirs.produces)
  }

  public init(_ kind: Kind, id: String) { who = Who(Identity(kind: kind, id: id)) }

  private mutating func change(_ body: (inout Identity) -> Void) {
    var identity = who.identity
    body(&identity)
    who = Who(identity)
  }

  public var kind: Kind { who.identity.kind }
  /// Account, client or device; unique within its kind.
  public var id: String { who.identity.id }
  /// Names of its roles.
  public var roles: [String] {
    get { who.identity.roles }
    set { change { $0.roles = newValue } }
  }
  /// The agency it acts for.
  public var agency: String? {
    get { who.identity.agency }
    set { change { $0.agency = newValue } }
  }
  /// The only tenants that it may reach; any where none are said.
  public var tenants: [String] {
    get { who.identity.tenants }
    set { change { $0.tenants = newValue } }
  }
  /// What it was given leave for, where that is less than what its roles may; `nil` for all of it.
  public var scopes: [String]? {
    get { who.identity.scopes }
    set { change { $0.scopes = newValue } }
  }
  /// How it proved who it is (RFC 8176): `pwd`, `otp`, `mfa` …
  public var methods: [String] {
    get { who.identity.methods }
    set { change { $0.methods = newValue } }
  }

  /// Expanded types of the entities that an adapter makes by the manifest.
  public var produces: [String] {
    get { who.identity.produces }
    set { change { $0.produces = newValue } }
  }

  public static let nobody = Caller(.nobody, id: "")
  public static let city = Caller(.city, id: "")
  /// The operations centre, on whose behalf its pages read.
  public static let console = Caller(.client, id: "console")

  @TaskLocal public static var current = Caller.nobody
}

/// What is asked of the hub.
public enum HubAction: String, Sendable, Hashable, CaseIterable {
  /// Entities and their histories, now and later by subscription.
  case read
  case create
  case update
  case delete
  /// To open the pages of the operations centre, which show what the client `console` may read.
  case watch
  /// To keep, change and see subscriptions.
  case subscribe
  /// To keep, change and see registrations of context sources.
  case register
  /// To read and to change what other hubs have, by registrations, on the caller's behalf; other rules are not asked about
  /// it. Who may not read everything here is never shown it.
  case federate
  /// Contexts, data models, datasets, snapshots: what is set for all.
  case configure
  /// Dead letters, refused input, the hub's own state.
  case administer
  /// To ask for a grant on something.
  case request
  /// To take a grant without being asked, where there is no time; others review it.
  case breakGlass = "break-glass"
  /// To decide and to end grants that others ask for.
  case approve
  /// To judge grants that others took.
  case review

  /// Whether entities are changed by it.
  public var isWrite: Bool { self == .create || self == .update || self == .delete }
}

extension Caller {
  /// What the store keeps of who made something.
  var stored: JSON {
    var object = JSONObject()
    object["kind"] = .string(kind.rawValue)
    object["id"] = .string(id)
    object["roles"] = .array(roles.map { .string($0) })
    object["agency"] = agency.map { .string($0) }
    object["tenants"] = .array(tenants.map { .string($0) })
    object["scopes"] = scopes.map { .array($0.map { .string($0) }) }
    object["methods"] = .array(methods.map { .string($0) })
    object["purpose"] = purpose.map { .string($0) }
    object["source"] = source.map { .string($0) }
    object["reason"] = reason.map { .string($0) }
    return .object(object)
  }

  init?(stored: JSON) {
    guard let kind = stored["kind"]?.string.flatMap(Kind.init(rawValue:)), let id = stored["id"]?.string else {
      return nil
    }
    self.init(kind, id: id)
    roles = (stored["roles"]?.items ?? []).compactMap(\.string)
    agency = stored["agency"]?.string
    tenants = (stored["tenants"]?.items ?? []).compactMap(\.string)
    scopes = stored["scopes"]?.array.map { $0.compactMap(\.string) }
    methods = (stored["methods"]?.items ?? []).compactMap(\.string)
    purpose = stored["purpose"]?.string
    source = stored["source"]?.string
    reason = stored["reason"]?.string
  }
}
