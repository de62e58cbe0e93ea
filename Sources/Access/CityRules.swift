import Cedar
import Hub
import NGSI
import Query
import Store
import Synchronization

/// The city's rules of access (Cedar), as the hub asks them.
///
/// A rule with the annotation `@evidence("access")` wants what it permits recorded: what it permits to read is given only
/// where the record can be kept, and after it is kept.
public final class CityRules: AccessRules {
  /// Writes the record of disclosures, in a transaction of the store; gives where each stands in the evidence log.
  public typealias Recorder = @Sendable ([Disclosure], any StoreWriter) throws -> [UInt64]
  /// Throws a sentence when an entry of the evidence log is not proved yet.
  public typealias Prover = @Sendable (UInt64) throws(Problem) -> Void

  private struct State {
    /// The rules themselves.
    var base: PolicySet
    /// With those that grants make.
    var policies: PolicySet
    var notes: RuleNotes
    /// Whether a rule names a place.
    var asksPlaces: Bool

    init(_ base: PolicySet, _ grants: [Grant] = [], made: [Policy] = []) {
      self.base = base
      policies = made.isEmpty ? base : PolicySet(base.policies + made)
      notes = RuleNotes(policies, grants)
      asksPlaces = base.policies.contains { $0.names(type: "Place") }
    }
    /// Rules that concern a requester and an action.
    var narrowed: [NarrowedKey: Narrowed] = [:]
  }

  private struct NarrowedKey: Hashable {
    var principal: EntityUID
    var roles: [String]
    var agency: String?
    var tenants: [String]
    var action: HubAction
  }

  /// Requesters whose rules are remembered.
  private static let mostNarrowed = 10_000

  private let state: Mutex<State>
  private let granted = Mutex<Granted>(Granted())

  /// What is granted, and the rules that it makes: what a grant gives does not change while it lives.
  private struct Granted {
    var grants: [Grant] = []
    var rules: [String: [Policy]] = [:]

    mutating func admit(_ new: [Grant]) {
      let known = rules
      grants = new
      rules = Dictionary(new.map { ($0.id, known[$0.id] ?? GrantRules.policies(of: $0)) }) { first, _ in first }
    }

    var made: [Policy] { grants.flatMap { rules[$0.id] ?? [] } }
  }
  private let now: @Sendable () -> DateTime
  private let recorder: Recorder
  private let present: @Sendable (Caller) -> Caller?
  private let prover: Prover
  private let places: [Place]
  /// What stands in the manifest; further rules come after it.
  private let standingText: String

  /// - Parameters:
  ///   - text: rules in Cedar's language.
  ///   - standing: gives who once made something as he stands today; `nil` when he is no more.
  ///   - places: parts of the city that the rules may name.
  ///   - prover: says whether enough witnesses have seen an entry of the evidence log.
  ///   - recorder: keeps what rules want recorded.
  public init(
    _ text: String, places: [Place] = [], now: @escaping @Sendable () -> DateTime,
    standing: @escaping @Sendable (Caller) -> Caller? = { $0 },
    prover: @escaping Prover = { _ throws(Problem) in throw Problem(.conflict, "there are no witnesses") },
    recorder: @escaping Recorder
  ) throws(PolicySyntaxError) {
    self.prover = prover
    self.places = places
    standingText = text
    present = standing
    state = Mutex(State(try PolicySet(parsing: text)))
    self.now = now
    self.recorder = recorder
  }

  /// Puts other rules in place of all.
  public func replace(_ text: String) throws(PolicySyntaxError) {
    let policies = try PolicySet(parsing: text)
    let granted = granted.withLock { $0 }
    state.withLock { $0 = State(policies, granted.grants, made: granted.made) }
  }

  public func check(added text: String, by caller: Caller) throws(Problem) {
    let policies: PolicySet
    do throws(PolicySyntaxError) {
      // Read alone first, so that places in the text are told as they stand in it.
      _ = try PolicySet(parsing: text)
      policies = try PolicySet(parsing: standingText + "\n" + text)
    } catch { throw .badRequest("line \(error.line), column \(error.column): \(error.problem)") }
    guard caller.kind != .city else { return }
    let directory = Directory(
      Directory.Principal(caller), resource: Directory.uid(of: Tenant.default),
      PolicyEntity(attributes: ["name": .string("")]))
    let decision = policies.decide(
      AccessRequest(
        principal: directory.principal, action: Self.uid(of: .administer), resource: directory.resource,
        context: Directory.context(of: caller, at: now())), directory)
    guard decision.isAllowed else {
      throw Problem(
        .conflict, "with these rules you could not change them again: you would no longer administer the city")
    }
  }

