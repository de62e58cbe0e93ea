public import NGSI

/// Exceptional access, as the reader of the page may see it and act on it; the hub's room implements it.
///
/// Everything is decided for ``CitySource/reader``, never for the console: the hub says what he sees, and what he may do.
public protocol GrantSource: Sendable {
  /// The same of another tenant; the empty name is the default one's. Whether the reader may reach it is decided there.
  func of(tenant: String) -> any GrantSource

  /// Names of the tenants that the reader may choose among.
  func tenants() async -> [String]

  /// What the reader may ask for.
  func offer() async throws(GrantRefusal) -> GrantOffer

  /// - Parameters:
  ///   - offset, limit: the window on those that are selected.
  func overview(_ selection: GrantFilter, offset: Int, limit: Int) async throws(GrantRefusal) -> GrantList

  func grant(_ id: String) async throws(GrantRefusal) -> GrantView

  /// - Returns: the id of the new grant.
  func request(_ wish: GrantWish) async throws(GrantRefusal) -> String

  func carryOut(_ step: GrantDeed, on id: String) async throws(GrantRefusal)
}

/// Who reads a page.
public struct Reader: Sendable, Hashable {
  public var name: String
  public var agency: String?
  /// What the reader's forms must carry (`csrf`); `nil` for who came with a token and has no session.
  public var csrf: String?
  /// Whether the reader may open the pages that show the city.
  public var mayWatch: Bool
  /// Whether the reader may do so unrecorded, and so be told of the city in passing.
  public var mayGlance: Bool

  public init(
    name: String, agency: String? = nil, csrf: String? = nil, mayWatch: Bool, mayGlance: Bool? = nil
  ) {
    self.name = name
    self.agency = agency
    self.csrf = csrf
    self.mayWatch = mayWatch
    self.mayGlance = mayGlance ?? mayWatch
  }
}

/// Why something was not done.
public struct GrantRefusal: Error, Sendable, Hashable {
  public enum Kind: Sendable, Hashable {
    /// A rule does not permit it.
    case forbidden
    /// What was asked for cannot be granted as it is.
    case invalid
    /// It has changed meanwhile, or what it needs is not there yet.
    case conflict
    /// There is none, or none that the reader may see.
    case unknown
    /// The reader has as many as one may have.
    case tooMany
    case failed
  }

  public var kind: Kind
  /// One sentence in English, for who runs the city.
  public var detail: String

  public init(_ kind: Kind, _ detail: String) {
    self.kind = kind
    self.detail = detail
  }
}

/// Which grants are listed.
public enum GrantFilter: Sendable, Hashable {
  case all, waiting, unreviewed
  case state(GrantView.State)
}

public struct GrantOffer: Sendable, Hashable {
  public var mayRequest: Bool
  public var mayBreakGlass: Bool
  /// Others who have to approve.
  public var approvals: Int
  /// Seconds: of a grant, of one that is taken, and until that has to be reviewed.
  public var longest: Double
  public var longestBreakGlass: Double
  public var review: Double
  /// Names of roles that the city's plan knows.
  public var roles: [String]

  public init(
    mayRequest: Bool, mayBreakGlass: Bool, approvals: Int, longest: Double, longestBreakGlass: Double, review: Double,
    roles: [String] = []
  ) {
    self.mayRequest = mayRequest
    self.mayBreakGlass = mayBreakGlass
    self.approvals = approvals
    self.longest = longest
    self.longestBreakGlass = longestBreakGlass
    self.review = review
    self.roles = roles
  }
}

public struct GrantList: Sendable {
  /// What waits for the reader, the most urgent first.
  public var waiting: [GrantView] = []
  public var counts: [GrantFilter: Int] = [:]
  public var page: [GrantView] = []
  /// How many are selected.
  public var selected = 0

  public init() {}
}

/// A grant as its reader meets it.
public struct GrantView: Sendable, Hashable {
  public enum State: String, Sendable, Hashable, CaseIterable {
    case requested, approved, active, ended, lapsed, refused, revoked, used
  }

