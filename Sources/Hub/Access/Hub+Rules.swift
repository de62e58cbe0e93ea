import NGSI
import Store

// Rules that are set while the city runs. They stand beside those of the manifest: what those forbid they do not permit.

extension Hub {
  private static let rulesCollection = "access-rules"
  private static let rulesId = "rules"
  /// Bytes of rules that may be set.
  static let mostRuleBytes = 256 * 1024

  /// The rules that were set, as text; empty where none were.
  public func addedRules() throws(Problem) -> String {
    try permit(.administer, in: .default)
    return try storedRules()
  }

  /// Sets rules in place of those that were set before, for all requests from now on.
  ///
  /// - Throws: `BadRequestData` that names the place; `Conflict` for rules under which the caller could not set others.
  public func setRules(_ text: String) async throws(Problem) {
    try permit(.administer, in: .default)
    guard let rules else {
      throw Problem(.operationNotSupported, "access is open in this city: rules would say nothing")
    }
    guard text.utf8.count <= Self.mostRuleBytes else {
      throw Problem(.payloadTooLarge, "rules may have at most \(Self.mostRuleBytes) bytes")
    }
    let caller = Caller.current
    try rules.check(added: text, by: caller)
    let act = Disclosure(
      caller: caller, action: .administer, tenant: .default, entityId: "urn:ngsi-ld:Madang:rules",
      document: ["rules": .string(text)], kind: "configuration", step: "set-rules")
    try await write { writer in
      try rules.record([act], writer)
      try writer.put(
        StoredDocument(id: Self.rulesId, body: .string(text)), collection: Self.rulesCollection, in: .default)
      // On the writer's thread, in the order of the commits.
      let changes = self.changes
      writer.afterCommit {
        try? rules.use(added: text)
        changes.upset()
      }
    }
  }

  /// Takes up the rules that were set in an earlier run.
  func resumeRules() throws(Problem) {
    guard let rules, case let text = try storedRules(), !text.isEmpty else { return }
    try rules.use(added: text)
  }

  private func storedRules() throws(Problem) -> String {
    try read { try $0.document(Self.rulesId, collection: Self.rulesCollection, in: .default)?.body.string ?? "" }
  }
}