  public func use(added text: String) throws(Problem) {
    do throws(PolicySyntaxError) { try replace(standingText + "\n" + text) } catch {
      throw Problem(.internalError, "the rules that were kept cannot be read: line \(error.line): \(error.problem)")
    }
  }

  public func admit(_ grants: [Grant]) {
    let granted = granted.withLock { granted in
      granted.admit(grants)
      return granted
    }
    state.withLock { $0 = State($0.base, granted.grants, made: granted.made) }
  }

  public func record(_ disclosures: [Disclosure], _ writer: any StoreWriter) throws -> [UInt64] {
    try recorder(disclosures, writer)
  }

  public func requireProof(of entry: UInt64) throws(Problem) { try prover(entry) }

  public func standing(of owner: Caller) -> Caller? { present(owner) }

  // MARK: Deciding

  /// Rules that may say something to a requester's action, and what they look at.
  struct Narrowed: Sendable {
    var principal: Directory.Principal
    var action: EntityUID
    var policies: PolicySet
    /// Those that rules name.
    var places: [Place]
    /// Without those that an approval lifts; `nil` where there are none.
    var approved: PolicySet?
    var notes: RuleNotes
    var sight: ResourceSight
    var asksAttributes: Bool
    var permitsAnything: Bool
    /// Whether a rule forbids some resources and not others.
    var forbidsSomething: Bool
    /// Whether something that is permitted is to be recorded.
    var isWatched: Bool
    /// Rules that forbid whatever the resource is.
    var blindForbids: [Policy]
  }

  private func narrowed(_ caller: Caller, _ action: HubAction) -> Narrowed {
    let key = NarrowedKey(
      principal: Directory.uid(of: caller), roles: caller.roles, agency: caller.agency, tenants: caller.tenants,
      action: action)
    return state.withLock { state in
      if let known = state.narrowed[key] { return known }
      let principal = Directory.Principal(caller)
      let directory = Directory(principal, resource: EntityUID("", ""), PolicyEntity())
      let policies = state.policies.narrowed(to: directory.principal, Self.uid(of: action), directory)
      let lifted = policies.policies.filter { state.notes.approvals[$0.id] == nil }
      let narrowed = Narrowed(
        principal: principal, action: Self.uid(of: action), policies: policies, places: state.asksPlaces ? places : [],
        approved: lifted.count < policies.policies.count ? PolicySet(lifted) : nil,
        notes: state.notes,
        sight: policies.policies.map(\.sight).max() ?? .nothing,
        asksAttributes: policies.policies.contains { $0.asksContext(for: "attribute") },
        permitsAnything: policies.policies.contains { $0.effect == .permit },
        forbidsSomething: policies.policies.contains {
          $0.effect == .forbid && (!$0.isBlind || state.notes.approvals[$0.id] != nil)
        },
        isWatched: policies.policies.contains { $0.effect == .permit && state.notes.evidence[$0.id] != nil },
        blindForbids: lifted.filter { $0.effect == .forbid && $0.isBlind })
      if state.narrowed.count >= Self.mostNarrowed { state.narrowed.removeAll() }
      state.narrowed[key] = narrowed
      return narrowed
    }
  }

  fileprivate static func uid(of action: HubAction) -> EntityUID { EntityUID("Action", ExactText(action.rawValue)) }

  public func outlook(_ action: HubAction, by caller: Caller, in tenant: Tenant) -> AccessVerdict {
    let narrowed = narrowed(caller, action)
    let forbids = narrowed.forbidsEverything(caller, action, now())
    return AccessVerdict(isAllowed: narrowed.permitsAnything && forbids.isEmpty, reasons: forbids)
  }

