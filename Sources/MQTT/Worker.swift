import CMosquitto
import Foundation
import Glibc

/// The thread of a connection: the only place where libmosquitto is called for it.
///
/// The library's own loop waits with `select`, which knows no descriptor above 1023; a hub with many clients has more.
/// So the socket is polled here, together with the mailbox.
final class Worker {
  private let broker: MQTTBroker
  private let options: MQTTConnection.Options
  private let mailbox: Mailbox
  private var client: OpaquePointer?
  /// Whether the broker has accepted the connection.
  private var isReady = false
  private var connectBy = ContinuousClock.now
  private var nextAttempt = ContinuousClock.now
  private var failures = 0
  private var lastHeard = ContinuousClock.now
  private var lastUsed = ContinuousClock.now
  private var loss: MQTTError?
  private var waiting: [(message: MQTTMessage, ticket: Ticket)] = []
  /// By the library's message id.
  private var unconfirmed: [Int32: (ticket: Ticket, sentAt: ContinuousClock.Instant)] = [:]
  private var inboxes: [Inbox] = []
  /// By the library's message id of the request.
  private var asked: [Int32: Inbox] = [:]
  private var inflow: MQTTInflow?
  /// Requests of the inflow, by the library's message id.
  private var askedFilters: [Int32: String] = [:]

  /// Made once; the library counts who uses it.
  private static let library: Void = { mosquitto_lib_init() }()

  init(_ broker: MQTTBroker, _ options: MQTTConnection.Options, _ mailbox: Mailbox) {
    self.broker = broker
    self.options = options
    self.mailbox = mailbox
    Self.library
  }

  static func isFilter(_ text: String) -> Bool {
    text.utf8.count <= 65_535 && mosquitto_sub_topic_check(text) == MOSQ_ERR_SUCCESS.rawValue
      && !text.utf8.contains(0)
  }

  func run() {
    while true {
      for command in mailbox.take() { take(command) }
      if mailbox.isClosing {
        // What is not settled must not be confirmed by a goodbye that is written after it.
        if let client, !isHeld {
          mosquitto_disconnect(client)
          flush(client)
        }
        return end(.closed, onlyIfIdle: false)
      }
      passOver()
      if hasWork {
        lastUsed = .now
      } else if let idle = options.idleSeconds, .now - lastUsed > .seconds(idle) {
        if let client { mosquitto_disconnect(client) }
        drop(nil)
        // Something may have come just now: then it is connected again.
        if mailbox.end(onlyIfIdle: true) != nil { return }
        lastUsed = .now
      }
      if client == nil, hasWork || !inboxes.isEmpty, !isHeld, .now >= nextAttempt { connect() }
      if let client, isReady { send(client) }
      wait()
    }
  }

  private var hasWork: Bool {
    !waiting.isEmpty || !unconfirmed.isEmpty || inboxes.contains { !$0.isEnded } || inflow != nil
  }

  /// Whether nothing may be read or written, because something that came is not settled.
  private var isHeld: Bool { inflow?.isHeld ?? false }

  private func take(_ command: Command) {
    switch command {
    case .publish(let message, let ticket): waiting.append((message, ticket))
    case .subscribe(let inbox):
      inboxes.append(inbox)
      if let client, isReady { subscribe(inbox, client) }
    case .receive(let inflow):
      self.inflow = inflow
      // A connection that is there already would write confirmations at once.
      drop(nil)
    }
  }

  /// Passes over what nobody waits for any more, and gives up a broker that is silent.
  private func passOver() {
    waiting.removeAll { $0.ticket.isFinished }
    for inbox in inboxes where inbox.isEnded { if let client, isReady { unsubscribe(inbox, client) } }
    inboxes.removeAll(where: \.isEnded)
    if client != nil, !isReady, .now >= connectBy { return fail(.unreachable("it does not answer"), mayWait: false) }
    let late = unconfirmed.filter { $0.value.ticket.isFinished }
    if late.contains(where: { $0.value.sentAt > lastHeard }) || unconfirmed.count > options.queuedMessages {
      return fail(.unreachable("it is silent"), mayWait: true)
    }
    for id in late.keys { unconfirmed[id] = nil }
  }

