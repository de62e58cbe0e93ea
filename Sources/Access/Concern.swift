import Cedar
import Hub
import NGSI
import Store
import Synchronization

/// The rules as far as they concern one requester, in his circumstances, and one action; with what they said of each kind
/// of entity before. His requests share it.
final class Concern: Sendable {
  /// What all decisions look at.
  struct Asker: Sendable {
    var principal: Directory.Principal
    var action: EntityUID
    var isWrite: Bool
    /// All but the time and the attribute.
    var context: [ExactText: Value]
    var notes: RuleNotes
  }

  let asker: Asker
  /// Rules for what is about no entity.
  let ofTenants: Judgement
  /// Rules for entities, before it is looked at which.
  let ofEntities: RemainingRules
  /// Places that rules for entities name.
  let places: [Place]
  /// Whether something that is permitted is to be recorded.
  let isWatched: Bool
  let permitsSomething: Bool
  /// Rules that forbid some entities and not others.
  private let forbidsSomething: Bool
  /// Rules that look at no entity, an approval does not lift, and forbid.
  private let blindForbids: BlindRules
  private let blindPermits: BlindRules

  /// Compared byte for byte, as the rules themselves compare: names that only look alike are others.
  private struct Kind: Hashable {
    var tenant: ExactText
    var types: [ExactText]
    var scopes: [ExactText]
    var places: [ExactText]

    /// In things that there is room for, each of about 256 bytes.
    var weight: Int {
      (types + scopes).reduce(1) { $0 + 1 + $1.text.utf8.count / 64 }
    }
  }

  /// An entity of more groups is decided on each time.
  private static let heaviest = 64

  /// What its rules take of the room.
  var weight: Int { ofEntities.policies.policies.count + ofTenants.rules.policies.policies.count }

  private let judgements = Mutex<[Kind: Judgement]>([:])
  private let room: Room

  init(_ caller: Caller, _ action: HubAction, _ rules: PolicySet, _ notes: RuleNotes, _ places: [Place], _ room: Room) {
    let asker = Asker(
      principal: Directory.Principal(caller), action: CityRules.uid(of: action), isWrite: action.isWrite,
      context: Directory.context(of: caller), notes: notes)
    self.asker = asker
    self.room = room
    ofEntities = RemainingRules(rules, of: "Entity", asker)
    ofTenants = Judgement(RemainingRules(rules, of: "Tenant", asker), room)
    self.places = ofEntities.policies.policies.contains { $0.names(type: "Place") } ? places : []
    let rules = ofEntities.policies.policies
    isWatched = rules.contains { $0.effect == .permit && notes.evidence[$0.id] != nil }
    permitsSomething = rules.contains { $0.effect == .permit }
    forbidsSomething = rules.contains { $0.effect == .forbid && (!$0.isBlind || notes.approvals[$0.id] != nil) }
    blindForbids = BlindRules(rules.filter { $0.effect == .forbid && $0.isBlind && notes.approvals[$0.id] == nil })
    blindPermits = BlindRules(rules.filter { $0.effect == .permit && $0.isBlind })
  }

  // MARK: Tenants

  func verdict(on tenant: Tenant, at time: @autoclosure () -> DateTime) -> AccessVerdict {
    ofTenants.verdict(asker, asking: nil, about: tenant.name, at: time()) {
      Directory(
        asker.principal, resource: Directory.uid(of: tenant),
        PolicyEntity(attributes: ["name": .string(ExactText(tenant.name))]))
    }
  }

  // MARK: Entities

  /// What is decided of all entities of its kind.
  func judgement(of entity: Entity, in tenant: Tenant) -> Judgement {
    judgement(
      types: entity.types, scopes: entity.scopes, in: tenant,
      places: places.isEmpty ? [] : places.filter { $0.holds(entity) }.map(\.name))
  }

  func judgement(types: [String], scopes: [String], in tenant: Tenant, places: [String] = []) -> Judgement {
    let kind = Kind(
      tenant: ExactText(tenant.name), types: types.map { ExactText($0) }, scopes: scopes.map { ExactText($0) },
      places: places.map { ExactText($0) })
    if let known = judgements.withLock({ $0[kind] }) { return known }
    let groups =
      Directory.groups(types: types, scopes: scopes, in: tenant)
      + places.map { EntityUID("Place", ExactText($0)) }
    let made = Judgement(ofEntities.settled(by: groups, asker), room, groups: groups)
    guard kind.weight <= Self.heaviest else { return made }
    judgements.withLock { judgements in
      guard room.takes(kind.weight + made.rules.policies.policies.count) else { return judgements = [:] }
      judgements[kind] = made
    }
    return made
  }

  /// Whether an action on an entity is permitted.
  ///
  /// - Parameter attribute: expanded name of the one that is asked about; `nil` for the entity as such.
  func verdict(
    on entity: Entity, _ judgement: Judgement, asking attribute: String?, in tenant: Tenant,
    at time: @autoclosure () -> DateTime
  ) -> AccessVerdict {
    judgement.verdict(asker, asking: attribute, about: "", at: time()) {
      Directory(
        asker.principal, resource: Directory.uid(of: entity),
        PolicyEntity(
          attributes: judgement.rules.sight == .content ? Directory.attributes(of: entity) : [:],
          parents: judgement.groups))
    }
  }

  // MARK: Whatever it is about

  /// The rules that forbid whatever entity it is about.
  func forbidsEverything(at time: @autoclosure () -> DateTime) -> [String] { blindForbids.applying(asker, at: time()) }

  /// Whether all entities can be read, unwatched.
  func permitsEverything(at time: @autoclosure () -> DateTime) -> Bool {
    !isWatched && !forbidsSomething && !blindPermits.applying(asker, at: time()).isEmpty
  }
}

/// Rules that say the same of every entity.
private struct BlindRules: Sendable {
  private let rules: [Policy]
  /// Their names, where all of them apply at all times.
  private let always: [String]?

  init(_ rules: [Policy]) {
    self.rules = rules
    always = rules.allSatisfy(\.isUnconditional) ? rules.map(\.id) : nil
  }

  /// The names of those that apply now.
  func applying(_ asker: Concern.Asker, at time: @autoclosure () -> DateTime) -> [String] {
    if let always { return always }
    let nothing = EntityUID("Entity", "")
    let request = AccessRequest(
      principal: asker.principal.uid, action: asker.action, resource: nothing,
      context: Directory.context(asker.context, at: time()))
    let directory = Directory(asker.principal, resource: nothing, PolicyEntity())
    return rules.filter { rule in
      var permit = rule
      permit.effect = .permit
      return PolicySet([permit]).decide(request, directory).isAllowed
    }.map(\.id)
  }
}

extension Policy {
  /// Whether it says the same of every entity and attribute.
  fileprivate var isBlind: Bool { sight(of: "Entity") == .nothing && !asksContext(for: "attribute") }
}
