import AgencyLink
import Hub
import HubHTTP
import Incidents
import NGSI
import Store
import Synchronization

/// Carries the city's messages to the far sides.
public protocol LinkOutlet: Sendable {
  /// - Parameter seconds: for all of it, the reading of the answer included.
  func post(_ request: WireRequest, to url: String, seconds: Double) async -> Reply
}

/// What is exchanged with other agencies over the links of the plan: what leaves, what comes in, and how each fares.
///
/// What waits is in the store, put there in the transaction of the command that it tells of. One runner for each far side
/// brings it out; what comes in goes through the door (``answer(_:)``), into the same transaction as what follows from it.
public final class LinkDesk: Sendable {
  /// Reads a secret, wherever the operator keeps it.
  public typealias Secrets = @Sendable (ServiceLink.Secret) throws -> String

  struct State {
    var secrets: Secrets?
    var sessions = SessionRegister(apiKeys: [:])
    var fares: [String: LinkFare] = [:]
    var runners: [String: any LinkRunning] = [:]
    /// Counts that are not kept yet: those that are not part of a transaction.
    var uncounted: [String: [Usage.Act: Int]] = [:]
  }

  let hub: Hub
  let plan: SafetyPlan
  let book: IncidentBook
  let turns: Turns
  let state = Mutex(State())

  init(hub: Hub, plan: SafetyPlan, book: IncidentBook, turns: Turns) {
    (self.hub, self.plan, self.book, self.turns) = (hub, plan, book, turns)
  }

  /// Opens the links: before that nothing is taken and nothing leaves.
  ///
  /// - Throws: what the secrets throw that agencies log in with.
  public func open(_ secrets: @escaping Secrets) throws {
    var keys: [String: String] = [:]
    for link in plan.links.links {
      if let key = link.proof?.key { keys[link.wire.agency] = try secrets(key) }
      // What will be needed is to be found now rather than in the night.
      for secret in [link.bodyKey, link.loginKey] { if let secret { _ = try secrets(secret) } }
    }
    let known = keys
    state.withLock { state in
      state.secrets = secrets
      state.sessions = SessionRegister(apiKeys: known)
    }
  }

  /// Sends until it is cancelled.
  public func run(_ outlet: any LinkOutlet) async {
    guard let secrets = state.withLock({ $0.secrets }) else { return }
    await Hub.asCity {
      await withDiscardingTaskGroup { group in
        for link in plan.links.links where link.peer != nil {
          let runner: any LinkRunning =
            link.isExercise
            ? LinkRunner<ExerciseFooting>(link: link, desk: self, outlet: outlet, secrets: secrets)
            : LinkRunner<RealFooting>(link: link, desk: self, outlet: outlet, secrets: secrets)
          state.withLock { $0.runners[link.id] = runner }
          group.addTask { await runner.run() }
        }
        group.addTask { await self.keepCounts() }
      }
      try? await keepUncounted()
    }
  }

  // MARK: - Figures

  func fare(of link: String) -> LinkFare { state.withLock { $0.fares[link] } ?? LinkFare() }

  func note(_ link: String, _ change: (inout LinkFare) -> Void) {
    state.withLock { state in
      var fare = state.fares[link] ?? LinkFare()
      change(&fare)
      state.fares[link] = fare
    }
  }

  func count(_ act: Usage.Act, of link: String) {
    state.withLock { $0.uncounted[link, default: [:]][act, default: 0] += 1 }
  }

  /// Somebody is shown an incident: whether a linked service is of use shows in whether people look at what it brings.
  func looked(at incident: Incident) {
    let caller = Caller.current
    guard caller.kind == .person || !hub.hasRules && caller.kind == .nobody else { return }
    let sources = Set(incident.reports.map(\.source))
    for link in plan.links.links where sources.contains(LinkIntake.source(of: link)) { count(.looked, of: link.id) }
  }

  private func keepCounts() async {
    while (try? await Task.sleep(for: .seconds(5))) != nil { try? await keepUncounted() }
  }

  /// Keeps what was only counted.
  func keepUncounted() async throws(Problem) {
    let counts = state.withLock { state in
      defer { state.uncounted = [:] }
      return state.uncounted
    }
    guard !counts.isEmpty else { return }
    do throws(Problem) {
      try await hub.transact(as: SafetyService.name, in: .default) { transaction in
        for (link, acts) in counts {
          for (act, times) in acts { try LinkShelf.count(act, times: times, of: link, transaction) }
        }
      }
    } catch {
      state.withLock { state in
        for (link, acts) in counts { state.uncounted[link, default: [:]].merge(acts, uniquingKeysWith: +) }
      }
      throw error
    }
  }
}

/// How a link fares just now.
struct LinkFare: Sendable {
  /// Answers whose times are remembered.
  static let most = 200

  var waiting = 0
  var oldest: DateTime?
  var setAside = 0
  /// Kept messages that stand on another footing than the far side: they never leave.
  var unfit = 0
  var hasSession = false
  /// Since when every try has failed.
  var failingSince: DateTime?
  var lastFailure: String?
  var lastTaken: DateTime?
  /// Seconds until the far side answered, the newest last.
  private(set) var answers: [Double] = []

  mutating func answered(in seconds: Double) {
    answers.append(seconds)
    answers.removeFirst(max(0, answers.count - Self.most))
  }

  var answeredIn: JSON? {
    guard let last = answers.last else { return nil }
    let sorted = answers.sorted()
    func share(_ part: Double) -> JSON { .double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * part))]) }
    return ["last": .double(last), "median": share(0.5), "p95": share(0.95), "count": .integer(Int64(sorted.count))]
  }
}