  private func end(_ reason: MQTTError, onlyIfIdle: Bool) {
    let last = mailbox.end(onlyIfIdle: onlyIfIdle) ?? []
    for command in last { take(command) }
    drop(reason)
    for (_, ticket) in waiting { ticket.finish(reason) }
    for inbox in inboxes { inbox.end(nil) }
    inflow?.end()
  }

  // MARK: - Connecting

  private func connect() {
    if let failure = Reach.failure(to: broker, within: options.connectSeconds) {
      return fail(.unreachable(failure), mayWait: false)
    }
    guard let client = mosquitto_new(options.clientId, !options.keepsSession, Unmanaged.passUnretained(self).toOpaque())
    else { return fail(.unreachable("no client could be made"), mayWait: false) }
    self.client = client
    mosquitto_int_option(
      client, MOSQ_OPT_PROTOCOL_VERSION, options.version == .v5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311)
    mosquitto_connect_v5_callback_set(client, onConnect)
    mosquitto_disconnect_v5_callback_set(client, onDisconnect)
    mosquitto_publish_v5_callback_set(client, onPublish)
    mosquitto_subscribe_v5_callback_set(client, onSubscribe)
    mosquitto_message_v5_callback_set(client, onMessage)
    if broker.user != nil || broker.password != nil {
      mosquitto_username_pw_set(client, broker.user ?? "", broker.password)
    }
    if broker.isSecure {
      let trusts = mosquitto_tls_set(
        client, options.authorities, options.authorities == nil ? "/etc/ssl/certs" : nil, options.certificate,
        options.certificate, nil)
      guard trusts == MOSQ_ERR_SUCCESS.rawValue else { return fail(.unreachable(Self.text(trusts)), mayWait: false) }
    }
    // The library writes nothing by itself then, confirmations neither.
    if inflow != nil { mosquitto_threaded_set(client, true) }
    connectBy = .now + .seconds(options.connectSeconds)
    var properties: OpaquePointer?
    defer { mosquitto_property_free_all(&properties) }
    if options.keepsSession, options.version == .v5 {
      mosquitto_property_add_int32(
        &properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL.rawValue.asInt32, UInt32(clamping: options.sessionSeconds))
    }
    let result = mosquitto_connect_bind_v5(
      client, broker.host, Int32(broker.port), Int32(max(5, options.keepAliveSeconds)), nil, properties)
    if result != MOSQ_ERR_SUCCESS.rawValue { fail(.unreachable(Self.text(result)), mayWait: false) }
  }

  /// The connection is lost, or there is none: what was sent is not known to have arrived.
  ///
  /// - Parameter mayWait: whether what has not been sent may wait for the next connection.
  private func fail(_ reason: MQTTError, mayWait: Bool) {
    drop(reason)
    failures += 1
    inflow?.report(reason)
    // Whoever only publishes asks again in their own time; a subscription comes back by itself.
    nextAttempt = .now + .seconds(inboxes.isEmpty && inflow == nil ? 0.5 : min(30, 0.5 * Double(1 << min(failures, 6))))
    guard !mayWait else { return }
    for (_, ticket) in waiting { ticket.finish(reason) }
    waiting = []
  }

  private func drop(_ reason: MQTTError?) {
    if let client { mosquitto_destroy(client) }
    client = nil
    isReady = false
    loss = nil
    for (ticket, _) in unconfirmed.values { ticket.finish(reason ?? .closed) }
    unconfirmed = [:]
    asked = [:]
    askedFilters = [:]
  }

  static func text(_ code: Int32) -> String {
    if code == MOSQ_ERR_ERRNO.rawValue { return String(cString: strerror(errno)) }
    return mosquitto_strerror(code).map { String(cString: $0) } ?? "error \(code)"
  }

  // MARK: - Sending

