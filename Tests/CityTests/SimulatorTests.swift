import Foundation
import NGSI
import Synchronization
import Oracles
import Testing

@testable import City

extension Entity {
  func number(_ name: String) -> Double? { self[attribute: Vocabulary.iri(name)]?.instances.first?.value.number }
  func text(_ name: String) -> String? { self[attribute: Vocabulary.iri(name)]?.instances.first?.value.string }
}

@Suite("Simulator")
struct SimulatorTests {
  /// Beyond these no value can be right, whatever the city.
  static let possible: [String: ClosedRange<Double>] = [
    "pm25": 0...1000, "pm10": 0...2000, "no2": 0...1000, "o3": 0...700, "so2": 0...1000, "co": 0...50_000,
    "temperature": -60...80, "dewPoint": -60...40, "relativeHumidity": 0...100, "atmosphericPressure": 500...1085,
    "precipitation": 0...100, "windSpeed": 0...60, "windDirection": 0...360, "solarRadiation": 0...1200,
    "illuminance": 0...135_000, "LAeq": 25...110, "LAmax": 25...130, "LA90": 20...110, "pH": 5...10,
    "turbidity": 0...300, "conductivity": 10...3000, "O2": 0...15, "chlorine": 0...4, "waterConsumption": 0...1e7,
    "flow": 0...1e7, "pressure": 100...700, "powerConsumption": 0...1000, "illuminanceLevel": 0...1,
    "intensity": 0...12_000, "averageVehicleSpeed": 0...130, "occupancy": 0...1, "availableSpotNumber": 0...30_000,
    "occupiedSpotNumber": 0...30_000, "peopleOccupancy": 0...20_000, "activePower": 0...1e6,
    "totalActiveEnergyImport": 0...1e7, "rmsVoltage": 200...250, "rmsCurrent": 0...1e6, "powerFactor": 0.5...1,
    "frequency": 59...61, "fillingLevel": 0...1, "batteryLevel": 0...1, "rssi": -130...0, "speed": 0...130,
    "bearing": 0...360,
  ]

  static let instant = DateTime(year: 2026, month: 11, day: 3, hour: 4)!

  static func city(_ name: String, seed: Int? = nil) throws -> SimulatedCity {
    var manifest = try Examples.manifest(name)
    if let seed { manifest.seed = seed }
    // A few of each kind behave like all of them.
    for index in manifest.fleets.indices { manifest.fleets[index].count = min(manifest.fleets[index].count, 4) }
    return SimulatedCity(manifest)
  }

  @Test("values stay possible through a year, whatever seed and city", arguments: Examples.paths, [1, 77, 20_251_122])
  func physicalLimits(path: String, seed: Int) throws {
    let name = URL(filePath: path).lastPathComponent.replacing(".city.yaml", with: "")
    let city = try Self.city(name, seed: seed)
    let draw = RandomStream(seed: UInt64(seed))
    let start = try #require(DateTime(year: 2026, month: 1, day: 1))
    var seen: Set<String> = []
    var impossible: [String] = []
    for step in 0..<120 {
      // Any second of the year.
      let time = start.adding(seconds: (draw.unit(Int64(step)) * 365 * 86_400).rounded())
      for fleet in city.fleets {
        for entity in fleet.readings(at: time) {
          for set in entity.attributes {
            guard let value = set.instances[0].value.number else { continue }
            let short = String(set.name.split(separator: "/").last ?? "")
            seen.insert(short)
            let range = try #require(Self.possible[short], "no limits for \(short)")
            if !range.contains(value) { impossible.append("\(entity.id) \(short) = \(value) at \(time)") }
          }
          if !(try Self.fitsTogether(entity, fleet)) { impossible.append("\(entity) at \(time)") }
        }
      }
    }
    #expect(impossible == [])
    #expect(seen.count == Self.possible.count, "never seen: \(Set(Self.possible.keys).subtracting(seen))")
  }

