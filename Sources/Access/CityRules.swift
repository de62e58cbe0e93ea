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
    /// Whether a rule looks at what callers state, or at where they ask from.
    let asksPurpose: Bool
    let asksSource: Bool
    let asksReason: Bool
    var concerns: [ConcernKey: Concern] = [:]
    var room = Room(CityRules.mostRemembered)

    init(_ base: PolicySet, _ grants: [Grant] = [], made: [Policy] = []) {
      self.base = base
      policies = made.isEmpty ? base : PolicySet(base.policies + made)
      notes = RuleNotes(policies, grants)
      let policies = policies.policies
      asksPurpose = policies.contains { $0.asksContext(for: "purpose") }
      asksSource = policies.contains { $0.asksContext(for: "source") }
      asksReason = policies.contains { $0.asksContext(for: "reason") }
    }
  }

  private struct ConcernKey: Hashable {
    /// As far as rules look at him.
    var caller: Caller
    var action: HubAction

    static func == (left: ConcernKey, right: ConcernKey) -> Bool {
      left.action == right.action && left.caller.isExactly(right.caller)
    }

    /// What differs most: the rest is compared.
    func hash(into hasher: inout Hasher) {
      hasher.combine(caller.id)
      hasher.combine(caller.purpose)
      hasher.combine(action)
    }
  }

  /// Things decided that are remembered.
  private static let mostRemembered = 50_000

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
        context: Directory.context(Directory.context(of: caller), at: now())), directory)
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

  private func concern(_ caller: Caller, _ action: HubAction) -> Concern {
    state.withLock { state in
      var key = ConcernKey(caller: caller, action: action)
      key.caller.approval = nil
      if !state.asksPurpose { key.caller.purpose = nil }
      if !state.asksSource { key.caller.source = nil }
      if !state.asksReason { key.caller.reason = nil }
      if state.room.isUsedUp {
        state.concerns = [:]
        state.room = Room(Self.mostRemembered)
      }
      if let known = state.concerns[key] { return known }
      let concern = Concern(key.caller, action, state.policies, state.notes, places, state.room)
      if state.room.takes(4 + concern.weight) { state.concerns[key] = concern }
      return concern
    }
  }

  public var remembered: (count: Int, bound: Int) {
    (state.withLock { Self.mostRemembered - max(0, $0.room.free) }, Self.mostRemembered)
  }

  static func uid(of action: HubAction) -> EntityUID { EntityUID("Action", ExactText(action.rawValue)) }

  public func outlook(_ action: HubAction, by caller: Caller, in tenant: Tenant) -> AccessVerdict {
    let concern = concern(caller, action)
    let forbids = concern.forbidsEverything(at: now())
    return AccessVerdict(isAllowed: concern.permitsSomething && forbids.isEmpty, reasons: forbids)
  }

  public func decide(_ action: HubAction, by caller: Caller, in tenant: Tenant) -> AccessVerdict {
    concern(caller, action).verdict(on: tenant, at: now())
  }

  public func decide(
    _ action: HubAction, before: Entity?, after: Entity?, attributes: [String], by caller: Caller, in tenant: Tenant
  ) -> AccessVerdict {
    let concern = concern(caller, action)
    var last = AccessVerdict(isAllowed: false, reasons: [])
    // A change must be permitted of what the entity is and of what it becomes: nothing is moved out of sight, or in.
    for entity in [before, after].compactMap({ $0 }) {
      let judgement = concern.judgement(of: entity, in: tenant)
      let asked = [nil] + (judgement.rules.asksAttributes ? attributes.map(Optional.some) : [])
      for attribute in asked {
        let verdict = concern.verdict(on: entity, judgement, asking: attribute, in: tenant, at: now())
        guard verdict.isAllowed else { return verdict }
        last = last.isAllowed ? last.joined(with: verdict) : verdict
      }
    }
    return last
  }

  public func visibility(for caller: Caller, in tenant: Tenant) -> EntityVisibility? {
    let concern = concern(caller, .read)
    guard concern.permitsSomething, concern.forbidsEverything(at: now()).isEmpty else { return .nothing }
    guard !concern.permitsEverything(at: now()) else { return nil }
    return Sight.visibility(concern, caller, tenant, now)
  }
}