  private func send(_ client: OpaquePointer) {
    for (message, ticket) in waiting where !ticket.isFinished {
      var id: Int32 = 0
      writtenEarly = nil
      let result = message.payload.withUnsafeBytes { bytes in
        mosquitto_publish_v5(
          client, &id, message.topic, Int32(bytes.count), bytes.baseAddress, Int32(message.quality.rawValue),
          message.isRetained, nil)
      }
      if result == MOSQ_ERR_SUCCESS.rawValue {
        // A message without confirmation may have been written, and its ticket asked for, within the call.
        if let early = writtenEarly, early == id { ticket.finish(nil) } else { unconfirmed[id] = (ticket, .now) }
      } else {
        ticket.finish(.refused(Self.text(result)))
      }
    }
    waiting = []
  }

  private var writtenEarly: Int32?

  private func subscribe(_ inbox: Inbox, _ client: OpaquePointer) {
    var id: Int32 = 0
    let result = mosquitto_subscribe_v5(client, &id, inbox.filter, Int32(inbox.quality.rawValue), 0, nil)
    if result == MOSQ_ERR_SUCCESS.rawValue { asked[id] = inbox } else { inbox.end(.refused(Self.text(result))) }
  }

  private func unsubscribe(_ inbox: Inbox, _ client: OpaquePointer) {
    guard !inboxes.contains(where: { $0 !== inbox && !$0.isEnded && $0.filter == inbox.filter }) else { return }
    mosquitto_unsubscribe_v5(client, nil, inbox.filter, nil)
  }

  // MARK: - Waiting

  private func wait() {
    var polled = [pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0)]
    if let client {
      let socket = mosquitto_socket(client)
      if socket >= 0 {
        var events: Int32 = 0
        if !isHeld, !inboxes.contains(where: \.isFull) { events |= POLLIN }
        if !isHeld, mosquitto_want_write(client) { events |= POLLOUT }
        polled.append(pollfd(fd: socket, events: Int16(events), revents: 0))
      }
    }
    // Once a second for keep-alive; sooner where something falls due that no descriptor tells of.
    let pause: Int32 = client == nil && (hasWork || !inboxes.isEmpty) || !unconfirmed.isEmpty ? 100 : 1000
    _ = poll(&polled, nfds_t(polled.count), pause)
    if polled[0].revents != 0 {
      var count: UInt64 = 0
      _ = read(polled[0].fd, &count, 8)
    }
    guard let client else { return }
    var result: Int32 = 0
    if polled.count > 1 {
      let events = Int32(polled[1].revents)
      if events & (POLLIN | POLLHUP | POLLERR) != 0 {
        lastHeard = .now
        result = takeIn(client, mosquitto_socket(client))
      }
      if result == 0, !isHeld, events & POLLOUT != 0 { result = mosquitto_loop_write(client, 1) }
    }
    if result == 0 { result = mosquitto_loop_misc(client) }
    if let loss {
      // Not accepted: no use in waiting for a better answer.
      fail(loss, mayWait: false)
    } else if result != 0 {
      fail(.unreachable(Self.text(result)), mayWait: isReady)
    }
  }

  /// Reads what has come; for an inflow as much as makes a batch, which holds the connection then.
  private func takeIn(_ client: OpaquePointer, _ socket: Int32) -> Int32 {
    var result = mosquitto_loop_read(client, 1)
    guard let inflow else { return result }
    var polled = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
    while result == 0, inflow.hasRoom, poll(&polled, 1, 0) > 0 { result = mosquitto_loop_read(client, 1) }
    inflow.handOver()
    return result
  }

  /// Writes what is left, for a moment at most.
  private func flush(_ client: OpaquePointer) {
    let end = ContinuousClock.now + .milliseconds(300)
    while mosquitto_want_write(client), .now < end {
      var polled = pollfd(fd: mosquitto_socket(client), events: Int16(POLLOUT), revents: 0)
      guard polled.fd >= 0, poll(&polled, 1, 50) >= 0, mosquitto_loop_write(client, 1) == 0 else { return }
    }
  }
}

// MARK: - What the library tells

extension Worker {
  fileprivate func connected(_ code: Int32) {
    lastHeard = .now
    guard code == 0 else {
      let reason = options.version == .v5 ? mosquitto_reason_string(code) : mosquitto_connack_string(code)
      loss = .refused(reason.map { String(cString: $0) } ?? "reason \(code)")
      return
    }
    isReady = true
    failures = 0
    if let client { for inbox in inboxes { subscribe(inbox, client) } }
    if let client, let inflow { subscribe(inflow, client) }
  }

