import NGSI

extension Incident {
  mutating func open(with report: Report, _ entry: Entry) {
    take(report)
    involve(entry.by.agency)
    remember(entry)
  }

  /// - Throws: ``CommandRefusal``; then nothing has changed that anybody keeps.
  mutating func apply(_ entry: Entry) throws(CommandRefusal) {
    switch entry.command {
    case .report(let report): try join(report, entry)
    case .repeated(_, let times):
      try requireOpen()
      repetitions += max(0, times)
    case .merge(let other):
      try requireOpen()
      guard other != id else { throw .sameIncident }
      mergedInto = other
      status = .merged
      isAlarming = false
      closedAt = entry.at
    case .absorb(let other): try absorb(other)
    case .acknowledge: try acknowledge(entry)
    case .assign(let party): try assign(party)
    case .classify(let category, let severity, _): try classify(category, severity, entry)
    case .locate(let position, let address):
      try requireOpen()
      self.position = position
      if let address { self.address = address }
      isLocated = true
    case .involve(let agency):
      try requireOpen()
      guard !agencies.contains(agency) else { throw .alreadySo }
      guard agencies.count < Bounds.agencies else { throw .full("agencies", bound: Bounds.agencies) }
      involve(agency)
    case .begin(let procedure): try begin(procedure, at: entry.at)
    case .step(let id, let action): try step(id, action, entry)
    case .dispatch(let dispatch): try send(dispatch, at: entry.at)
    case .unit(let unit, let status, _): try move(unit, to: status, at: entry.at)
    case .grant(let grant):
      try requireOpen()
      guard !grants.contains(grant) else { throw .alreadySo }
      guard grants.count < Bounds.grants else { throw .full("grants", bound: Bounds.grants) }
      grants.append(grant)
    case .note, .tell:
      // Also of an incident that is over: what comes to light later belongs to it.
      break
    case .handOver(let party, _):
      try requireOpen()
      owner = party
      involve(party.agency)
      handOvers += 1
    case .resolve(let outcome): try resolve(outcome, at: entry.at)
    case .close: try close(at: entry.at)
    case .reopen: try reopen(entry)
    }
    remember(entry)
    refreshRun(at: entry.at)
  }

  private func requireOpen() throws(CommandRefusal) { guard !status.isOver else { throw .ended(status) } }

  private mutating func involve(_ agency: String?) {
    if let agency, !agencies.contains(agency), agencies.count < Bounds.agencies { agencies.append(agency) }
  }

  // MARK: Reports

  private mutating func take(_ report: Report) {
    if reports.count < Bounds.reports { reports.append(report) } else { repetitions += 1 }
  }

  private mutating func join(_ report: Report, _ entry: Entry) throws(CommandRefusal) {
    try requireOpen()
    take(report)
    involve(entry.by.agency)
    let isGraver = report.severity > severity
    if isGraver, !isClassified { severity = report.severity }
    settle(on: report)
    // Worse news than those that were acknowledged are an alarm of their own, and so is any after the danger was over.
    if isGraver { isAlarming = true }
    if status == .resolved { wake() }
  }

  private mutating func absorb(_ other: Command.Absorbed) throws(CommandRefusal) {
    try requireOpen()
    guard other.incident != id else { throw .sameIncident }
    guard !absorbed.contains(other.incident) else { throw .alreadySo }
    guard dispatches.count + other.units.count <= Bounds.dispatches else {
      throw .full("dispatches", bound: Bounds.dispatches)
    }
    absorbed.append(other.incident)
    let isGraver = other.severity > severity
    for report in other.reports {
      take(report)
      settle(on: report)
    }
    if isGraver, !isClassified { severity = other.severity }
    // What nobody has heard there is not heard here either.
    if other.isAlarming || isGraver { isAlarming = true }
    if status == .resolved { wake() }
    for agency in other.agencies { involve(agency) }
    for unit in other.units where !(dispatch(of: unit.unit)?.status.isOut ?? false) { dispatches.append(unit) }
    if !other.units.isEmpty, status == .new || status == .acknowledged { status = .inProgress }
  }

  /// Takes over a place that is better known.
  private mutating func settle(on report: Report) {
    if !isLocated, let better = report.believedPosition, position.map({ Self.isSharper(better, than: $0) }) ?? true {
      position = better
    }
    if address == nil { address = report.address }
  }

  /// The danger is not over after all.
  private mutating func wake() {
    status = .inProgress
    isAlarming = true
    outcome = nil
    resolvedAt = nil
  }

  private static func isSharper(_ position: Position, than other: Position) -> Bool {
    guard let uncertainty = position.uncertainty else { return false }
    return other.uncertainty.map { uncertainty < $0 } ?? true
  }

