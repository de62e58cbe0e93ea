import Foundation
import Testing

@testable import MQTT

// Clauses: none: MQTT itself (3.1.1, 5.0)
/// Messages that are confirmed when they are settled, against a real broker.
@Suite struct InflowTests {
  private func connection(_ port: Int, _ version: MQTTVersion, id: String? = nil) -> MQTTConnection {
    var options = MQTTConnection.Options()
    options.version = version
    options.clientId = id
    options.keepsSession = id != nil
    return MQTTConnection(to: MQTTBroker(host: "127.0.0.1", port: port), options: options)
  }

  /// Takes until so many have come in all; leaves the last batch as it is.
  private func take(_ count: Int, _ inflow: MQTTInflow) async -> [String] {
    var texts: [String] = []
    while let batch = await inflow.next() {
      texts += batch.map { String(decoding: $0.payload, as: UTF8.self) }
      if texts.count >= count { break }
      inflow.settle()
    }
    return texts
  }

  @Test(arguments: MQTTVersion.allCases, [MQTTQuality.atLeastOnce, .exactlyOnce])
  func whatIsNotSettledComesAgain(version: MQTTVersion, quality: MQTTQuality) async throws {
    guard Mosquitto.isThere() else { return }
    let mosquitto = try Mosquitto()
    let first = connection(mosquitto.port, version, id: "hub")
    let ready = AsyncStream.makeStream(of: Void.self)
    let inflow = try first.receive(["city/#", "$share/hubs/shared/+"], quality: quality, batch: 10) { failure in
      if failure == nil { ready.continuation.yield() }
    }
    // Both subscriptions stand.
    var told = 0
    for await _ in ready.stream {
      told += 1
      if told == 2 { break }
    }
    let sender = connection(mosquitto.port, version)
    for number in 0..<30 {
      let topic = number % 3 == 0 ? "shared/x" : "city/x"
      try await sender.publish(
        MQTTMessage(topic: topic, payload: Array("\(number)".utf8), quality: quality), within: 60)
    }
    var got = await take(1, inflow)
    let unsettled = Set(got)
    #expect(!got.isEmpty && got.count <= 20)
    await first.close()

    let second = connection(mosquitto.port, version, id: "hub")
    let again = try second.receive(["city/#", "$share/hubs/shared/+"], quality: quality, batch: 10)
    // A connection that is lost meanwhile brings some of them twice.
    var seen: Set<String> = []
    while seen.count < 30 {
      got = await take(1, again)
      guard !got.isEmpty else { break }
      seen.formUnion(got)
      again.settle()
    }
    #expect(seen.isSuperset(of: unsettled) && seen.count == 30, "\(seen)")
    await second.close()

    // Once settled they are gone: only what is new comes.
    try await sender.publish(MQTTMessage(topic: "city/x", payload: Array("last".utf8), quality: quality), within: 60)
    let third = connection(mosquitto.port, version, id: "hub")
    let rest = try third.receive(["city/#", "$share/hubs/shared/+"], quality: quality, batch: 10)
    #expect(await take(1, rest) == ["last"])
    rest.settle()
    await third.close()
    await sender.close()
  }

  @Test func aDeadBrokerIsToldAndALivingOneFound() async throws {
    guard Mosquitto.isThere() else { return }
    let mosquitto = try Mosquitto()
    mosquitto.stop()
    let reports = AsyncStream.makeStream(of: Bool.self)
    let receiver = connection(mosquitto.port, .v5, id: "hub")
    let inflow = try receiver.receive(["a"], quality: .atLeastOnce, batch: 10) { reports.continuation.yield($0 == nil) }
    var told = reports.stream.makeAsyncIterator()
    #expect(await told.next() == false)
    try mosquitto.start()
    while await told.next() == false {}
    let sender = connection(mosquitto.port, .v5)
    try await sender.publish(MQTTMessage(topic: "a", payload: [0x31], quality: .atLeastOnce), within: 60)
    #expect(await take(1, inflow) == ["1"])
    await receiver.close()
    #expect(await inflow.next() == nil)
    await sender.close()
  }
}
