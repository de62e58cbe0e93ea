import City
import Crypto
import Foundation
import NGSI

/// Fetches one source on its schedule and brings what is new to the hub.
///
/// One run follows another, so none overlaps; a time that passes while a run goes on is passed over. A run that fails is
/// repeated after a growing pause. What a run brought before it failed stays: it is known when it comes again.
struct PullFeed: Sendable {
  /// When the next run is due.
  enum Schedule: Sendable {
    case every(seconds: Double)
    case at(Timetable, TimeZone)
  }

  static let seconds = 60.0
  static let mostBytes = 32 << 20

  let adapter: Manifest.Adapter
  let pull: Manifest.Adapter.Pull
  let schedule: Schedule
  let mapping: Mapping?
  let resolve: @Sendable (String) -> String
  let fetcher: any PullFetching
  let sink: any FeedSink
  let board: FeedBoard
  let clock: any CityClock
  /// Evenly in 0 ..< 1, by a number.
  let chance: @Sendable (Int) -> Double

  private var id: String { adapter.id }
  private var name: FeedName {
    FeedName(
      adapter: id, source: pull.url, context: (mapping?.context ?? adapter.context).map(JSON.string) ?? .null,
      types: adapter.producedTypes(mapping))
  }

  /// What was fetched last, to ask for something newer.
  struct Known: Sendable {
    var validators = PullRequest.Validators()
    var digest: [UInt8] = []
  }

  /// Runs until it is cancelled.
  func run(_ gate: FeedGate) async {
    var known = Known()
    var next = first()
    var failures = 0
    while !Task.isCancelled {
      let due = next
      board.change(id) { $0.nextRun = due }
      guard await wait(until: due) else { return }
      guard await gate.enter() else { return }
      let failure = await once(&known)
      await gate.leave()
      guard !Task.isCancelled else { return }
      let now = clock.now
      if let failure {
        failures += 1
        next = retry(after: failures, failure.retryAfter, from: now)
      } else {
        failures = 0
        next = following(now, from: due)
      }
    }
  }

  // MARK: - When

  /// Sources that are fetched every so often begin within ten seconds, not all at once.
  private func first() -> DateTime {
    switch schedule {
    case .every(let seconds): clock.now.adding(seconds: min(seconds, 10) * chance(0))
    case .at(let times, let zone): times.next(after: clock.now, in: zone) ?? .distantFuture
    }
  }

  private func following(_ now: DateTime, from due: DateTime) -> DateTime {
    switch schedule {
    case .at(let times, let zone): return times.next(after: now, in: zone) ?? .distantFuture
    case .every(let seconds):
      // In step with the first run, as long as the clock goes on evenly.
      let passed = now.secondsSince1970 - due.secondsSince1970
      guard passed >= 0, passed < 1000 * seconds else { return now.adding(seconds: seconds) }
      return due.adding(seconds: (passed / seconds).rounded(.down) * seconds + seconds)
    }
  }

  private func retry(after failures: Int, _ retryAfter: Double?, from now: DateTime) -> DateTime {
    var backOff = BackOff(first: 30, longest: 3600, chance: chance)
    if case .every(let seconds) = schedule {
      backOff.first = min(30, seconds)
      backOff.longest = min(3600, max(60, 20 * seconds))
    }
    return now.adding(seconds: max(backOff.seconds(after: failures), min(retryAfter ?? 0, 86_400)))
  }

  /// Waits for a time, a minute at a time; no longer when the clock was set back by more than that.
  private func wait(until due: DateTime) async -> Bool {
    var left = due.secondsSince1970 - clock.now.secondsSince1970
    while left > 0 {
      let now = clock.now
      let step = min(due, now.adding(seconds: 60))
      guard (try? await clock.sleep(until: step)) != nil else { return false }
      let before = left
      left = due.secondsSince1970 - clock.now.secondsSince1970
      if left > before + 60 { return true }
    }
    return !Task.isCancelled
  }

  // MARK: - One run

  private struct Failure: Error {
    var reason: String
    var retryAfter: Double?
  }

