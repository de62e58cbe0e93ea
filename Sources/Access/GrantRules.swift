import Cedar
import Hub
import NGSI
import Store

/// What is said beside rules: by their annotations, or by the grants that made them.
struct RuleNotes: Sendable {
  /// By name of the rule: what has to be recorded of what it permits (`@evidence`).
  var evidence: [String: String]
  /// By name of a rule that forbids: how many others have to approve before it does not (`@approval`).
  var approvals: [String: Int]
  /// By name of a rule that a grant made: its purpose.
  var purposes: [String: String] = [:]

  init(_ policies: PolicySet, _ grants: [Grant]) {
    evidence = policies.annotated("evidence")
    let forbids = Set(policies.policies.filter { $0.effect == .forbid }.map(\.id))
    // What is no number asks for one other.
    approvals = policies.annotated("approval").filter { forbids.contains($0.key) }.mapValues { max(1, Int($0) ?? 1) }
    for grant in grants { for name in GrantRules.names(of: grant) { purposes[name] = grant.purpose } }
  }
}

/// Grants as rules: each permits its actions on its things, for its time, and wants everything recorded.
enum GrantRules {
  static func names(of grant: Grant) -> [String] { ["grant " + grant.id, "grant to change " + grant.id] }

  static func policies(of grant: Grant) -> [Policy] {
    guard case .access(let actions, let things, let attributes) = grant.what else { return [] }
    let names = names(of: grant)
    let parts = [
      (names[0], "access", actions.filter { !$0.isWrite }), (names[1], "command", actions.filter(\.isWrite)),
    ]
    return parts.flatMap { name, evidence, actions -> [Policy] in
      guard !actions.isEmpty else { return [] }
      let text = """
        @id(\(Quoted.text(name))) @evidence("\(evidence)")
        permit(\(principal(grant.grantee)), action in [\(list(actions.map { "Action::" + Quoted.text($0.rawValue) }))],
          resource in \(Directory.uid(of: grant.tenant.owner)))
        when { \(things.map(condition).joined(separator: " || ")) }
        when { context.time >= datetime("\(time(grant.from))") && context.time < datetime("\(time(grant.to))") }
        \(attributes.isEmpty ? "" : only(attributes));
        """
      // Text that was put together of quoted parts can be read; if it were not, the grant would give nothing.
      return (try? PolicySet(parsing: text))?.policies ?? []
    }
  }

  private static func principal(_ grantee: Grant.Grantee) -> String {
    switch grantee {
    case .party(let kind, let id): "principal == \(kind.rawValue)::\(Quoted.text(id))"
    case .agency(let name): "principal in Agency::\(Quoted.text(name))"
    case .role(let name): "principal in Role::\(Quoted.text(name))"
    }
  }

  private static func condition(_ thing: Grant.Thing) -> String {
    let parts = [
      thing.id.map { "resource == Entity::\(Quoted.text($0))" },
      thing.type.map { "resource in EntityType::\(Quoted.text($0))" },
      thing.scope.map { "resource in Scope::\(Quoted.text($0))" },
    ]
    return "(" + parts.compactMap { $0 }.joined(separator: " && ") + ")"
  }

  private static func only(_ attributes: [String]) -> String {
    let names = list(attributes.map { Quoted.text(Directory.short($0)) })
    return "when { !(context has attribute) || [\(names)].contains(context.attribute) }"
  }

  private static func list(_ parts: [String]) -> String { parts.joined(separator: ", ") }

  /// To the millisecond, as the language has it.
  private static func time(_ time: DateTime) -> String {
    DateTime(microseconds: time.microseconds / 1000 * 1000).description
  }
}

extension AccessVerdict {
  /// Both: what either wants recorded or approved is.
  func joined(with other: AccessVerdict) -> AccessVerdict {
    var joined = self
    joined.evidence = evidence ?? other.evidence
    joined.purpose = purpose ?? other.purpose
    joined.approvals = max(approvals, other.approvals)
    return joined
  }
}