  private func subscribe(_ inflow: MQTTInflow, _ client: OpaquePointer) {
    // With a session that the broker kept, retained messages need not come again.
    let choices = options.version == .v5 ? MQTT_SUB_OPT_SEND_RETAIN_NEW.rawValue.asInt32 : 0
    for filter in inflow.filters {
      var id: Int32 = 0
      let result = mosquitto_subscribe_v5(client, &id, filter, Int32(inflow.quality.rawValue), choices, nil)
      guard result == MOSQ_ERR_SUCCESS.rawValue else { return inflow.report(.refused(Self.text(result))) }
      askedFilters[id] = filter
    }
  }

  fileprivate func confirmed(_ id: Int32, _ reason: Int32) {
    guard let (ticket, _) = unconfirmed.removeValue(forKey: id) else {
      writtenEarly = id
      return
    }
    // From 128 on a reason is a failure (MQTT 5.0 section 2.4).
    ticket.finish(
      reason < 128 ? nil : .refused(Self.reason(reason)))
  }

  private static func reason(_ code: Int32) -> String {
    mosquitto_reason_string(code).map { String(cString: $0) } ?? "reason \(code)"
  }

  fileprivate func subscribed(_ id: Int32, _ granted: Int32?) {
    if let filter = askedFilters.removeValue(forKey: id), let inflow {
      let refusal = granted.flatMap { $0 < 128 ? nil : Self.reason($0) }
      inflow.report(refusal.map { .refused("the subscription to \(filter.prefix(100)): \($0)") })
      return
    }
    guard let inbox = asked.removeValue(forKey: id), let granted, granted >= 128 else { return }
    inbox.end(.refused(Self.reason(granted)))
  }

  fileprivate func received(_ message: MQTTMessage) {
    if let inflow { return inflow.put(message) }
    for inbox in inboxes {
      var matches = false
      mosquitto_topic_matches_sub(inbox.filter, message.topic, &matches)
      if matches { inbox.put(message) }
    }
  }
}

extension UInt32 {
  /// How Swift sees the library's enumerations, and how its functions want them.
  fileprivate var asInt32: Int32 { Int32(bitPattern: self) }
}

// The library calls these on the worker's thread, from within its own functions; the object is the worker, which lives
// as long as its client.

private func worker(_ object: UnsafeMutableRawPointer?) -> Worker? {
  object.map { Unmanaged<Worker>.fromOpaque($0).takeUnretainedValue() }
}

private func onConnect(
  _: OpaquePointer?, object: UnsafeMutableRawPointer?, code: Int32, _: Int32, _: OpaquePointer?
) { worker(object)?.connected(code) }

private func onDisconnect(_: OpaquePointer?, _: UnsafeMutableRawPointer?, _: Int32, _: OpaquePointer?) {}

private func onPublish(
  _: OpaquePointer?, object: UnsafeMutableRawPointer?, id: Int32, reason: Int32, _: OpaquePointer?
) { worker(object)?.confirmed(id, reason) }

private func onSubscribe(
  _: OpaquePointer?, object: UnsafeMutableRawPointer?, id: Int32, count: Int32, granted: UnsafePointer<Int32>?,
  _: OpaquePointer?
) { worker(object)?.subscribed(id, count > 0 ? granted?.pointee : nil) }

private func onMessage(
  _: OpaquePointer?, object: UnsafeMutableRawPointer?, message: UnsafePointer<mosquitto_message>?, _: OpaquePointer?
) {
  guard let message = message?.pointee, let topic = message.topic else { return }
  let payload = [UInt8](UnsafeRawBufferPointer(start: message.payload, count: Int(message.payloadlen)))
  worker(object)?.received(
    MQTTMessage(
      topic: String(cString: topic), payload: payload, quality: MQTTQuality(rawValue: Int(message.qos)) ?? .atMostOnce,
      isRetained: message.retain))
}
