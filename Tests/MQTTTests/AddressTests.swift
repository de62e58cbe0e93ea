import Foundation
import Testing

@testable import MQTT

// Clauses: 7.2
/// URIs of MQTT endpoints (clause 7.2).
@Suite struct AddressTests {
  @Test func everyPartIsRead() throws {
    let whole = try MQTTAddress("mqtts://city%20hub:p%40ss:w@broker.example:8884/city/pm10/%EA%B3%B5%EA%B8%B0")
    #expect(
      whole.broker
        == MQTTBroker(host: "broker.example", port: 8884, isSecure: true, user: "city hub", password: "p@ss:w"))
    #expect(whole.topic == "city/pm10/공기")
    #expect(try MQTTAddress("mqtt://10.0.0.1/t").broker == MQTTBroker(host: "10.0.0.1", port: 1883))
    #expect(try MQTTAddress("MQTTS://h/t").broker == MQTTBroker(host: "h", port: 8883, isSecure: true))
    #expect(try MQTTAddress("mqtt://user@h/t").broker == MQTTBroker(host: "h", port: 1883, user: "user"))
    #expect(try MQTTAddress("mqtt://:pw@h/t").broker == MQTTBroker(host: "h", port: 1883, user: "", password: "pw"))
    #expect(try MQTTAddress("mqtt://[::1]:1884/t").broker == MQTTBroker(host: "::1", port: 1884))
    #expect(try MQTTAddress("mqtt://h//a//").topic == "/a//", "empty levels are levels")
  }

  @Test(arguments: [
    "", "mqtt", "mqtt:h/t", "http://h/t", "mqtt://h", "mqtt://h/", "mqtt:///t", "mqtt://@/t", "mqtt://h:0/t",
    "mqtt://h:65536/t", "mqtt://h:x/t", "mqtt://h:/t", "mqtt://h:+1/t", "mqtt://[::1/t", "mqtt://[::1]x/t",
    "mqtt://[h]/t", "mqtt://a b/t", "mqtt://h/a/+/b", "mqtt://h/a/#", "mqtt://h/a%23", "mqtt://h/a?b",
    "mqtt://h/$SYS/x",
    "mqtt://h/%", "mqtt://h/%0", "mqtt://h/%zz", "mqtt://h/%00", "mqtt://h/%0A", "mqtt://h/%ff", "mqtt://h/%C2%85",
    "mqtt://h/%EF%BF%BF", "mqtt://u%00:p@h/t",
  ])
  func whatNamesNoTopicIsRefused(uri: String) {
    #expect { try MQTTAddress(uri) } throws: { error in
      if case .notAnAddress(let why)? = error as? MQTTError { !why.isEmpty } else { false }
    }
  }

  @Test func lengthIsBounded() {
    #expect(throws: MQTTError.self) { try MQTTAddress("mqtt://h/" + String(repeating: "t", count: 5000)) }
  }
}

// Clauses: 7.2
@Suite struct AddressFuzzTests {
  /// `MADANG_FUZZ=N` tries N inputs instead of the short default; `MADANG_FUZZ_SEED` starts elsewhere.
  @Test func addresses() {
    let environment = ProcessInfo.processInfo.environment
    let count = environment["MADANG_FUZZ"].flatMap(Int.init) ?? 20_000
    var random = Numbers(state: environment["MADANG_FUZZ_SEED"].flatMap(UInt64.init) ?? 42)
    let seeds = [
      "mqtt://user:password@broker.example:1884/city/pm10", "mqtts://[2001:db8::1]:8883/a/b/c", "mqtt://h/t",
      "mqtt://u%41:p%42@h/%EA%B3%B5",
    ]
    let tokens = [
      "mqtt://", "mqtts://", "@", ":", "/", "//", "[", "]", "::1", "%", "%2", "%41", "%00", "%ff", "+", "#", "$", "?",
      "é",
      "공", "\u{0}", "\u{FFFF}", "1883", "99999", "-1", " ", "a", ".",
    ]
    var taken = 0
    for _ in 0..<count {
      var text: String
      if random.next() % 5 < 2 {
        text = (0...random.next() % 12).map { _ in tokens[Int(random.next() % UInt64(tokens.count))] }.joined()
      } else {
        var scalars = Array(seeds[Int(random.next() % UInt64(seeds.count))].unicodeScalars)
        for _ in 0..<random.next() % 4 {
          let place = Int(random.next() % UInt64(scalars.count + 1))
          let token = tokens[Int(random.next() % UInt64(tokens.count))].unicodeScalars
          if random.next() % 3 > 0 || place == scalars.count {
            scalars.insert(contentsOf: token, at: place)
          } else {
            scalars.remove(at: place)
          }
        }
        text = ""
        text.unicodeScalars.append(contentsOf: scalars)
      }
      do {
        let address = try MQTTAddress(text)
        taken += 1
        // What is taken is something that can be published on, at a place that can be dialled.
        #expect(MQTTAddress.refusal(ofTopic: address.topic) == nil, "\(text.debugDescription)")
        #expect((1...65_535).contains(address.broker.port) && !address.broker.host.isEmpty, "\(text.debugDescription)")
        #expect(!address.topic.utf8.contains(0), "\(text.debugDescription)")
      } catch {
        if case .notAnAddress = error { continue }
        Issue.record("\(text.debugDescription): \(error)")
      }
    }
    #expect(taken > count / 100, "\(taken) of \(count) were taken")
  }
}

/// Numbers that are the same in every run (SplitMix64).
private struct Numbers {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