  public func decide(_ action: HubAction, by caller: Caller, in tenant: Tenant) -> AccessVerdict {
    let narrowed = narrowed(caller, action)
    let directory = Directory(
      narrowed.principal, resource: Directory.uid(of: tenant),
      PolicyEntity(attributes: ["name": .string(ExactText(tenant.name))]))
    return narrowed.verdict(directory, action, Directory.context(of: caller, at: now()))
  }

  public func decide(
    _ action: HubAction, before: Entity?, after: Entity?, attributes: [String], by caller: Caller, in tenant: Tenant
  ) -> AccessVerdict {
    let narrowed = narrowed(caller, action)
    var context = Directory.context(of: caller, at: now())
    var last = AccessVerdict(isAllowed: false, reasons: [])
    // A change must be permitted of what the entity is and of what it becomes: nothing is moved out of sight, or in.
    for entity in [before, after].compactMap({ $0 }) {
      let directory = Directory(
        narrowed.principal, resource: Directory.uid(of: entity), narrowed.policyEntity(entity, in: tenant))
      context["attribute"] = nil
      let verdict = narrowed.verdict(directory, action, context)
      guard verdict.isAllowed else { return verdict }
      last = verdict.joined(with: last)
      guard narrowed.asksAttributes else { continue }
      for name in attributes {
        context["attribute"] = .string(ExactText(Directory.short(name)))
        let verdict = narrowed.verdict(directory, action, context)
        guard verdict.isAllowed else { return verdict }
        last = last.joined(with: verdict)
      }
    }
    return last
  }

  // MARK: Seeing

  public func visibility(for caller: Caller, in tenant: Tenant) -> EntityVisibility? {
    let narrowed = narrowed(caller, .read)
    let time = now()
    guard narrowed.permitsAnything, narrowed.forbidsEverything(caller, .read, time).isEmpty else { return .nothing }
    if !narrowed.forbidsSomething, !narrowed.asksAttributes, !narrowed.isWatched,
      narrowed.permitsEverything(caller, time)
    {
      return nil
    }
    let sight = Sight(narrowed, caller, tenant, time)
    return EntityVisibility {
      sight.part(of: $0, asking: $1)
    } give: {
      sight.give($0)
    }
  }

  /// What one caller sees in one request.
  private final class Sight: Sendable {
    private let narrowed: Narrowed
    private let caller: Caller
    private let tenant: Tenant
    private let context: [ExactText: Value]
    private let attributeContexts = Mutex<[String: [ExactText: Value]]>([:])
    /// What was decided of entities in the same groups, where nothing else is looked at.
    private let known = Mutex<[[EntityUID]: AccessVerdict]>([:])
    /// Ids of entities whose part that may be seen is to be recorded when it is given, and as what.
    private let watched = Mutex<[String: (kind: String, purpose: String?)]>([:])
    private let time: DateTime

    init(_ narrowed: Narrowed, _ caller: Caller, _ tenant: Tenant, _ time: DateTime) {
      self.narrowed = narrowed
      self.caller = caller
      self.tenant = tenant
      self.time = time
      context = Directory.context(of: caller, at: time)
    }

    private func verdict(_ entity: Entity) -> AccessVerdict {
      guard narrowed.sight < .content else { return decide(entity) }
      let groups = narrowed.groups(of: entity, in: tenant)
      if let verdict = known.withLock({ $0[groups] }) { return verdict }
      let verdict = decide(entity)
      known.withLock { $0[groups] = verdict }
      return verdict
    }

    private func directory(_ entity: Entity) -> Directory {
      Directory(narrowed.principal, resource: Directory.uid(of: entity), narrowed.policyEntity(entity, in: tenant))
    }

    private func decide(_ entity: Entity) -> AccessVerdict { narrowed.verdict(directory(entity), .read, context) }

    func part(of entity: Entity, asking names: [String]) -> EntityVisibility.Part? {
      let verdict = verdict(entity)
      guard verdict.isAllowed, verdict.evidence == nil || AccessNotes.current != nil else { return nil }
      var (kind, purpose) = (verdict.evidence, verdict.purpose)
      var shown: Set<String>?
      if narrowed.asksAttributes {
        let directory = directory(entity)
        shown = Set(
          names.filter { name in
            let verdict = narrowed.verdict(directory, .read, context(asking: name))
            guard verdict.isAllowed, verdict.evidence == nil || AccessNotes.current != nil else { return false }
            (kind, purpose) = (kind ?? verdict.evidence, purpose ?? verdict.purpose)
            return true
          })
      }
      if let kind { watched.withLock { [purpose] in $0[entity.id] = (kind, purpose) } }
      return shown.map { .attributes($0) } ?? .whole
    }

