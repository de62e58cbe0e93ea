import City
import MQTT
import NGSI

/// Listens to an adapter's topics and brings what is said there to the hub.
///
/// The broker hears that a message arrived only after the hub has committed it: what is on its way when the hub dies comes
/// again. A hub that cannot write at present takes no more from the broker, which keeps it.
struct TopicFeed: Sendable {
  static let perSecond = 5_000
  /// Messages that are brought together.
  static let batch = 500
  static let keepsSeconds = 86_400

  let adapter: Manifest.Adapter
  let mqtt: Manifest.Adapter.MQTT
  /// By place among the topics.
  let mappings: [Mapping?]
  let clientId: String
  let resolve: @Sendable (String) -> String
  let sink: any FeedSink
  let board: FeedBoard
  let clock: any CityClock
  let chance: @Sendable (Int) -> Double

  private var id: String { adapter.id }

  /// Runs until it is cancelled.
  func run() async {
    let backOff = BackOff(first: 5, longest: 300, chance: chance)
    var failures = 0
    while !Task.isCancelled {
      let began = ContinuousClock.now
      do {
        try await listen()
      } catch {
        fail(String(describing: error))
      }
      // The broker refused, or a secret is missing: both may be mended meanwhile, so that they are read anew.
      failures = ContinuousClock.now - began > .seconds(60) ? 1 : failures + 1
      let next = clock.now.adding(seconds: backOff.seconds(after: failures))
      board.change(id) { $0.nextRun = next }
      guard (try? await clock.sleep(until: next)) != nil else { return }
      board.change(id) { $0.nextRun = nil }
    }
  }

  private func listen() async throws {
    var reading = try TopicReading(adapter, mqtt, mappings: mappings)
    let connection = MQTTConnection(to: try broker(), options: options())
    let filters = reading.filters.map { filter in mqtt.share.map { "$share/\($0)/\(filter)" } ?? filter }
    let most = mqtt.perSecond ?? Self.perSecond
    let inflow = try connection.receive(
      filters, quality: MQTTQuality(rawValue: mqtt.qos ?? 1) ?? .atLeastOnce, batch: min(Self.batch, most)
    ) { [board, id, clock, connection] failure in
      Self.note(failure, at: clock.now, of: id, on: board)
      if case .refused? = failure { Task { await connection.close() } }
    }
    while let batch = await inflow.next() {
      let began = ContinuousClock.now
      guard await bring(batch, &reading) else { break }
      let due = began + .seconds(Double(batch.count) / Double(most))
      if due > .now { try? await Task.sleep(until: due) }
      inflow.settle()
    }
    await connection.close()
  }

  private func broker() throws -> MQTTBroker {
    var address = try MQTTAddress(mqtt.broker + "/-").broker
    address.user = try mqtt.user?.value(resolve)
    address.password = try mqtt.password?.value(resolve)
    return address
  }

  private func options() -> MQTTConnection.Options {
    var options = MQTTConnection.Options()
    options.version = mqtt.version == .v311 ? .v311 : .v5
    options.authorities = mqtt.authorities.map(resolve)
    options.certificate = mqtt.certificate.map(resolve)
    options.clientId = clientId
    options.keepsSession = true
    options.sessionSeconds = mqtt.keeps?.seconds ?? Self.keepsSeconds
    options.keepAliveSeconds = 30
    return options
  }

  // MARK: - Messages

  /// Returns once the hub has a batch; false when the task was cancelled before.
  private func bring(_ batch: [MQTTMessage], _ reading: inout TopicReading) async -> Bool {
    let now = clock.now
    var parts: [(context: JSON, types: [String], input: AdaptedInput)] = []
    for (offset, message) in batch.enumerated() {
      let (context, types) = (reading.context(of: message.topic), reading.types(of: message.topic))
      if parts.last?.context != context || parts.last?.types != types {
        parts.append((context, types, AdaptedInput()))
      }
      // Each has an instant of its own, so that the history keeps their order.
      let time = DateTime(microseconds: now.microseconds + Int64(offset))
      reading.read(message, at: time, into: &parts[parts.count - 1].input)
    }
    var outcome = FeedOutcome()
    for part in parts {
      let name = FeedName(adapter: id, source: mqtt.broker, context: part.context, types: part.types)
      guard let came = await take(part.input, name) else { return false }
      outcome += came
    }
    let (came, count) = (outcome, batch.count)
    board.change(id) { status in
      status.received += count
      status.total += came
      status.state = came.refused > 0 ? .partly : .ok
      status.lastSuccess = now
      status.failures = 0
    }
    return true
  }

  /// Tries until the hub has it; `nil` when the task was cancelled before.
  private func take(_ input: AdaptedInput, _ name: FeedName) async -> FeedOutcome? {
    let backOff = BackOff(first: 0.5, longest: 30, chance: chance)
    var failures = 0
    while !Task.isCancelled {
      do throws(Problem) { return try await sink.take(input, from: name) } catch {
        failures += 1
        fail("the hub does not take it: \(error.detail)")
        try? await Task.sleep(for: .seconds(backOff.seconds(after: failures)))
      }
    }
    return nil
  }

  private func fail(_ reason: String) {
    let now = clock.now
    board.change(id) { status in
      status.state = .failing
      status.reason = reason
      status.lastFailure = now
      status.failures += 1
    }
  }

  private static func note(_ failure: MQTTError?, at time: DateTime, of id: String, on board: FeedBoard) {
    board.change(id) { status in
      guard let failure else {
        if status.state != .partly { status.state = .ok }
        status.failures = 0
        return
      }
      status.state = .failing
      status.reason = failure.description
      status.lastFailure = time
      status.failures += 1
    }
  }
}
