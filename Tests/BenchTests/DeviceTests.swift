import Foundation
import Testing

@testable import Bench

@Suite struct DeviceTests {
  /// Foundation reads what our text says: 1 KB, eight attributes, whatever the number.
  @Test func entitiesAreAKilobyteOfEightAttributes() throws {
    for index in stride(from: 0, to: 200_000, by: 997) {
      let text = Device(index: index, seed: 2019).json(reading: index * 7)
      #expect(text.utf8.count == Device.bytes)
      let object = try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
      #expect(object.count == 2 + 8 && object["id"] as? String == Device.idPrefix + "\(index)")
      let temperature = try #require(object["temperature"] as? [String: Any])
      let observed = try #require(temperature["observedAt"] as? String)
      #expect((try? Date.ISO8601FormatStyle().parse(observed)) != nil, "\(observed)")
    }
  }

  @Test func theSameSeedGivesTheSameFleet() {
    #expect(Device(index: 7, seed: 1).json(reading: 3) == Device(index: 7, seed: 1).json(reading: 3))
    #expect(Device(index: 7, seed: 1).json() != Device(index: 7, seed: 2).json())
    #expect(Device(index: 7, seed: 1).level == Device(index: 7, seed: 1).level)
    #expect(Device(index: 7, seed: 1).patch(reading: 1) != Device(index: 7, seed: 1).patch(reading: 2))
  }

  /// A range of levels holds about 25 devices of any size of fleet.
  @Test(arguments: [500, 10_000, 100_000])
  func rangesAreSelective(size: Int) {
    let requests = Requests(host: "", size: size, seed: 2019)
    let levels = (0..<size).map { Device(index: $0, seed: 2019).level }.sorted()
    var hits = 0
    for number in 0..<200 {
      let (low, high) = requests.range(number)
      let found = levels.count { $0 >= low && $0 < high }
      #expect((3...60).contains(found), "range \(number) holds \(found)")
      hits += found
    }
    #expect((22...28).contains(Double(hits) / 200))
  }
}
