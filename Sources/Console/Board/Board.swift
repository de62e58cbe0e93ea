import NGSI

/// What the console knows of every entity, in memory: enough to find it, to place it, and to say how it stands.
///
/// Nothing is read before the first page asks, so that a hub nobody looks at pays nothing. Bounded by ``capacity``:
/// beyond it entities are counted but not shown, and the pages say so.
actor Board {
  enum Phase: Sendable, Equatable {
    case idle
    case loading
    case ready
    case failed
  }

  static let batchSize = 500
  /// Seconds between two readings of everything.
  static let reloadPause = 5.0

  let capacity: Int
  private let source: any CitySource
  let summarizer: Summarizer
  private(set) var phase = Phase.idle
  private(set) var items: [EntitySummary] = []
  private var positions: [String: Int] = [:]
  private(set) var log: ChangeLog
  /// Entities that did not fit.
  private(set) var leftOut = 0
  private(set) var lastChange: DateTime?
  private var follower: Task<Void, Never>?
  /// Ids that changed while everything is being read; what was read of them is older.
  private var touched: Set<String>?
  private var reloadAsked = false

  init(source: any CitySource, summarizer: Summarizer, capacity: Int = 200_000, logCapacity: Int = 8192) {
    self.source = source
    self.summarizer = summarizer
    self.capacity = capacity
    log = ChangeLog(epoch: String(UInt64.random(in: 1...UInt64.max), radix: 36), capacity: logCapacity)
  }

  /// Begins to read and follow the city; does nothing when that has begun. Returns at once.
  func start() {
    guard follower == nil else { return }
    phase = .loading
    touched = []
    let changes = source.changes()
    follower = Task {
      async let loaded: Void = load()
      for await batch in changes { apply(batch) }
      await loaded
      phase = .failed
    }
  }

  func stop() {
    follower?.cancel()
    follower = nil
  }

  // MARK: - Filling

  private func load() async {
    repeat {
      reloadAsked = false
      touched = touched ?? []
      do {
        try await readAll()
        phase = .ready
        touched = nil
      } catch {
        phase = .failed
        reloadAsked = true
      }
      if reloadAsked { try? await Task.sleep(for: .seconds(Self.reloadPause)) }
    } while reloadAsked && !Task.isCancelled
  }

  private func readAll() async throws {
    var seen: Set<String> = []
    var cursor: String?
    leftOut = 0
    repeat {
      let batch = try await source.entities(after: cursor, limit: Self.batchSize)
      for entity in batch.entities {
        seen.insert(entity.id)
        if touched?.contains(entity.id) != true { put(summarizer.summary(entity)) }
      }
      cursor = batch.next
    } while cursor != nil
    let known = touched ?? []
    for id in items.map(\.id) where !seen.contains(id) && !known.contains(id) { take(id) }
    log.forget()
  }

  private func apply(_ batch: [CityChange]) {
    lastChange = source.now()
    for change in batch {
      switch change {
      case .updated(let entity):
        touched?.insert(entity.id)
        put(summarizer.summary(entity))
        log.append(entity.id)
      case .removed(let id):
        touched?.insert(id)
        take(id)
        log.append(id)
      case .lost:
        log.forget()
        askReload()
      }
    }
  }

  private func askReload() {
    let reading = touched != nil
    reloadAsked = true
    guard !reading else { return }
    touched = []
    Task { await load() }
  }

  private func put(_ summary: EntitySummary) {
    if let position = positions[summary.id] {
      items[position] = summary
    } else if items.count < capacity {
      positions[summary.id] = items.count
      items.append(summary)
    } else {
      leftOut += 1
    }
  }

  private func take(_ id: String) {
    guard let position = positions.removeValue(forKey: id) else { return }
    let last = items.removeLast()
    guard position < items.count else { return }
    items[position] = last
    positions[last.id] = position
  }

  // MARK: - Reading

  func summary(_ id: String) -> EntitySummary? { positions[id].map { items[$0] } }

  /// What changed after a sequence number, for one client of the event stream.
  func changes(since sequence: UInt64, most: Int) -> (
    answer: ChangeLog.Answer, summaries: [EntitySummary], removed: [String]
  ) {
    let answer = log.since(sequence, most: most)
    guard case .changes(let ids, _) = answer else { return (answer, [], []) }
    var summaries: [EntitySummary] = []
    var removed: [String] = []
    for id in ids {
      if let summary = summary(id) { summaries.append(summary) } else { removed.append(id) }
    }
    return (answer, summaries, removed)
  }
}
