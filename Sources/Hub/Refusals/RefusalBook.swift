import NGSI
import Store
import Synchronization

/// The verification history in memory: counted at once, made durable together.
///
/// It cannot be flooded: a source has at most ``Limits/refusalsOfSource`` lines, all have ``Limits/refusals``, new lines
/// come at ``newLines`` a second at most. What goes beyond is counted in a line of its own for each door, so that the
/// counts always add up to ``total``.
final class RefusalBook: Sendable {
  /// New lines in a second, and at once after a quiet time.
  static let newLines = 20.0
  static let burst = 200.0
  /// Lines made durable in one transaction.
  static let flushStep = 200
  static let collection = "refusals"
  /// Source of the line for what is beyond the bounds.
  static let others = "(others)"
  /// A line without anything new for this long makes room for another.
  static let restSeconds = 3600.0

  private struct Key: Hashable {
    var tenant: Tenant
    var door: String
    var source: String
    var problem: String
    var reason: String
  }

  private struct State {
    var lines: [Key: Refusal] = [:]
    var keys: [String: Key] = [:]
    var linesOfSource: [String: Int] = [:]
    var touched: [String] = []
    var isTouched: Set<String> = []
    var removed: [String] = []
    var next = 1
    var total = 0
    var allowance = RefusalBook.burst
    var allowedAt: DateTime?
    var isFlushing = false
  }

  private let state = Mutex(State())
  private let limits: Limits

  init(limits: Limits) { self.limits = limits }

  // MARK: - Counting

  func note(_ input: RefusedInput, at time: DateTime) {
    let key = Key(
      tenant: input.tenant, door: input.door, source: String(input.source.prefix(200)),
      problem: input.problem.kind.rawValue, reason: Refusal.reason(input.problem.detail))
    state.withLock { state in
      state.total += 1
      if state.lines[key] == nil, !makeRoom(for: key, at: time, &state) {
        let other = Key(tenant: .default, door: key.door, source: Self.others, problem: "", reason: "")
        return add(input, under: other, at: time, &state)
      }
      add(input, under: key, at: time, &state)
    }
  }

  private func add(_ input: RefusedInput, under key: Key, at time: DateTime, _ state: inout State) {
    var line: Refusal
    if let known = state.lines[key] {
      line = known
    } else {
      line = Refusal(
        id: "\(state.next)", tenant: key.tenant, door: key.door, source: key.source, problem: key.problem, detail: "",
        count: 0, firstAt: time, lastAt: time, entityIds: [], sample: "")
      state.next += 1
      state.keys[line.id] = key
      state.linesOfSource[key.source, default: 0] += 1
    }
    line.count += 1
    line.lastAt = max(line.lastAt, time)
    defer {
      state.lines[key] = line
      if state.isTouched.insert(line.id).inserted { state.touched.append(line.id) }
    }
    // The line of the others stands in the default tenant and counts those of all: it says nothing of what they hold.
    guard key.source != Self.others else { return }
    line.detail = String(input.problem.detail.prefix(Refusal.mostDetail))
    if let id = input.entityId.map({ String($0.prefix(300)) }), !id.isEmpty {
      line.entityIds.removeAll { $0 == id }
      line.entityIds.insert(id, at: 0)
      if line.entityIds.count > Refusal.mostIds { line.entityIds.removeLast() }
    }
    if !input.sample.isEmpty { line.sample = String(input.sample.prefix(Refusal.mostSample)) }
  }

