import NGSI
import Testing

@testable import Cedar

@Suite struct SettlingTests {
  /// Knows the groups of the one resource also by the name that stands for any of its type.
  private struct Grouped: EntitySource {
    let all: [EntityUID: PolicyEntity]
    let standIn: EntityUID
    let groups: [EntityUID]

    func entity(_ uid: EntityUID) -> PolicyEntity? {
      if uid == standIn { return PolicyEntity(parents: groups) }
      return all[uid]
    }
  }

  /// Rules that are settled in two steps, by who asks and by the resource's groups, decide each request as all rules do,
  /// whatever the resource in these groups is called and whatever the open member of the context is.
  @Test func settledRulesDecideAsAllDo() throws {
    var (left, allowed, decided) = (0, 0, 0)
    for _ in 0..<3_000 {
      let seed = UInt64.random(in: 0...(.max))
      var cases = RandomCases(random: Seeded(state: seed))
      let text = (0..<Int.random(in: 1...6, using: &cases.random)).map { _ in cases.policy() }.joined(separator: "\n")
      guard let set = try? PolicySet(parsing: text) else { continue }
      let entities = try CedarJSON.entities(cases.entities())
      let asked = cases.request()
      let open: Set<ExactText> = [ExactText(cases.one(RandomCases.attributes))]
      var request = AccessRequest(
        principal: try CedarJSON.uid(text: asked["principal"]?.string ?? ""),
        action: try CedarJSON.uid(text: asked["action"]?.string ?? ""),
        resource: try CedarJSON.uid(text: asked["resource"]?.string ?? ""),
        context: try CedarJSON.members(asked["context"] ?? .null))
      var part = request
      part.resource = EntityUID("Thing", "")
      for name in open { part.context[name] = nil }
      let first = set.settled(by: KnownPart(part, resource: .nothing, open: open), entities)
      let grouped = Grouped(
        all: entities, standIn: part.resource, groups: entities[request.resource]?.parents ?? [])
      let second = first.settled(by: KnownPart(part, resource: .groups, open: open), grouped)
      for _ in 0..<3 {
        for name in open {
          request.context[name] = cases.chance(30) ? nil : try? CedarJSON.value(cases.value(name.text))
        }
        let whole = set.decide(request, entities)
        for settled in [first, second] {
          let decision = settled.decide(request, entities)
          guard decision.isAllowed == whole.isAllowed, decision.reasons == whole.reasons else {
            Issue.record("seed \(seed): \(whole) and \(decision)\n\(text)\n\(JSONWriter.text(asked))")
            return
          }
        }
        decided += 1
        allowed += whole.isAllowed ? 1 : 0
      }
      left += second.policies.count { !$0.isUnconditional }
    }
    // Some of everything was seen: a comparison of nothing with nothing would say little.
    #expect(allowed * 20 > decided)
    #expect(left > 300)
  }

  @Test(arguments: [
    ("permit(principal, action, resource);", ResourceSight.nothing),
    ("permit(principal, action, resource is Thing);", .groups),
    ("permit(principal, action, resource in Group::\"a\");", .groups),
    ("permit(principal, action, resource in Thing::\"a\");", .content),
    ("permit(principal, action, resource is Thing in Thing::\"a\");", .content),
    ("permit(principal, action, resource == Thing::\"a\");", .content),
    ("permit(principal, action, resource) when { resource in [Group::\"a\", Group::\"b\"] };", .groups),
    ("permit(principal, action, resource) when { resource in [Group::\"a\", Thing::\"b\"] };", .content),
    ("permit(principal, action, resource) when { resource in principal.home };", .content),
    ("permit(principal, action, resource) when { resource is Thing in Group::\"a\" };", .groups),
    ("permit(principal, action, resource) when { Thing::\"a\".age > 3 };", .content),
    ("permit(principal, action, resource) when { principal.age > 3 };", .nothing),
    ("permit(principal, action, resource) when { [resource].contains(principal) };", .content),
  ])
  func whatARuleLooksAt(_ text: String, _ sight: ResourceSight) throws {
    #expect(try PolicySet(parsing: text).policies[0].sight(of: "Thing") == sight)
  }

  @Test func whatIsKnownIsNotAskedAgain() throws {
    let set = try PolicySet(
      parsing: """
        permit(principal in Group::"a", action, resource) when { context.purpose == "care" && context.time < 5 };
        forbid(principal, action, resource) unless { context.purpose == "care" || resource in Type::"Room" };
        permit(principal, action, resource in Type::"Door");
        permit(principal in Group::"b", action, resource);
        """)
    let kim = EntityUID("Person", "kim")
    let known = KnownPart(
      AccessRequest(
        principal: kim, action: EntityUID("Action", "read"), resource: EntityUID("Thing", ""),
        context: ["purpose": .string("care")]), resource: .nothing, open: ["time"])
    let settled = set.settled(by: known, [kim: PolicyEntity(parents: [EntityUID("Group", "a")])])
    #expect(settled.policies.map(\.id) == ["policy0", "policy2"])
    #expect(settled.policies[0].conditions.count == 1)
    #expect(!settled.policies[0].isUnconditional)
  }
}
