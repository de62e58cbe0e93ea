import Synchronization

/// Connections for publishing, one for each broker, user and version, shared by all that publish there.
///
/// At most ``bound`` of them; one that is idle makes room for another, and one that stays idle ends.
public final class MQTTConnections: Sendable {
  private struct Key: Hashable {
    var broker: MQTTBroker
    var version: MQTTVersion
  }

  private struct State {
    var connections: [Key: MQTTConnection] = [:]
    var isClosed = false
  }

  public let bound: Int
  private let options: MQTTConnection.Options
  private let state = Mutex(State())

  /// - Parameters:
  ///   - options: for all of them; the version is the one that a message is published with.
  ///   - bound: most connections at once.
  public init(options: MQTTConnection.Options = MQTTConnections.defaultOptions, bound: Int = 64) {
    self.options = options
    self.bound = bound
  }

  /// Ends a connection after a minute without a message.
  public static var defaultOptions: MQTTConnection.Options {
    var options = MQTTConnection.Options()
    options.idleSeconds = 60
    return options
  }

  /// Connections that have not ended.
  public var count: Int { state.withLock { $0.connections.values.count { !$0.isEnded } } }

  public func publish(
    _ message: MQTTMessage, to broker: MQTTBroker, version: MQTTVersion, within seconds: Double
  ) async throws(MQTTError) {
    for _ in 0..<3 {
      let connection = try connection(Key(broker: broker, version: version))
      do { return try await connection.publish(message, within: seconds) } catch {
        // It ended, being idle, just when it was wanted.
        guard error == .closed, connection.isEnded else { throw error }
      }
    }
    throw .closed
  }

  /// Closes all of them; nothing can be published after.
  public func close() async {
    let connections = state.withLock { state in
      state.isClosed = true
      defer { state.connections = [:] }
      return Array(state.connections.values)
    }
    await withTaskGroup(of: Void.self) { group in
      for connection in connections { group.addTask { await connection.close() } }
    }
  }

  private func connection(_ key: Key) throws(MQTTError) -> MQTTConnection {
    let outcome: Result<MQTTConnection, MQTTError> = state.withLock { state in
      guard !state.isClosed else { return .failure(.closed) }
      if let known = state.connections[key], !known.isEnded { return .success(known) }
      for (key, connection) in state.connections where connection.isEnded { state.connections[key] = nil }
      if state.connections.count >= bound {
        guard let idle = state.connections.first(where: { $0.value.waiting == 0 })?.key else {
          return .failure(.busy("connections to \(bound) brokers are at work, which is the bound"))
        }
        // Its last user lets go of it, which closes it.
        state.connections[idle] = nil
      }
      var options = options
      options.version = key.version
      let made = MQTTConnection(to: key.broker, options: options)
      state.connections[key] = made
      return .success(made)
    }
    return try outcome.get()
  }
}