  public enum Grantee: Sendable, Hashable {
    case somebody(String)
    case agency(String)
    case role(String)
  }

  /// Which entities; all parts that are said must hold.
  public struct Thing: Sendable, Hashable {
    public var id: String?
    /// Its short name.
    public var type: String?
    public var scope: String?

    public init(id: String? = nil, type: String? = nil, scope: String? = nil) {
      self.id = id
      self.type = type
      self.scope = scope
    }
  }

  public struct Step: Sendable, Hashable {
    /// `request`, `break-glass`, `approve`, `refuse`, `revoke`, `review`, `use`.
    public var kind: String
    public var by: String
    public var agency: String?
    public var at: DateTime
    public var note: String?
    public var isJustified: Bool?
    /// Its number in the evidence log.
    public var entry: UInt64?

    public init(
      kind: String, by: String, agency: String?, at: DateTime, note: String?, isJustified: Bool? = nil, entry: UInt64?
    ) {
      self.kind = kind
      self.by = by
      self.agency = agency
      self.at = at
      self.note = note
      self.isJustified = isJustified
      self.entry = entry
    }
  }

  /// What the reader may do about it.
  public enum Next: Sendable, Hashable { case decide, revoke, review }

  public var id: String
  public var state: State
  public var grantee: Grantee
  public var purpose: String
  public var legalBasis: String
  public var incident: String?
  /// `read`, `create`, `update`, `delete`; none for a command.
  public var actions: [String]
  public var things: [Thing]
  /// Short names; none for all.
  public var attributes: [String]
  /// The change to be made once, as JSON.
  public var command: JSON?
  public var from: DateTime
  public var to: DateTime
  public var isBreakGlass: Bool
  /// Of one that was taken and not reviewed yet: until when it is to be.
  public var reviewDue: DateTime?
  public var steps: [Step]
  public var approvalsNeeded: Int
  public var next: Set<Next>

  public init(
    id: String, state: State, grantee: Grantee, purpose: String, legalBasis: String, incident: String? = nil,
    actions: [String], things: [Thing], attributes: [String] = [], command: JSON? = nil, from: DateTime, to: DateTime,
    isBreakGlass: Bool = false, reviewDue: DateTime? = nil, steps: [Step], approvalsNeeded: Int = 1,
    next: Set<Next> = []
  ) {
    self.id = id
    self.state = state
    self.grantee = grantee
    self.purpose = purpose
    self.legalBasis = legalBasis
    self.incident = incident
    self.actions = actions
    self.things = things
    self.attributes = attributes
    self.command = command
    self.from = from
    self.to = to
    self.isBreakGlass = isBreakGlass
    self.reviewDue = reviewDue
    self.steps = steps
    self.approvalsNeeded = approvalsNeeded
    self.next = next
  }

  var waits: Bool { next.contains(.decide) || next.contains(.review) }
}

/// What a reader asks for, or takes.
public struct GrantWish: Sendable, Hashable {
  public enum Grantee: Sendable, Hashable {
    case oneself
    case agency(String)
    case role(String)
  }

  public var isBreakGlass: Bool
  public var purpose: String
  public var legalBasis: String
  public var reason: String
  public var incident: String?
  public var grantee: Grantee
  public var actions: [String]
  public var things: [GrantView.Thing]
  public var attributes: [String]
  /// The one change that is asked for in place of things, as JSON.
  public var command: JSON?
  /// `nil` for now.
  public var from: DateTime?
  public var to: DateTime
}

/// What a reader does about a grant.
public enum GrantDeed: Sendable, Hashable {
  case approve(note: String?)
  case refuse(note: String?)
  case revoke(note: String?)
  case review(isJustified: Bool, note: String)
}

extension CitySource {
  /// None, where access is open: everybody may do everything, and there is nothing to grant.
  public var grants: (any GrantSource)? { nil }
  public var reader: Reader? { nil }
}
