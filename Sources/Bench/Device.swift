import NIOCore

/// The data set: entities of 1 KB and eight attributes, the same for the same seed.
///
/// Everything is synthetic. What queries go by (``level``, ``lot``) never changes; measured values do.
struct Device: Sendable {
  static let type = "BenchDevice"
  static let idPrefix = "urn:ngsi-ld:BenchDevice:"
  /// Size of an entity as JSON; a text fills it up.
  static let bytes = 1024
  /// Devices that share a ``lot``.
  static let perLot = 20

  let index: Int
  let seed: UInt64

  var id: String { Self.idPrefix + String(index) }

  /// Evenly spread over 0 ..< 1.
  var level: Double { Double(Self.mix(seed &+ UInt64(index)) >> 11) * 0x1p-53 }

  /// The text that a device shares with its neighbours by number.
  var lot: String { Self.lot(index / Self.perLot) }

  static func lot(_ number: Int) -> String { "lot-\(number)" }

  /// The values of one reading; another `reading` gives others.
  func readings(_ reading: Int) -> (temperature: Double, humidity: Double, battery: Double, time: String) {
    let bits = Self.mix(seed ^ UInt64(index) &* 31 ^ UInt64(reading) &* 0x9E37_79B9)
    let second = reading % 60
    let minute = reading / 60 % 60
    let hour = reading / 3600 % 24
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return (
      Double(Int(bits & 0x3FF) - 200) / 20, Double(bits >> 16 & 0x3FF) / 10.24, Double(bits >> 32 & 0x3FF) / 1024,
      "2026-01-\(two(1 + reading / 86400 % 28))T\(two(hour)):\(two(minute)):\(two(second))Z"
    )
  }

  /// The entity in normalized form.
  func json(reading: Int = 0) -> String {
    let values = readings(reading)
    let place = Self.mix(seed ^ UInt64(index) &* 7919)
    let longitude = 126.8 + Double(place & 0xFFFF) / 200_000
    let latitude = 37.45 + Double(place >> 16 & 0xFFFF) / 300_000
    func measured(_ name: String, _ value: Double, _ unit: String) -> String {
      ",\"\(name)\":{\"type\":\"Property\",\"value\":\(value),\"unitCode\":\"\(unit)\",\"observedAt\":\"\(values.time)\"}"
    }
    var text = "{\"id\":\"\(id)\",\"type\":\"\(Self.type)\""
    text +=
      ",\"location\":{\"type\":\"GeoProperty\",\"value\":{\"type\":\"Point\",\"coordinates\":[\(longitude),\(latitude)]}}"
    text += measured("temperature", values.temperature, "CEL")
    text += measured("humidity", values.humidity, "P1")
    text += measured("batteryLevel", values.battery, "C62")
    text += ",\"level\":{\"type\":\"Property\",\"value\":\(level)},\"lot\":{\"type\":\"Property\",\"value\":\"\(lot)\"}"
    text += ",\"refDistrict\":{\"type\":\"Relationship\",\"object\":\"urn:ngsi-ld:BenchDistrict:\(index % 25)\"}"
    text += ",\"description\":{\"type\":\"Property\",\"value\":\""
    let rest = max(0, Self.bytes - text.utf8.count - 3)
    return text + String(repeating: "마당 ", count: rest / 7) + String(repeating: "x", count: rest % 7) + "\"}}"
  }

  /// A partial update of `temperature`.
  func patch(reading: Int) -> String {
    let values = readings(reading)
    return "{\"type\":\"Property\",\"value\":\(values.temperature),\"observedAt\":\"\(values.time)\"}"
  }

  /// SplitMix64 (Steele, Lea, Flood, 2014): each input gives an evenly spread output.
  static func mix(_ input: UInt64) -> UInt64 {
    var bits = input &+ 0x9E37_79B9_7F4A_7C15
    bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
    return bits ^ bits >> 31
  }
}