  private func once(_ known: inout Known) async -> (reason: String, retryAfter: Double?)? {
    var outcome = FeedOutcome()
    do {
      board.change(id) { $0.received += 1 }
      let isNew = try await bring(&known, &outcome)
      let (at, came) = (clock.now, outcome)
      board.change(id) { status in
        if !isNew { status.unchanged += 1 }
        status.total += came
        status.state = isNew ? came.refused > 0 ? .partly : .ok : status.failures > 0 ? .ok : status.state
        if status.state == .waiting { status.state = .ok }
        status.lastSuccess = at
        status.failures = 0
      }
      return nil
    } catch {
      let failure = error as? Failure ?? Failure(reason: Self.reason(error))
      guard !Task.isCancelled else { return (failure.reason, nil) }
      let (at, came) = (clock.now, outcome)
      board.change(id) { status in
        status.total += came
        status.state = .failing
        status.lastFailure = at
        status.reason = failure.reason
        status.failures += 1
      }
      return (failure.reason, failure.retryAfter)
    }
  }

  private static func reason(_ error: any Error) -> String {
    switch error {
    case let error as IngestError: error.description
    case let error as Problem: error.detail
    default: String(describing: error).prefix(300).description
    }
  }

  /// - Returns: false when there is nothing newer than what came last.
  private func bring(_ known: inout Known, _ outcome: inout FeedOutcome) async throws -> Bool {
    let (bytes, validators): ([UInt8], PullRequest.Validators)
    switch await fetcher.fetch(try request(known.validators)) {
    case .unchanged: return false
    case .failed(let reason, let retryAfter): throw Failure(reason: reason, retryAfter: retryAfter)
    case .body(let body, let told): (bytes, validators) = (body, told)
    }
    let digest = Array(SHA256.hash(data: bytes))
    guard digest != known.digest else {
      known.validators = validators
      return false
    }
    let most = pull.mostBytes ?? Self.mostBytes
    let text = try pull.charset.map { charset throws(IngestError) in try Charset.utf8(bytes, from: charset, most: most)
    }
    let reading = PullReading(adapter: adapter, mapping: mapping)
    var came = FeedOutcome()
    do {
      try await reading.read(text ?? bytes, at: clock.now) { came += try await sink.take($0, from: name) }
    } catch {
      outcome += came
      if let error = error as? IngestError {
        sink.refuse(
          .badRequest(error.description), sample: String(decoding: bytes.prefix(512), as: UTF8.self), from: name)
      }
      throw error
    }
    outcome += came
    known = Known(validators: validators, digest: digest)
    return true
  }

  private func request(_ validators: PullRequest.Validators) throws(IngestError) -> PullRequest {
    var request = PullRequest(
      url: pull.url, headers: [("User-Agent", "madang")], validators: validators,
      seconds: pull.timeout.map { Double($0.seconds) } ?? Self.seconds, mostBytes: pull.mostBytes ?? Self.mostBytes)
    for (name, value) in (pull.headers ?? [:]).sorted(by: { $0.key < $1.key }) { request.headers.append((name, value)) }
    for credential in pull.credentials ?? [] {
      let value = (credential.prefix ?? "") + (try credential.secret.value(resolve))
      if let header = credential.header { request.secretHeaders.append((header, value)) }
      if let query = credential.query { request.secretQuery.append((query, value)) }
    }
    return request
  }
}

extension DateTime {
  /// Of times that do not come: the end of the year 9999.
  fileprivate static let distantFuture = DateTime(microseconds: 253_402_300_799_000_000)
}

/// How many feeds may read at once: bodies are held in memory.
actor FeedGate {
  private let most: Int
  private var inside = 0
  private var waiting: [CheckedContinuation<Void, Never>] = []

  init(most: Int) { self.most = most }

  /// False when the task was cancelled meanwhile; then there is nothing to leave.
  func enter() async -> Bool {
    if inside < most {
      inside += 1
    } else {
      // Whoever leaves hands its place over.
      await withCheckedContinuation { waiting.append($0) }
    }
    guard !Task.isCancelled else {
      leave()
      return false
    }
    return true
  }

  func leave() {
    if waiting.isEmpty { inside -= 1 } else { waiting.removeFirst().resume() }
  }
}
