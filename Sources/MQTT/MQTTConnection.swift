import CMosquitto
import Foundation
import Glibc
import Synchronization

/// A connection to one broker, by libmosquitto.
///
/// It connects when there is something to do, and again when it is lost; whoever publishes hears whether the broker
/// took the message, within the time that they give. All of libmosquitto runs on a thread of the connection's own:
/// nothing here holds up an event loop or a thread of Swift's.
///
/// ```swift
/// let connection = MQTTConnection(to: broker)
/// try await connection.publish(MQTTMessage(topic: "city/pm10", payload: bytes, quality: .atLeastOnce), within: 10)
/// for await message in try connection.messages(of: "sensors/+/pm10", quality: .atLeastOnce) { … }
/// await connection.close()
/// ```
public final class MQTTConnection: Sendable {
  public struct Options: Sendable, Hashable {
    public var version: MQTTVersion = .v5
    /// File with the certificates of authorities to trust for `mqtts`; the system's own where it is `nil`.
    public var authorities: String?
    /// File with the city's own certificate and the key to it, PEM, shown to `mqtts` brokers that ask for one.
    public var certificate: String?
    /// Names this client to the broker; made up where it is `nil`.
    public var clientId: String?
    /// Whether the broker is to keep subscriptions and messages while this client is away; goes with a ``clientId``.
    public var keepsSession = false
    /// For how many seconds, where the version is 5.0; brokers of 3.1.1 decide it themselves.
    public var sessionSeconds = 86_400
    /// Seconds to a connection that the broker has accepted.
    public var connectSeconds = 5.0
    /// Seconds between signs of life.
    public var keepAliveSeconds = 15
    /// Seconds without anything to do after which the connection ends for good; `nil` keeps it until it is closed.
    public var idleSeconds: Double?
    /// Most messages, and bytes of them, that wait to be sent or confirmed.
    public var queuedMessages = 1000
    public var queuedBytes = 64 << 20
    /// Most received messages of one subscription that wait to be read, and largest of them in bytes. When that many
    /// wait, nothing more is read from the broker until there is room; a reader that pauses for longer than the time
    /// between signs of life loses the connection, and with it what comes before the next, unless ``keepsSession``.
    public var receivedMessages = 1000
    public var receivedBytes = 1 << 20

    public init() {}
  }

  public let broker: MQTTBroker
  public let options: Options
  let mailbox: Mailbox

  public init(to broker: MQTTBroker, options: Options = Options()) {
    self.broker = broker
    self.options = options
    mailbox = Mailbox()
  }

  deinit { mailbox.close() }

  /// Sends a message; returns when the broker has it: at once written out for ``MQTTQuality/atMostOnce``, confirmed
  /// for the others.
  ///
  /// - Parameter seconds: how long that may take, connecting included. What is late is not sent later, unless it had
  ///   been sent already and only its confirmation is late.
  public func publish(_ message: MQTTMessage, within seconds: Double) async throws(MQTTError) {
    if let refusal = MQTTAddress.refusal(ofTopic: message.topic) { throw .notAnAddress(refusal) }
    let ticket = Ticket()
    try post(.publish(message, ticket), bytes: message.payload.count)
    let timer = Task {
      try? await Task.sleep(for: .seconds(seconds))
      ticket.finish(.late)
    }
    let failure = await ticket.outcome()
    timer.cancel()
    mailbox.settle(bytes: message.payload.count)
    if let failure { throw failure }
  }

  /// Subscribes; gives what comes until the connection is closed or let go of. It is subscribed again after each loss of the
  /// connection. A filter that the broker refuses ends at once with its ``MQTTMessages/failure``.
  public func messages(of filter: String, quality: MQTTQuality) throws(MQTTError) -> MQTTMessages {
    guard Worker.isFilter(filter) else { throw .notAnAddress("'\(filter.prefix(100))' is no topic filter") }
    let mailbox = mailbox
    let inbox = Inbox(
      filter: filter, quality: quality, bound: options.receivedMessages, largest: options.receivedBytes
    ) { mailbox.wake() }
    try post(.subscribe(inbox), bytes: 0)
    return MQTTMessages(inbox: inbox)
  }

  /// Subscribes to all filters; gives what comes in batches, each of which is confirmed to the broker only when it is
  /// settled. Until then nothing more is read, and nothing is written: the broker keeps what was not confirmed, and
  /// sends it again on the next connection where it ``Options/keepsSession``.
  ///
  /// A message of ``MQTTQuality/exactlyOnce`` is asked for as ``MQTTQuality/atLeastOnce``: the library confirms the
  /// first step of the former before it hands the message out.
  ///
  /// - Parameters:
  ///   - batch: about how many messages come at once, at most.
  ///   - report: hears why there is no connection, and `nil` when there is one; on the connection's own thread.
  public func receive(
    _ filters: [String], quality: MQTTQuality, batch: Int, report: @escaping @Sendable (MQTTError?) -> Void = { _ in }
  ) throws(MQTTError) -> MQTTInflow {
    for filter in filters where !Worker.isFilter(filter) {
      throw .notAnAddress("'\(filter.prefix(100))' is no topic filter")
    }
    let mailbox = mailbox
    let carried: MQTTQuality = quality == .atMostOnce ? .atMostOnce : .atLeastOnce
    let inflow = MQTTInflow(filters: filters, quality: carried, bound: batch, report: report) { mailbox.wake() }
    try post(.receive(inflow), bytes: 0)
    return inflow
  }

