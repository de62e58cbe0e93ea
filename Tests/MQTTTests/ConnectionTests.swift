import Foundation
import Glibc
import Testing

@testable import MQTT

// Clauses: none: MQTT itself (3.1.1, 5.0)
/// The connection against a real broker.
@Suite struct ConnectionTests {
  private func broker(_ port: Int) -> MQTTBroker { MQTTBroker(host: "127.0.0.1", port: port) }

  private func message(_ text: String, _ quality: MQTTQuality = .atLeastOnce, topic: String = "city/pm10")
    -> MQTTMessage
  { MQTTMessage(topic: topic, payload: Array(text.utf8), quality: quality) }

  /// Reads so many messages, or as many as come in time.
  private func read(_ count: Int, of messages: MQTTMessages, seconds: Double = 10) async -> [String] {
    let reader = Task {
      var texts: [String] = []
      for await message in messages {
        texts.append(String(decoding: message.payload, as: UTF8.self))
        if texts.count == count { break }
      }
      return texts
    }
    let timer = Task {
      try? await Task.sleep(for: .seconds(seconds))
      reader.cancel()
    }
    defer { timer.cancel() }
    return await reader.value
  }

  private func eventually(_ seconds: Double = 10, _ condition: () async -> Bool) async -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
      if await condition() { return true }
      try? await Task.sleep(for: .milliseconds(20))
    }
    return false
  }

  @Test(arguments: MQTTVersion.allCases, MQTTQuality.allCases)
  func whatIsPublishedComesToTheSubscriber(version: MQTTVersion, quality: MQTTQuality) async throws {
    guard Mosquitto.isThere() else { return }
    let mosquitto = try Mosquitto()
    var options = MQTTConnection.Options()
    options.version = version
    let receiver = MQTTConnection(to: broker(mosquitto.port), options: options)
    let sender = MQTTConnection(to: broker(mosquitto.port), options: options)
    let messages = try receiver.messages(of: "city/+", quality: quality)
    let others = try receiver.messages(of: "elsewhere/#", quality: quality)
    // Until the subscription stands the broker throws away what is not retained.
    try await sender.publish(
      MQTTMessage(topic: "city/pm10", payload: Array("kept".utf8), quality: quality, isRetained: true), within: 10)
    #expect(await read(1, of: messages) == ["kept"])
    for number in 0..<50 { try await sender.publish(message("\(number)", quality), within: 10) }
    #expect(await read(50, of: messages).sorted() == (0..<50).map(String.init).sorted())
    #expect(sender.waiting == 0)
    await sender.close()
    await receiver.close()
    #expect(await read(1, of: others, seconds: 1) == [] && sender.isEnded && receiver.isEnded)
    await #expect(throws: MQTTError.closed) { try await sender.publish(message("late"), within: 1) }
  }

  @Test func aSlowReaderSlowsTheBrokerAndLosesNothing() async throws {
    guard Mosquitto.isThere() else { return }
    let mosquitto = try Mosquitto()
    var options = MQTTConnection.Options()
    options.receivedMessages = 5
    options.receivedBytes = 100
    let receiver = MQTTConnection(to: broker(mosquitto.port), options: options)
    let sender = MQTTConnection(to: broker(mosquitto.port))
    let messages = try receiver.messages(of: "city/pm10", quality: .atLeastOnce)
    try await sender.publish(
      MQTTMessage(topic: "city/pm10", payload: [48], quality: .atLeastOnce, isRetained: true), within: 10)
    #expect(await read(1, of: messages) == ["0"])
    try await sender.publish(message(String(repeating: "x", count: 101)), within: 10)
    for number in 1...60 { try await sender.publish(message("\(number)"), within: 10) }
    try await Task.sleep(for: .milliseconds(300))
    #expect(await read(60, of: messages) == (1...60).map(String.init))
    #expect(messages.tooLarge == 1)
    await sender.close()
    await receiver.close()
  }

  @Test func aRestartedBrokerIsFoundAgain() async throws {
    guard Mosquitto.isThere() else { return }
    let mosquitto = try Mosquitto()
    let receiver = MQTTConnection(to: broker(mosquitto.port))
    let sender = MQTTConnection(to: broker(mosquitto.port))
    let messages = try receiver.messages(of: "city/pm10", quality: .exactlyOnce)
    try await sender.publish(message("before"), within: 10)
    mosquitto.stop()
    await #expect(throws: MQTTError.self) { try await sender.publish(message("meanwhile"), within: 3) }
    try mosquitto.start()
    try await sender.publish(
      MQTTMessage(topic: "city/pm10", payload: Array("after".utf8), quality: .atLeastOnce, isRetained: true), within: 20
    )
    var came: [String] = []
    _ = await eventually(20) {
      came += await read(1, of: messages, seconds: 20)
      return came.contains("after")
    }
    #expect(came.contains("after"), "the subscription was made again")
    await sender.close()
    await receiver.close()
  }

  @Test func deadSilentAndUnknownBrokersFailInTime() async throws {
    let (silent, silentPort) = Mosquitto.listener()
    defer { Glibc.close(silent) }
    let clock = ContinuousClock()
    for broker in [broker(Mosquitto.freePort()), broker(silentPort), MQTTBroker(host: "no.such.invalid", port: 1883)] {
      var options = MQTTConnection.Options()
      options.connectSeconds = 1
      let connection = MQTTConnection(to: broker, options: options)
      let taken = await clock.measure {
        await withTaskGroup(of: Void.self) { group in
          for number in 0..<20 {
            group.addTask {
              await #expect(throws: MQTTError.self) { try await connection.publish(message("\(number)"), within: 3) }
            }
          }
        }
      }
      #expect(taken < .seconds(12), "\(broker.host): \(taken)")
      #expect(connection.waiting == 0)
      await connection.close()
    }
  }

  @Test func queuesAreBounded() async throws {
    let (silent, port) = Mosquitto.listener()
    defer { Glibc.close(silent) }
    var options = MQTTConnection.Options()
    options.queuedMessages = 3
    let connection = MQTTConnection(to: broker(port), options: options)
    let waiting = (0..<3).map { number in
      Task { try? await connection.publish(message("\(number)"), within: 2) }
    }
    #expect(await eventually { connection.waiting == 3 })
    await #expect(throws: MQTTError.busy("more messages wait for the broker than may")) {
      try await connection.publish(message("4"), within: 1)
    }
    for task in waiting { await task.value }
    await connection.close()
    await #expect(throws: MQTTError.self) { try await connection.publish(message("", topic: "a/#"), within: 1) }
    #expect(throws: MQTTError.self) { try connection.messages(of: "a/#/b", quality: .atMostOnce) }
  }

  @Test func connectionsAreSharedBoundedAndEndWhenIdle() async throws {
    guard Mosquitto.isThere() else { return }
    let brokers = try (0..<3).map { _ in try Mosquitto() }
    var options = MQTTConnection.Options()
    options.idleSeconds = 0.5
    let connections = MQTTConnections(options: options, bound: 2)
    for round in 0..<6 {
      let place = broker(brokers[round % 3].port)
      try await connections.publish(message("\(round)"), to: place, version: .v5, within: 10)
      #expect(connections.count <= 2)
    }
    #expect(await eventually { connections.count == 0 }, "idle ones end")
    try await connections.publish(message("again"), to: broker(brokers[0].port), version: .v311, within: 10)
    await connections.close()
    await #expect(throws: MQTTError.closed) {
      try await connections.publish(message("late"), to: broker(brokers[0].port), version: .v5, within: 1)
    }
  }
}
