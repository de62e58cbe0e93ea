import Cedar
import Hub
import NGSI
import Store
import Synchronization

/// Room for what was decided, shared by all requesters: when it is used up all of it is forgotten.
final class Room: Sendable {
  private let left: Atomic<Int>

  init(_ count: Int) { left = Atomic(count) }

  func takes(_ count: Int) -> Bool { left.subtract(count, ordering: .relaxed).newValue >= 0 }

  /// Less than nothing once it is used up.
  var free: Int { left.load(ordering: .relaxed) }

  var isUsedUp: Bool { free < 0 }
}

/// Rules that may still say something, and what they look at.
struct RemainingRules: Sendable {
  private static let open: Set<ExactText> = ["time", "attribute"]

  let policies: PolicySet
  /// Without those that an approval lifts; `nil` where there are none.
  let approved: PolicySet?
  /// Of a resource whose groups are known.
  let sight: ResourceSight
  let asksTime: Bool
  let asksAttributes: Bool
  private let type: ExactText

  /// What the asker's circumstances leave of the rules.
  ///
  /// - Parameter type: of the resources.
  init(_ rules: PolicySet, of type: ExactText, _ asker: Concern.Asker) {
    let nothing = EntityUID(type, "")
    self.init(
      settled: rules.settled(
        by: KnownPart(Self.request(asker, nothing), resource: .nothing, open: Self.open),
        Directory(asker.principal, resource: nothing, PolicyEntity())), of: type, asker)
  }

  private init(settled policies: PolicySet, of type: ExactText, _ asker: Concern.Asker) {
    self.policies = policies
    self.type = type
    let lifted = policies.policies.filter { asker.notes.approvals[$0.id] == nil }
    approved = asker.isWrite && lifted.count < policies.policies.count ? PolicySet(lifted) : nil
    sight = policies.policies.map { $0.sight(of: type) }.max() ?? .nothing
    asksTime = policies.policies.contains { $0.asksContext(for: "time") }
    asksAttributes = policies.policies.contains { $0.asksContext(for: "attribute") }
  }

  /// What resources in these groups leave of them.
  func settled(by groups: [EntityUID], _ asker: Concern.Asker) -> RemainingRules {
    let standIn = EntityUID(type, "")
    return RemainingRules(
      settled: policies.settled(
        by: KnownPart(Self.request(asker, standIn), resource: .groups, open: Self.open),
        Directory(asker.principal, resource: standIn, PolicyEntity(parents: groups))), of: type, asker)
  }

  private static func request(_ asker: Concern.Asker, _ resource: EntityUID) -> AccessRequest {
    AccessRequest(
      principal: asker.principal.uid, action: asker.action, resource: resource, context: asker.context)
  }

  func verdict(_ asker: Concern.Asker, _ directory: Directory, _ context: [ExactText: Value]) -> AccessVerdict {
    let request = AccessRequest(
      principal: asker.principal.uid, action: asker.action, resource: directory.resource, context: context)
    var decision = policies.decide(request, directory)
    var approvals = 0
    // What is forbidden only until others approve it is decided without that, and needs them.
    if let approved, !decision.isAllowed, !decision.reasons.isEmpty {
      let needed = decision.reasons.map { asker.notes.approvals[$0] }
      let lifted = needed.contains(nil) ? nil : approved.decide(request, directory)
      if let lifted, lifted.isAllowed { (decision, approvals) = (lifted, needed.compactMap { $0 }.max() ?? 0) }
    }
    guard decision.isAllowed else { return AccessVerdict(isAllowed: false, reasons: decision.reasons) }
    let notes = asker.notes
    // A grant is what permits only where nothing else does.
    let standing = decision.reasons.filter { notes.purposes[$0] == nil }
    let deciding = standing.isEmpty ? decision.reasons : standing
    return AccessVerdict(
      isAllowed: true, reasons: decision.reasons, evidence: deciding.compactMap { notes.evidence[$0] }.first,
      purpose: deciding.compactMap { notes.purposes[$0] }.first, approvals: approvals)
  }
}

/// What is decided of resources of one kind, once for as many as it can be.
final class Judgement: Sendable {
  let rules: RemainingRules
  let groups: [EntityUID]
  private struct Question: Hashable {
    var attribute: ExactText?
    var name: ExactText
  }

  private let known = Mutex<[Question: AccessVerdict]>([:])
  private let room: Room

  init(_ rules: RemainingRules, _ room: Room, groups: [EntityUID] = []) {
    self.rules = rules
    self.groups = groups
    self.room = room
  }

  /// Whether the same is decided of all of them, now and later.
  var isLasting: Bool { rules.sight < .content && !rules.asksTime }

  /// - Parameters:
  ///   - attribute: that is asked about, expanded.
  ///   - name: of what is decided on, where it is not the same for all of a kind.
  ///   - directory: knows the resource.
  func verdict(
    _ asker: Concern.Asker, asking attribute: String?, about name: String, at time: @autoclosure () -> DateTime,
    _ directory: () -> Directory
  ) -> AccessVerdict {
    let question = Question(
      attribute: rules.asksAttributes ? attribute.map { ExactText($0) } : nil, name: ExactText(name))
    if isLasting, let verdict = known.withLock({ $0[question] }) { return verdict }
    var context = rules.asksTime ? Directory.context(asker.context, at: time()) : asker.context
    if let attribute = question.attribute { context["attribute"] = .string(ExactText(Directory.short(attribute.text))) }
    let verdict = rules.verdict(asker, directory(), context)
    if isLasting {
      known.withLock { known in
        if room.takes(1 + (attribute?.utf8.count ?? 0) / 256) { known[question] = verdict } else { known = [:] }
      }
    }
    return verdict
  }
}
