import Hub
import NGSI
import Store

extension Federation {
  /// Carries out a write at all sources that it concerns and at the hub.
  ///
  /// - Parameter local: does the hub's part, given the names that are its own (`nil` for the entity as a whole); called
  ///   once when something is left for the hub.
  /// - Throws: what keeps the write from being begun.
  public func write(
    _ write: SourceWrite, _ origin: RequestOrigin,
    local: @escaping @Sendable (Set<String>?) async throws(Problem) -> Void
  ) async throws(Problem) -> WriteOutcome {
    let write = write.of(knownTypes(of: write.id, write.types, inHistory: write.time != nil, origin.tenant))
    let (matches, loops) = try sources(write.sourceQuery, origin)
    let plan = WritePlan(
      matches.filter { $0.registration.mode != .auxiliary }, write.operation, id: write.id, types: write.types,
      write.attributes)
    if loops, let step = plan.steps.first { throw SourceFailure.loop.problem(at: step.registration.id) }
    let results = await withTaskGroup(of: (Int, Result<Int, Problem>).self) { group in
      for (index, step) in plan.steps.enumerated() {
        group.addTask { (index, await carryOut(step, write, origin)) }
      }
      var results = [Result<Int, Problem>](repeating: .success(204), count: plan.steps.count)
      for await (index, result) in group { results[index] = result }
      return results
    }
    var outcome = WriteOutcome()
    for (step, result) in zip(plan.steps, results) {
      switch result {
      case .success(let status):
        outcome.hasSuccess = true
        if status == 201 { outcome.hasCreated = true }
      case .failure(let problem):
        outcome.failures.append(WriteOutcome.Failure(problem: problem, registration: step.registration.id))
      }
    }
    if plan.staysLocal {
      do throws(Problem) {
        try await local(plan.local)
        outcome.hasSuccess = true
      } catch { outcome.failures.append(WriteOutcome.Failure(problem: error, registration: nil)) }
    }
    if write.time != nil { outcome.forgiveAbsence(plan, results) }
    return outcome
  }

  /// Types that an entity is known to have: those that the request names, and those that it has here; `nil` where
  /// neither says any.
  func knownTypes(of id: String, _ told: [String]?, inHistory: Bool = false, _ tenant: Tenant) -> [String]? {
    let known: [String]? =
      if inHistory { try? hub.types(ofHistory: id, in: tenant) } else { try? hub.entity(id, in: tenant).types }
    guard let known else { return told }
    return known + (told ?? []).filter { !known.contains($0) }
  }

  /// - Returns: the status that the source answered with.
  private func carryOut(_ step: WritePlan.Step, _ write: SourceWrite, _ origin: RequestOrigin) async
    -> Result<Int, Problem>
  {
    let registration = step.registration
    guard step.isOffered else {
      return .failure(
        Problem(
          .conflict,
          "what \(registration.id) holds alone cannot be changed so: it does not offer \(write.operation.rawValue)"))
    }
    let wording = await wording(for: registration, write.context)
    let request = write.request(step.attributes, wording)
    switch await call(call(for: request, to: registration, origin), registration) {
    case .success(let answer):
      // 207: the source did a part (clause 5.2.18); what it did not do is told.
      guard answer.status == 207 else { return .success(answer.status) }
      let json = try? JSONParser.parse(answer.body)
      let names = json?["notUpdated"]?.items.compactMap { $0["attributeName"]?.string } ?? []
      let errors = json?["errors"]?.items.compactMap { $0["error"]?["detail"]?.string } ?? []
      let told = (names + errors).prefix(10).joined(separator: ", ")
      return .failure(
        Problem(
          .badGateway, "the source of \(registration.id) did only a part of it" + (told.isEmpty ? "" : ": \(told)")))
    case .failure(.refused(409, let why)):
      return .failure(
        Problem(
          write.operation == .createEntity ? .alreadyExists : .conflict,
          "the source of \(registration.id) refused: \(why)"))
    case .failure(.refused(400, let why)) where !registration.mode.isProxied:
      return .failure(.badRequest("the source of \(registration.id) refused: \(why)"))
    case .failure(let failure): return .failure(failure.problem(at: registration.id))
    }
  }
}

extension WriteOutcome {
  /// Takes off what is no failure of a write to a history: that hub or inclusive source does not have it, when another has
  /// done the same part (clauses 5.6.12.4 to 5.6.16.4: "if the target … exists locally"). Of entities it is told: so the
  /// official suite wants it.
  ///
  /// What a source holds alone and could not do is nowhere, so it is told; so is a part that nobody did.
  fileprivate mutating func forgiveAbsence(_ plan: WritePlan, _ results: [Result<Int, Problem>]) {
    guard plan.staysLocal else { return }
    let shared = zip(plan.steps, results).filter { $0.0.registration.mode == .inclusive }
    let isDoneHere = !failures.contains { $0.registration == nil }
    func isDone(_ names: Set<String>?) -> Bool {
      if isDoneHere { return true }
      return shared.contains { step, result in
        guard case .success = result else { return false }
        guard let done = step.attributes, let names else { return step.attributes == nil }
        return names.isSubset(of: done)
      }
    }
    let parts = Dictionary(shared.map { ($0.0.registration.id, $0.0.attributes) }) { first, _ in first }
    failures.removeAll { failure in
      guard failure.problem.kind == .resourceNotFound else { return false }
      guard let registration = failure.registration else { return isDone(plan.local) }
      guard let names = parts[registration] else { return false }
      return isDone(names)
    }
  }
}