  /// Says goodbye to the broker and ends; what waits fails as ``MQTTError/closed``.
  public func close() async {
    mailbox.close()
    for _ in 0..<200 where !mailbox.isEnded { try? await Task.sleep(for: .milliseconds(10)) }
  }

  /// Whether it has ended, closed or idle: a new one is needed.
  public var isEnded: Bool { mailbox.isEnded }

  /// Messages that wait to be sent or confirmed.
  public var waiting: Int { mailbox.waiting }

  private func post(_ command: Command, bytes: Int) throws(MQTTError) {
    let (broker, options, mailbox) = (broker, options, mailbox)
    try mailbox.post(command, bytes: bytes, options: options) {
      let thread = Thread { Worker(broker, options, mailbox).run() }
      thread.name = "mqtt"
      thread.stackSize = 1 << 20
      thread.start()
    }
  }
}

enum Command: Sendable {
  case publish(MQTTMessage, Ticket)
  case subscribe(Inbox)
  case receive(MQTTInflow)
}

/// What becomes of one message: said once, by whoever comes first.
final class Ticket: Sendable {
  private enum State {
    case open
    case awaited(CheckedContinuation<MQTTError?, Never>)
    case finished(MQTTError?)
  }

  private let state = Mutex(State.open)

  var isFinished: Bool { state.withLock { if case .finished = $0 { true } else { false } } }

  /// - Parameter failure: `nil` when all went well.
  func finish(_ failure: MQTTError?) {
    let continuation: CheckedContinuation<MQTTError?, Never>? = state.withLock { state in
      switch state {
      case .open:
        state = .finished(failure)
        return nil
      case .awaited(let continuation):
        state = .finished(failure)
        return continuation
      case .finished: return nil
      }
    }
    continuation?.resume(returning: failure)
  }

  func outcome() async -> MQTTError? {
    await withCheckedContinuation { continuation in
      let known: MQTTError?? = state.withLock { state in
        if case .finished(let failure) = state { return .some(failure) }
        state = .awaited(continuation)
        return nil
      }
      if let known { continuation.resume(returning: known) }
    }
  }
}

/// What passes between those who use a connection and its thread.
final class Mailbox: Sendable {
  private struct State {
    var commands: [Command] = []
    var waiting = 0
    var waitingBytes = 0
    var isStarted = false
    var isClosing = false
    var isEnded = false
    var wakeUp: Int32 = -1
  }

  private let state = Mutex(State())

  var isEnded: Bool { state.withLock { $0.isEnded } }
  var isClosing: Bool { state.withLock { $0.isClosing } }
  var waiting: Int { state.withLock { $0.waiting } }
  /// Readable when there is something new; the thread polls it.
  var descriptor: Int32 { state.withLock { $0.wakeUp } }

  func post(
    _ command: Command, bytes: Int, options: MQTTConnection.Options, start: () -> Void
  ) throws(MQTTError) {
    let outcome: Result<Bool, MQTTError> = state.withLock { state in
      guard !state.isClosing, !state.isEnded else { return .failure(.closed) }
      if case .publish = command {
        guard state.waiting < options.queuedMessages, state.waitingBytes + bytes <= options.queuedBytes else {
          return .failure(.busy("more messages wait for the broker than may"))
        }
        state.waiting += 1
        state.waitingBytes += bytes
      }
      state.commands.append(command)
      let starts = !state.isStarted
      if starts {
        state.isStarted = true
        state.wakeUp = eventfd(0, O_NONBLOCK | O_CLOEXEC)
      }
      Self.wake(state.wakeUp)
      return .success(starts)
    }
    if try outcome.get() { start() }
  }

  func settle(bytes: Int) {
    state.withLock { state in
      state.waiting -= 1
      state.waitingBytes -= bytes
    }
  }

  func take() -> [Command] {
    state.withLock { state in
      defer { state.commands = [] }
      return state.commands
    }
  }

  func wake() { state.withLock { Self.wake($0.wakeUp) } }

  func close() {
    state.withLock { state in
      state.isClosing = true
      if state.isStarted { Self.wake(state.wakeUp) } else { state.isEnded = true }
    }
  }

  /// The thread ends; gives what came at the last moment. With `onlyIfIdle`, `nil` and no end when something did.
  func end(onlyIfIdle: Bool) -> [Command]? {
    state.withLock { state in
      if onlyIfIdle, !state.commands.isEmpty || state.waiting > 0 { return nil }
      state.isEnded = true
      if state.wakeUp >= 0 { _ = Glibc.close(state.wakeUp) }
      state.wakeUp = -1
      defer { state.commands = [] }
      return state.commands
    }
  }

  private static func wake(_ descriptor: Int32) {
    guard descriptor >= 0 else { return }
    var one: UInt64 = 1
    _ = Glibc.write(descriptor, &one, 8)
  }
}