  /// Whether the values of one reading agree with each other.
  static func fitsTogether(_ entity: Entity, _ fleet: Fleet) throws -> Bool {
    func value(_ name: String) throws -> Double { try #require(entity.number(name)) }
    switch fleet.plan.type {
    case .airQualityObserved: return try value("pm10") >= value("pm25")
    case .weatherObserved: return try value("dewPoint") <= value("temperature")
    case .waterQualityObserved:
      return try value("O2") <= WaterQualityModel.oxygenSaturation(celsius: value("temperature")) + 0.01
    case .noiseLevelObserved: return try value("LAmax") >= value("LAeq") && value("LA90") <= value("LAeq")
    case .trafficFlowObserved:
      // What passes is density times speed, q = k v, with k from the occupancy; both are rounded.
      let density = try value("occupancy") / TrafficFlowModel.effectiveLength
      let speed = try value("averageVehicleSpeed")
      let lanes = fleet.plan.model?["lanes"] ?? 2
      return try abs(value("intensity") - density * speed * lanes) <= (0.1 * speed + 0.06 * density) * lanes + 1
    case .offStreetParking:
      let device = try #require(fleet.devices.first { $0.id == entity.id })
      let all = fleet.description(of: device).number("totalSpotNumber")
      return try value("availableSpotNumber") + value("occupiedSpotNumber") == all
    default: return true
    }
  }

  @Test("what meters count is the integral of what they show")
  func conservation() throws {
    let city = try Self.city("demo")
    let meters = try #require(city.fleets.first { $0.plan.type == .acMeasurement })
    let water = try #require(city.fleets.first { $0.plan.type == .waterConsumptionObserved })
    // Seoul's midnight.
    let midnight = try #require(DateTime(year: 2026, month: 8, day: 4, hour: 15))
    for device in meters.devices {
      var sum = 0.0
      var last = 0.0
      for minute in 0..<1439 {
        let now = midnight.adding(seconds: Double(minute) * 60)
        sum += try #require(meters.reading(device, at: now.adding(seconds: 30)).number("activePower")) / 60
        let energy = try #require(meters.reading(device, at: now.adding(seconds: 60)).number("totalActiveEnergyImport"))
        #expect(energy >= last)
        last = energy
      }
      #expect(abs(last - sum) < 0.002 * sum, "\(device.id): counted \(last) kWh, shown \(sum) kWh")
    }
    for device in water.devices {
      var flow = 0.0
      var counted = 0.0
      for quarter in 1...96 {
        let now = midnight.adding(seconds: Double(quarter) * 900)
        counted += try #require(water.reading(device, at: now).number("waterConsumption"))
        for minute in 0..<15 {
          let sample = now.adding(seconds: Double(minute) * 60 - 870)
          flow += try #require(water.reading(device, at: sample).number("flow")) / 60
        }
      }
      #expect(abs(flow - counted) < 0.002 * flow, "\(device.id): counted \(counted) l, shown \(flow) l")
    }
  }

  @Test("days have their shape")
  func shape() throws {
    let city = try Self.city("demo")
    func mean(_ type: DeviceType, _ name: String, day: Int, hour: Int) throws -> Double {
      let fleet = try #require(city.fleets.first { $0.plan.type == type })
      // Seoul is nine hours ahead; four weeks smooth the noise.
      let times = (0..<4).map {
        DateTime(year: 2026, month: 6, day: day, hour: 0)!.adding(
          seconds: Double(hour - 9) * 3600 + Double($0) * 7 * 86_400)
      }
      let values = times.flatMap { time in fleet.readings(at: time).compactMap { $0.number(name) } }
      return values.reduce(0, +) / Double(values.count)
    }
    // 2026-06-02 is a Tuesday, 2026-06-06 a Saturday.
    let rush = try mean(.trafficFlowObserved, "occupancy", day: 2, hour: 8)
    #expect(try rush > 1.5 * mean(.trafficFlowObserved, "occupancy", day: 2, hour: 11))
    #expect(try rush > 5 * mean(.trafficFlowObserved, "occupancy", day: 2, hour: 3))
    #expect(try rush > 3 * mean(.trafficFlowObserved, "occupancy", day: 6, hour: 8))
    #expect(
      try mean(.trafficFlowObserved, "occupancy", day: 2, hour: 18)
        > mean(.trafficFlowObserved, "occupancy", day: 2, hour: 15))
    #expect(
      try mean(.airQualityObserved, "no2", day: 2, hour: 8) > 1.5 * mean(.airQualityObserved, "no2", day: 2, hour: 3))
    #expect(
      try mean(.noiseLevelObserved, "LAeq", day: 2, hour: 8) > mean(.noiseLevelObserved, "LAeq", day: 2, hour: 3) + 5)
    #expect(
      try mean(.weatherObserved, "temperature", day: 2, hour: 15) > mean(
        .weatherObserved, "temperature", day: 2, hour: 4) + 3)
    #expect(
      try mean(.acMeasurement, "activePower", day: 2, hour: 20) > 1.3
        * mean(.acMeasurement, "activePower", day: 2, hour: 4))
  }

  @Test("heat drives load: Kuwait's homes draw more in July than in January")
  func heat() throws {
    let city = try Self.city("abdullah")
    let fleet = try #require(city.fleets.first { $0.plan.type == .acMeasurement })
    func load(month: Int) -> Double {
      (0..<14).map { day in
        let time = DateTime(year: 2026, month: month, day: 5, hour: 12)!.adding(seconds: Double(day) * 86_400)
        return fleet.readings(at: time).compactMap { $0.number("activePower") }.reduce(0, +)
      }.reduce(0, +)
    }
    #expect(load(month: 7) > 3 * load(month: 1))
  }

  @Test("lamps burn exactly while the sun is down")
  func lamps() throws {
    let city = try Self.city("santa-cruz")
    let fleet = try #require(city.fleets.first { $0.plan.type == .streetlight })
    let place = try Examples.manifest("santa-cruz").site.centre
    for step in 0..<300 {
      let time = Self.instant.adding(seconds: Double(step) * 8123)
      let isDark = Sun.elevation(at: time, place) < StreetlightModel.switchElevation
      for entity in fleet.readings(at: time) where entity.text("status") == "ok" {
        #expect(entity.text("powerState") == (isDark ? "on" : "off"))
      }
    }
  }

  @Test("buses move no faster than they say, bins only fill until they are emptied")
  func movement() throws {
    let city = try Self.city("demo")
    let buses = try #require(city.fleets.first { $0.plan.type == .vehicle })
    let bins = try #require(city.fleets.first { $0.plan.type == .wasteContainer })
    let ground = Ground(site: try Examples.manifest("demo").site)
    func place(_ entity: Entity) -> Ground.Point? {
      guard let pair = entity[attribute: Core.location]?.instances[0].value["coordinates"]?.array,
        let x = pair[0].number,
        let y = pair[1].number
      else { return nil }
      return ground.point(Coordinate(longitude: x, latitude: y))
    }
    for device in buses.devices {
      for step in 0..<1500 {
        let time = Self.instant.adding(seconds: Double(step) * 30)
        let before = buses.reading(device, at: time)
        let after = buses.reading(device, at: time.adding(seconds: 30))
        let a = try #require(place(before))
        let b = try #require(place(after))
        let fastest = try max(#require(before.number("speed")), #require(after.number("speed"))) / 3.6
        #expect(((a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y)).squareRoot() <= fastest * 30 + 1)
      }
    }
    for device in bins.devices {
      for step in 0..<900 {
        let time = Self.instant.adding(seconds: Double(step) * 600)
        let before = bins.reading(device, at: time)
        let after = bins.reading(device, at: time.adding(seconds: 600))
        if before.text("dateLastEmptying") == after.text("dateLastEmptying") {
          #expect(try #require(after.number("fillingLevel")) >= #require(before.number("fillingLevel")))
        } else {
          #expect(try #require(after.number("fillingLevel")) < 0.1)
        }
      }
    }
  }

  @Test("names are in both languages and tell the devices of a city apart", arguments: Examples.paths)
  func names(path: String) throws {
    var manifest = try ManifestFile.read(path: path).manifest
    var twin = manifest.fleets[0]
    twin.id += "-twin"
    manifest.fleets.append(twin)
    let fleets = SimulatedCity(manifest).fleets
    for language in ["ko", "en"] {
      let names = fleets.flatMap { fleet in
        fleet.devices.prefix(50).compactMap { device -> String? in
          let name = fleet.description(of: device)[attribute: Vocabulary.iri("name")]?.instances.first
          return name?.kind == .languageProperty ? name?.value[language]?.string : nil
        }
      }
      #expect(names.count == fleets.reduce(0) { $0 + min(50, $1.devices.count) })
      #expect(Set(names).count == names.count)
    }
  }

  @Test("every simulated entity says that it is synthetic, and stands in the city")
  func labelled() throws {
    for path in Examples.paths {
      let manifest = try ManifestFile.read(path: path).manifest
      let ground = Ground(site: manifest.site)
      var ids: Set<String> = []
      for fleet in SimulatedCity(manifest).fleets {
        #expect(fleet.devices.count == fleet.plan.count)
        for device in fleet.devices {
          let entity = fleet.description(of: device)
          #expect(entity.text(Synthetic.attribute) == "synthetic: madang simulator")
          #expect(entity[attribute: Core.location].map { Geometry.failure(of: $0.instances[0].value) } == .some(nil))
          #expect(IRI.isAbsolute(entity.id) && ids.insert(entity.id).inserted)
          if fleet.plan.placement.pattern != .route { #expect(ground.contains(device.place), "\(entity.id)") }
        }
      }
    }
  }

  @Test("the sun stands where NOAA's formulas put it, within 0.05°")
  func sun() throws {
    var samples: [JSON] = []
    let draw = RandomStream(seed: 5)
    for index in 0..<500 {
      let seconds = (draw.unit(Int64(index), 1) * 40 * 365.25 * 86_400 + 631_152_000).rounded()
      samples.append([
        .double(seconds), .double(draw.unit(Int64(index), 2) * 360 - 180),
        .double(draw.unit(Int64(index), 3) * 130 - 65),
      ])
    }
    guard
      let answers = try Oracle.ask("sun_oracle.py", ["samples": .array(samples)], for: "the sun against NOAA")?.array
    else { return }
    #expect(answers.count == samples.count)
    for (sample, answer) in zip(samples, answers) {
      let values = (sample.array ?? []).compactMap(\.number)
      let place = Coordinate(longitude: values[1], latitude: values[2])
      let ours = Sun.elevation(at: DateTime(secondsSince1970: values[0]), place)
      #expect(abs(ours - (answer.number ?? .nan)) < 0.05, "\(sample)")
    }
  }
}
