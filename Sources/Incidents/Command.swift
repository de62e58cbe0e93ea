import NGSI

/// What is done about an incident. Each is kept for ever; what the incident is now is their fold (``Incident``).
public enum Command: Sendable, Hashable {
  /// Opens the incident, or says of one that is open that somebody else saw it too.
  case report(Report)
  /// The same source says the same again: counted, so that a storm of one sensor stays one line.
  case repeated(Report.Key, times: Int)
  /// This one is the same event as another, and goes on there.
  case merge(into: String)
  /// Another incident goes on here.
  case absorb(Absorbed)
  /// Somebody has heard the alarm. It stays in the queue until the incident is closed.
  case acknowledge
  /// Who looks after it from now on; `nil` for nobody.
  case assign(Party?)
  /// What it is after all, as far as it changes.
  case classify(category: String?, severity: Severity?, reason: String)
  /// Where it is after all.
  case locate(Position, address: String?)
  /// An agency sees it from now on, and takes part.
  case involve(agency: String)
  /// The procedure that is to be followed, as it stands now.
  case begin(Procedure)
  case step(id: String, StepAction)
  /// A unit is asked to come.
  case dispatch(Dispatch)
  /// A unit says where it is in its task.
  case unit(id: String, Dispatch.Status, reason: String?)
  /// Exceptional access that was granted for it.
  case grant(id: String)
  /// - audience: the only agencies that read it; all that take part where there are none.
  case note(String, audience: [String])
  /// What those who called are told; they read it where they called from.
  case tell(String)
  /// The shift changes: who takes over, and what he is told.
  case handOver(to: Party, summary: String)
  /// The danger is over.
  case resolve(Outcome)
  /// Nothing is left to do.
  case close(summary: String)
  case reopen(reason: String)

  public enum StepAction: Sendable, Hashable {
    case start
    case done(note: String?)
    case skip(reason: String)
    /// It was marked by mistake.
    case undo(reason: String)
  }

  /// What another incident brings along that goes on here.
  public struct Absorbed: Sendable, Hashable {
    public var incident: String
    public var reports: [Report]
    /// Those that are out.
    public var units: [Dispatch.State]
    public var agencies: [String]
    public var severity: Severity
    /// Whether nobody has heard its alarm yet.
    public var isAlarming: Bool

    public init(_ incident: Incident) {
      self.incident = incident.id
      reports = incident.reports
      units = incident.dispatches.filter(\.status.isOut)
      agencies = incident.agencies
      severity = incident.severity
      isAlarming = incident.isAlarming
    }

    init(
      incident: String, reports: [Report], units: [Dispatch.State], agencies: [String], severity: Severity,
      isAlarming: Bool
    ) {
      (self.incident, self.reports, self.units) = (incident, reports, units)
      (self.agencies, self.severity, self.isAlarming) = (agencies, severity, isAlarming)
    }
  }

  /// How it ended.
  public struct Outcome: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
      case handled
      case falseAlarm = "false-alarm"
      case noAction = "no-action"
      case test
    }

    public var kind: Kind
    /// In words: what was done, or what set off a false alarm.
    public var text: String

    public init(_ kind: Kind, text: String) {
      self.kind = kind
      self.text = text
    }
  }

  /// Whether an incident cannot be brought to its end without it.
  var bringsItOn: Bool {
    switch self {
    case .acknowledge, .assign, .merge, .step, .unit, .handOver, .resolve, .close, .reopen: true
    default: false
    }
  }

  /// What it is called in JSON and in the log.
  public var name: String {
    switch self {
    case .report: "report"
    case .repeated: "repeated"
    case .merge: "merge"
    case .absorb: "absorb"
    case .acknowledge: "acknowledge"
    case .assign: "assign"
    case .classify: "classify"
    case .locate: "locate"
    case .involve: "involve"
    case .begin: "begin"
    case .step: "step"
    case .dispatch: "dispatch"
    case .unit: "unit"
    case .grant: "grant"
    case .note: "note"
    case .tell: "tell"
    case .handOver: "handOver"
    case .resolve: "resolve"
    case .close: "close"
    case .reopen: "reopen"
    }
  }
}

/// A command with who gave it and when: one line of an incident's record.
public struct Entry: Sendable, Hashable {
  /// Counts from 1.
  public var sequence: Int
  /// Given by who sent it: the same twice is the same command.
  public var id: String
  /// Never before that of the entry before.
  public var at: DateTime
  public var by: Party
  public var command: Command

  public init(sequence: Int, id: String, at: DateTime, by: Party, command: Command) {
    self.sequence = sequence
    self.id = id
    self.at = at
    self.by = by
    self.command = command
  }
}

/// Why a command is not done: what stands in its way.
public enum CommandRefusal: Error, Sendable, Hashable {
  /// The first command of an incident is a report.
  case notReported
  case ended(Incident.Status)
  case alreadyAcknowledged(by: Party)
  /// An alarm that nobody acknowledged cannot be resolved.
  case notAcknowledged
  case notResolved
  case alreadyResolved
  /// Steps that are neither done nor skipped.
  case stepsOpen([String])
  /// Units that are not clear.
  case unitsOut([String])
  case noProcedure
  case procedureBegun(String)
  case noStep(String)
  /// The step waits for others.
  case stepWaits(for: [String])
  case stepIs(Procedure.StepState)
  /// The step is for one of these roles.
  case roleNeeded([String])
  case mayNotBeSkipped(String)
  case noUnit(String)
  case unitIsOut(String)
  case unitCannot(from: Dispatch.Status, to: Dispatch.Status)
  case sameIncident
  /// Exercises and what is real are never mixed.
  case exerciseAndReal
  case alreadySo
  /// Another command, or somebody else's, has this id.
  case idTaken(String)
  /// Too much of one kind.
  case full(String, bound: Int)
}