    private func context(asking attribute: String) -> [ExactText: Value] {
      attributeContexts.withLock { contexts in
        if let known = contexts[attribute] { return known }
        let made = Directory.context(of: caller, at: time, attribute: attribute)
        contexts[attribute] = made
        return made
      }
    }

    func give(_ entity: Entity) -> Bool {
      guard let (kind, purpose) = watched.withLock({ $0[entity.id] }) else { return true }
      return AccessNotes.current?.note(
        Disclosure(
          caller: caller, action: .read, tenant: tenant, entityId: entity.id, entity: entity, kind: kind,
          purpose: purpose)) ?? false
    }
  }
}

extension CityRules.Narrowed {
  func verdict(_ directory: Directory, _ action: HubAction, _ context: [ExactText: Value]) -> AccessVerdict {
    let request = AccessRequest(
      principal: directory.principal, action: self.action, resource: directory.resource, context: context)
    var decision = policies.decide(request, directory)
    var approvals = 0
    // What is forbidden only until others approve it is decided without that, and needs them.
    if let approved, !decision.isAllowed, action.isWrite, !decision.reasons.isEmpty {
      let needed = decision.reasons.map { notes.approvals[$0] }
      let lifted = needed.contains(nil) ? nil : approved.decide(request, directory)
      if let lifted, lifted.isAllowed { (decision, approvals) = (lifted, needed.compactMap { $0 }.max() ?? 0) }
    }
    guard decision.isAllowed else { return AccessVerdict(isAllowed: false, reasons: decision.reasons) }
    // A grant is what permits only where nothing else does.
    let standing = decision.reasons.filter { notes.purposes[$0] == nil }
    let deciding = standing.isEmpty ? decision.reasons : standing
    return AccessVerdict(
      isAllowed: true, reasons: decision.reasons, evidence: deciding.compactMap { notes.evidence[$0] }.first,
      purpose: deciding.compactMap { notes.purposes[$0] }.first, approvals: approvals)
  }

  /// What the rules may look at of an entity.
  func policyEntity(_ entity: Entity, in tenant: Tenant) -> PolicyEntity {
    PolicyEntity(
      attributes: sight == .content ? Directory.attributes(of: entity) : [:],
      parents: groups(of: entity, in: tenant))
  }

  /// The groups that an entity is in, places included.
  func groups(of entity: Entity, in tenant: Tenant) -> [EntityUID] {
    let groups = Directory.groups(of: entity, in: tenant)
    guard !places.isEmpty else { return groups }
    return groups + places.filter { $0.holds(entity) }.map { EntityUID("Place", ExactText($0.name)) }
  }

  /// Whether a rule permits to read whatever there is, unwatched.
  func permitsEverything(_ caller: Caller, _ time: DateTime) -> Bool {
    let blind = policies.policies.filter { $0.isBlind && $0.effect == .permit && notes.evidence[$0.id] == nil }
    return !apply(blind, caller, .read, time).isEmpty
  }

  /// The rules that forbid an action whatever it is about.
  func forbidsEverything(_ caller: Caller, _ action: HubAction, _ time: DateTime) -> [String] {
    apply(
      blindForbids.map { policy in
        var permit = policy
        permit.effect = .permit
        return permit
      }, caller, action, time)
  }

  /// Which of these rules, which look at no resource, permit.
  private func apply(_ blind: [Policy], _ caller: Caller, _ action: HubAction, _ time: DateTime) -> [String] {
    guard !blind.isEmpty else { return [] }
    let directory = Directory(principal, resource: EntityUID("", ""), PolicyEntity())
    return PolicySet(blind).decide(
      AccessRequest(
        principal: directory.principal, action: CityRules.uid(of: action), resource: directory.resource,
        context: Directory.context(of: caller, at: time)), directory
    ).reasons
  }
}

extension Policy {
  /// Whether it says the same of every resource and attribute.
  fileprivate var isBlind: Bool { sight == .nothing && !asksContext(for: "attribute") }
}
