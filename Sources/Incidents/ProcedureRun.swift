import NGSI

/// A procedure as it is followed for an incident.
public struct ProcedureRun: Sendable, Hashable {
  public struct StepRun: Sendable, Hashable {
    public var state = Procedure.StepState.waiting
    /// Since when it can be begun; its time runs from here.
    public var readyAt: DateTime?
    public var startedAt: DateTime?
    public var endedAt: DateTime?
    /// Who started or ended it last.
    public var by: Party?
    /// What was noted, or why it was skipped.
    public var note: String?
  }

  public let procedure: Procedure
  public let begunAt: DateTime
  public private(set) var steps: [String: StepRun] = [:]

  init(_ procedure: Procedure, at time: DateTime) {
    self.procedure = procedure
    begunAt = time
    for step in procedure.steps { steps[step.id] = StepRun() }
  }

  public var openSteps: [String] { procedure.steps.map(\.id).filter { !(steps[$0]?.state.isOver ?? true) } }

  public var isOver: Bool { openSteps.isEmpty }

  /// When a step is to be done; `nil` where it has no time, cannot be begun yet or is over.
  public func dueAt(_ id: String) -> DateTime? {
    guard let step = procedure.step(id), let within = step.within, let run = steps[id], let ready = run.readyAt,
      run.state == .ready || run.state == .started
    else { return nil }
    return ready.adding(seconds: within)
  }

  /// - Throws: ``CommandRefusal``.
  mutating func take(_ action: Command.StepAction, on id: String, by party: Party, at time: DateTime)
    throws(CommandRefusal)
  {
    guard let step = procedure.step(id), var run = steps[id] else { throw .noStep(id) }
    if !step.roles.isEmpty, !step.roles.contains(where: party.roles.contains) { throw .roleNeeded(step.roles) }
    switch action {
    case .start:
      try requireReady(step, run)
      guard run.state == .ready else { throw .stepIs(run.state) }
      run.state = .started
      run.startedAt = time
    case .done(let note):
      try requireReady(step, run)
      run.state = .done
      run.startedAt = run.startedAt ?? time
      run.endedAt = time
      run.note = note
    case .skip(let reason):
      guard step.maySkip else { throw .mayNotBeSkipped(id) }
      guard !run.state.isOver else { throw .stepIs(run.state) }
      run.state = .skipped
      run.endedAt = time
      run.note = reason
    case .undo(let reason):
      guard [.started, .done, .skipped].contains(run.state) else { throw .stepIs(run.state) }
      // What came after it stays done: it was done.
      run.state = .waiting
      run.startedAt = nil
      run.endedAt = nil
      run.note = reason
    }
    run.by = party
    steps[id] = run
  }

  private func requireReady(_ step: Procedure.Step, _ run: StepRun) throws(CommandRefusal) {
    if run.state == .waiting { throw .stepWaits(for: step.after.filter { !(steps[$0]?.state.isOver ?? false) }) }
    guard run.state == .ready || run.state == .started else { throw .stepIs(run.state) }
  }

  /// Says which steps can be begun and which are not needed, with what the incident is now.
  mutating func refresh(with facts: Entity, at time: DateTime) {
    // Steps stand before those that come after them at most once each: so many rounds settle all.
    for _ in procedure.steps {
      var hasChanged = false
      for step in procedure.steps {
        guard var run = steps[step.id], [.waiting, .ready, .notNeeded].contains(run.state) else { continue }
        let before = run
        if step.condition.map({ !$0.holds(of: facts) }) ?? false {
          run.state = .notNeeded
          run.readyAt = nil
        } else if step.after.allSatisfy({ steps[$0]?.state.isOver ?? true }) {
          run.state = .ready
          run.readyAt = run.readyAt ?? time
        } else {
          run.state = .waiting
          run.readyAt = nil
        }
        guard run != before else { continue }
        steps[step.id] = run
        hasChanged = true
      }
      guard hasChanged else { return }
    }
  }
}