  /// Whether another line may be made.
  private func makeRoom(for key: Key, at time: DateTime, _ state: inout State) -> Bool {
    let passed = state.allowedAt.map { max(0, time.secondsSince1970 - $0.secondsSince1970) } ?? 0
    state.allowance = min(Self.burst, state.allowance + passed * Self.newLines)
    state.allowedAt = time
    guard state.allowance >= 1, state.linesOfSource[key.source] ?? 0 < limits.refusalsOfSource else { return false }
    if state.lines.count >= limits.refusals {
      // A line that rests hands its count on to the line of the others.
      guard let oldest = state.lines.min(by: { $0.value.lastAt < $1.value.lastAt }),
        time.secondsSince1970 - oldest.value.lastAt.secondsSince1970 > Self.restSeconds,
        oldest.key.source != Self.others
      else { return false }
      let problem = Problem(.invalidRequest, "lines that made room")
      let other = Key(tenant: .default, door: oldest.key.door, source: Self.others, problem: "", reason: "")
      remove(oldest.key, &state)
      add(
        RefusedInput(door: other.door, source: other.source, tenant: .default, problem: problem), under: other,
        at: time,
        &state)
      state.lines[other]?.count += oldest.value.count - 1
    }
    state.allowance -= 1
    return true
  }

  private func remove(_ key: Key, _ state: inout State) {
    guard let line = state.lines.removeValue(forKey: key) else { return }
    state.keys[line.id] = nil
    state.removed.append(line.id)
    state.linesOfSource[key.source, default: 1] -= 1
    if state.linesOfSource[key.source] == 0 { state.linesOfSource[key.source] = nil }
  }

  // MARK: - Reading

  var figures: (total: Int, lines: Int) { state.withLock { ($0.total, $0.lines.count) } }

  /// Lines of a tenant, the latest first.
  func lines(in tenant: Tenant, where holds: (Refusal) -> Bool, page: Page) -> (lines: [Refusal], total: Int) {
    let all = state.withLock { state in state.lines.values.filter { $0.tenant == tenant } }
    let found = all.filter(holds).sorted { ($0.lastAt, $0.count, $0.id) > ($1.lastAt, $1.count, $1.id) }
    return (Array(found.dropFirst(page.offset).prefix(page.limit)), found.count)
  }

  /// Takes lines off; gives how many.
  func discard(_ ids: [String]?, in tenant: Tenant) -> Int {
    state.withLock { state in
      let keys = ids.map { $0.compactMap { state.keys[$0] } } ?? Array(state.lines.keys)
      let own = keys.filter { $0.tenant == tenant }
      for key in own {
        state.total -= state.lines[key]?.count ?? 0
        remove(key, &state)
      }
      return own.count
    }
  }

  // MARK: - The disk

  func resume(_ documents: [StoredDocument]) {
    state.withLock { state in
      for line in documents.compactMap(Refusal.init) {
        let isOther = line.source == Self.others
        let key = Key(
          tenant: line.tenant, door: line.door, source: line.source, problem: line.problem,
          reason: isOther ? "" : Refusal.reason(line.detail))
        guard state.lines[key] == nil else { continue }
        state.lines[key] = line
        state.keys[line.id] = key
        state.linesOfSource[line.source, default: 0] += 1
        state.total += line.count
        state.next = max(state.next, (Int(line.id) ?? 0) + 1)
      }
    }
  }

  /// What is to be written next; `nil` when nothing is, or a write is under way.
  func takeChanges() -> (put: [Refusal], removed: [String])? {
    state.withLock { state in
      guard !state.isFlushing, !state.touched.isEmpty || !state.removed.isEmpty else { return nil }
      state.isFlushing = true
      let ids = state.touched.prefix(Self.flushStep)
      state.touched.removeFirst(ids.count)
      state.isTouched.subtract(ids)
      let removed = state.removed
      state.removed = []
      return (ids.compactMap { state.keys[$0].flatMap { state.lines[$0] } }, removed)
    }
  }

  func hasWritten(_ changes: (put: [Refusal], removed: [String]), successfully: Bool) {
    state.withLock { state in
      state.isFlushing = false
      guard !successfully else { return }
      state.removed += changes.removed
      for line in changes.put where state.isTouched.insert(line.id).inserted { state.touched.append(line.id) }
    }
  }
}
