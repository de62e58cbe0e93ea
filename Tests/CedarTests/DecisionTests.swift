import Foundation
import NGSI
import TestSupport
import Testing

@testable import Cedar

@Suite struct DecisionTests {
  /// Decisions, the rules that decided and those that failed are the same as Cedar's own engine finds.
  @Test func randomRequestsAreDecidedAsCedarDecidesThem() throws {
    let wanted = ProcessInfo.processInfo.environment["MADANG_DECISIONS"].flatMap(Int.init) ?? 5_000
    var decided = 0
    var allowed = 0
    while decided < wanted {
      let seed = UInt64.random(in: 0...(.max))
      var cases = RandomCases(random: Seeded(state: seed))
      var asked: [JSON] = []
      for _ in 0..<100 {
        let policies = (0..<Int.random(in: 1...6, using: &cases.random)).map { _ in cases.policy() }
        asked.append([
          "policies": .string(policies.joined(separator: "\n")), "entities": cases.entities(),
          "requests": .array((0..<10).map { _ in cases.request() }),
        ])
      }
      guard
        let answers = try Oracle.ask(
          "policy_oracle.py", .array(asked), for: "randomRequestsAreDecidedAsCedarDecidesThem")
      else { return }
      for (one, answer) in zip(asked, answers.array ?? []) {
        let set = try? PolicySet(parsing: one["policies"]?.string ?? "")
        let entities = try CedarJSON.entities(one["entities"] ?? .null)
        for (request, theirs) in zip(one["requests"]?.array ?? [], answer.array ?? []) {
          let text =
            "\(one["policies"]?.string ?? "")\n\(JSONWriter.text(request))\n\(JSONWriter.text(one["entities"] ?? .null))"
          guard let set else {
            #expect(theirs["isReadable"] == false, "\(text)")
            continue
          }
          let ours = set.decide(
            AccessRequest(
              principal: try CedarJSON.uid(text: request["principal"]?.string ?? ""),
              action: try CedarJSON.uid(text: request["action"]?.string ?? ""),
              resource: try CedarJSON.uid(text: request["resource"]?.string ?? ""),
              context: try CedarJSON.members(request["context"] ?? .null)), entities)
          let mine: JSON = [
            "allow": .bool(ours.isAllowed), "reasons": .array(ours.reasons.sorted().map(JSON.string)),
            "errors": .array(Set(ours.errors.map(\.policy)).sorted().map(JSON.string)), "isReadable": .bool(true),
          ]
          guard mine == theirs else {
            Issue.record("seed \(seed), ours \(JSONWriter.text(mine))\ntheirs \(JSONWriter.text(theirs))\n\(text)")
            return
          }
          decided += 1
          allowed += ours.isAllowed ? 1 : 0
        }
      }
    }
    // Both answers come often, or the comparison would say little.
    #expect(allowed * 20 > decided)
    #expect(allowed * 10 < decided * 9)
  }

  static let kim = EntityUID("City::Person", "kim")
  static let look = EntityUID("Action", "look")
  static let camera = EntityUID("Thing", "camera1")

  func decide(_ text: String, context: [ExactText: Value] = [:]) throws -> AccessDecision {
    try PolicySet(parsing: text).decide(
      AccessRequest(principal: Self.kim, action: Self.look, resource: Self.camera, context: context),
      [Self.kim: PolicyEntity(attributes: ["age": .integer(30)], parents: [EntityUID("City::Group", "police")])])
  }

  @Test func nothingIsPermittedByItself() throws {
    #expect(try !decide("").isAllowed)
    #expect(try decide("permit(principal, action, resource);").reasons == ["policy0"])
  }

  @Test func whatForbidsOutweighsWhatPermits() throws {
    let decision = try decide(
      """
      @id("everyone") permit(principal, action, resource);
      @id("not police") forbid(principal in City::Group::"police", action == Action::"look", resource is Thing);
      """)
    #expect(!decision.isAllowed)
    #expect(decision.reasons == ["not police"])
  }

  @Test func aRuleWithoutAValueDoesNotCount() throws {
    let decision = try decide(
      "permit(principal, action, resource); forbid(principal, action, resource) when { principal.height > 2 };")
    #expect(decision.isAllowed)
    #expect(decision.errors == [PolicyFailure(policy: "policy1", error: .noAttribute("height"))])
  }

  @Test(arguments: [
    "permit", "permit();", "permit(principal, action, resource)", "permit(principal, action);",
    "allow(principal, action, resource);", "permit(principal, action, resource) when { };",
    "permit(principal, action, resource) when { 1 + };",
    "permit(principal, action, resource) when { 9223372036854775808 > 1 };",
    "permit(principal, action, resource) when { principal.what() };",
    "permit(principal, action, resource) when { \"a };",
    "permit(principal, action, resource) when { {a: 1, a: 2} has a };", "permit(principal == kim, action, resource);",
    "permit(principal, action, resource) when { unknown };", "permit(principal, action, resource) when { 1 < 2 < 3 };",
    "permit(resource, action, principal);", "permit(principal, action, resource) when { \"\\q\" == \"q\" };",
    "@a(\"1\") @a(\"2\") permit(principal, action, resource);",
  ])
  func brokenRulesAreRefused(_ text: String) {
    #expect(throws: PolicySyntaxError.self) { try PolicySet(parsing: text) }
  }

  @Test func errorsTellTheirPlace() throws {
    do throws(PolicySyntaxError) {
      _ = try PolicySet(parsing: "permit(principal, action, resource)\n  when { 1 + };")
      Issue.record("a broken rule was read")
    } catch {
      #expect(error.line == 2)
      #expect(error.column == 14)
    }
  }

  @Test func deepConditionsAreRefused() {
    let text = "permit(principal, action, resource) when { " + String(repeating: "(", count: 100_000) + "true"
    #expect(throws: PolicySyntaxError.self) { try PolicySet(parsing: text) }
    let signs = "permit(principal, action, resource) when { " + String(repeating: "!", count: 5) + "true };"
    #expect(throws: PolicySyntaxError.self) { try PolicySet(parsing: signs) }
  }

  /// A chain of operators needs no parentheses to be deep.
  @Test func longChainsDoNotExhaustTheStack() throws {
    let text =
      "permit(principal, action, resource) when { " + Array(repeating: "true", count: 200_000).joined(separator: " && ")
      + " };"
    do throws(PolicySyntaxError) {
      let set = try PolicySet(parsing: text)
      _ = set.decide(AccessRequest(principal: Self.kim, action: Self.look, resource: Self.camera), [:])
    } catch { #expect(error.problem.contains("deep") || error.problem.contains("long")) }
  }
}