  // MARK: Who looks after it

  private mutating func acknowledge(_ entry: Entry) throws(CommandRefusal) {
    try requireOpen()
    guard isAlarming else { throw .alreadyAcknowledged(by: acknowledgedBy ?? .city) }
    isAlarming = false
    if acknowledgedAt == nil { acknowledgedAt = entry.at }
    acknowledgedBy = entry.by
    if status == .new { status = .acknowledged }
  }

  private mutating func assign(_ party: Party?) throws(CommandRefusal) {
    try requireOpen()
    switch (owner, party) {
    case (nil, nil): throw .alreadySo
    case (let old?, let new?) where old == new: throw .alreadySo
    default: break
    }
    owner = party
    involve(party?.agency)
  }

  private mutating func classify(_ category: String?, _ severity: Severity?, _ entry: Entry) throws(CommandRefusal) {
    try requireOpen()
    guard category.map({ $0 != self.category }) ?? false || severity.map({ $0 != self.severity }) ?? false else {
      throw .alreadySo
    }
    if let category { self.category = category }
    if let severity {
      self.severity = severity
      isClassified = true
    }
  }

  // MARK: The procedure

  private mutating func begin(_ procedure: Procedure, at time: DateTime) throws(CommandRefusal) {
    try requireOpen()
    // Another one takes its place when the incident turns out to be something else.
    if let run, !run.isOver, run.procedure.id == procedure.id { throw .procedureBegun(procedure.id) }
    run = ProcedureRun(procedure, at: time)
  }

  private mutating func step(_ id: String, _ action: Command.StepAction, _ entry: Entry) throws(CommandRefusal) {
    try requireOpen()
    guard run != nil else { throw .noProcedure }
    try run?.take(action, on: id, by: entry.by, at: entry.at)
    if status == .acknowledged || status == .new { status = .inProgress }
  }

  /// Which steps can be begun depends on what the incident is by now.
  private mutating func refreshRun(at time: DateTime) {
    guard var run else { return }
    run.refresh(with: facts, at: time)
    self.run = run
  }

  // MARK: Units

  private mutating func send(_ dispatch: Dispatch, at time: DateTime) throws(CommandRefusal) {
    try requireOpen()
    if let known = self.dispatch(of: dispatch.unit), known.status.isOut { throw .unitIsOut(dispatch.unit) }
    guard dispatches.count < Bounds.dispatches else { throw .full("dispatches", bound: Bounds.dispatches) }
    dispatches.append(Dispatch.State(dispatch: dispatch, times: [.requested: time]))
    involve(dispatch.agency)
    if status == .acknowledged || status == .new { status = .inProgress }
  }

  private mutating func move(_ unit: String, to next: Dispatch.Status, at time: DateTime) throws(CommandRefusal) {
    try requireOpen()
    guard let position = dispatches.lastIndex(where: { $0.unit == unit }) else { throw .noUnit(unit) }
    let now = dispatches[position].status
    guard now.mayBecome(next) else { throw .unitCannot(from: now, to: next) }
    dispatches[position].status = next
    dispatches[position].times[next] = time
  }

  // MARK: The end

  private mutating func resolve(_ outcome: Command.Outcome, at time: DateTime) throws(CommandRefusal) {
    try requireOpen()
    guard status != .resolved else { throw .alreadyResolved }
    guard !isAlarming else { throw .notAcknowledged }
    self.outcome = outcome
    status = .resolved
    resolvedAt = time
  }

  private mutating func close(at time: DateTime) throws(CommandRefusal) {
    try requireOpen()
    guard !isAlarming else { throw .notAcknowledged }
    guard status == .resolved else { throw .notResolved }
    let out = dispatches.filter(\.status.isOut).map(\.unit)
    guard out.isEmpty else { throw .unitsOut(out) }
    // Nothing is left to do about a false alarm.
    if let run, outcome?.kind == .handled {
      let open = run.openSteps
      guard open.isEmpty else { throw .stepsOpen(open) }
    }
    status = .closed
    closedAt = time
  }

  private mutating func reopen(_ entry: Entry) throws(CommandRefusal) {
    guard status == .resolved || status == .closed else { throw status.isOver ? .ended(status) : .alreadySo }
    if status == .closed {
      // Its clocks run anew; who opened it again has heard of it.
      openedAgainAt = entry.at
      acknowledgedAt = entry.at
      acknowledgedBy = entry.by
    }
    status = .inProgress
    outcome = nil
    resolvedAt = nil
    closedAt = nil
    reopenings += 1
  }
}
