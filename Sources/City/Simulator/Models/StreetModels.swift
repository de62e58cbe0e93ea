import Foundation
import NGSI

/// A lamp: on while the sun is 2° or more below the horizon, dimmed in the small hours; now and then one fails.
struct StreetlightModel: DeviceModel {
  static let attributes = ["powerState", "status", "powerConsumption", "illuminanceLevel"]
  static let parameters = [ModelParameter(name: "watts", range: 5...1000, standard: 80)]
  /// Sun's height at which the twilight switch turns, degrees.
  static let switchElevation = -2.0

  let watts: Double

  func description(of device: Device) -> [Observation] {
    [
      Observation("lampPower", watts, digits: 0, unit: "WTT"),
      Observation("circuit", .string("C\(device.index / 40 + 1)")),
    ]
  }

  func reading(of device: Device, at moment: Moment) -> [Observation] {
    let now = moment.conditions
    let isDark = now.sunElevation < Self.switchElevation
    // A lamp in 300 waits for repair, each for a week in turn.
    let week = Int64(now.day / 7)
    let isDefective = device.stream.unit(week, 1) < 1.0 / 300
    let isOn = isDark && !isDefective
    let level = (1...5).contains(Int(now.hourOfDay)) ? 0.6 : 1.0
    return [
      Observation("powerState", isOn ? "on" : "off"),
      Observation("status", isDefective ? "defectiveLamp" : "ok"),
      Observation(
        "powerConsumption", isOn ? watts * level + 2 * device.stream.unit(week, 2) : 0.6, digits: 1, unit: "WTT"),
      Observation("illuminanceLevel", isOn ? level : 0, digits: 2, unit: "C62"),
    ]
  }
}

/// A counter over the lanes of one direction. Speed falls as density grows (B. D. Greenshields, "A study of traffic
/// capacity", 1935), and what passes is density times speed, always.
struct TrafficFlowModel: DeviceModel {
  static let attributes = ["intensity", "averageVehicleSpeed", "occupancy", "congested"]
  static let parameters = [
    ModelParameter(name: "lanes", range: 1...10, standard: 2),
    ModelParameter(name: "freeSpeed", range: 20...130, standard: 60),
  ]
  /// Vehicles in a kilometre of lane when nothing moves.
  static let jamDensity = 140.0
  /// A vehicle covers the detector for its length and the detector's own.
  static let effectiveLength = 0.0065

  let lanes: Double
  /// km/h.
  let freeSpeed: Double

  func description(of device: Device) -> [Observation] {
    [
      Observation("laneId", 1, digits: 0), Observation("numberOfLanes", lanes, digits: 0),
      Observation("speedLimit", freeSpeed, digits: 0, unit: "KMH"),
    ]
  }

  func reading(of device: Device, at moment: Moment) -> [Observation] {
    let now = moment.conditions
    let own = device.stream
    let busy =
      now.traffic * (0.45 + 0.75 * own.unit(0, 1)) * (1 + 0.12 * own.smooth(now.time.secondsSince1970, period: 900, 2))
    // Rain slows, demand fills the road: at full demand it stands two thirds full.
    let density = (busy.clamped(0...1) * 0.66 * Self.jamDensity).clamped(0.2...Self.jamDensity)
    let speed = max(4, freeSpeed * (1 - density / Self.jamDensity) * (now.rain > 1 ? 0.85 : 1))
    return [
      Observation("intensity", density * speed * lanes, digits: 0, unit: "VH"),
      Observation("averageVehicleSpeed", speed, digits: 1, unit: "KMH"),
      Observation("occupancy", (density * Self.effectiveLength).clamped(0...1), digits: 3, unit: "C62"),
      Observation("congested", .bool(speed < freeSpeed * 0.5)),
    ]
  }
}

/// One place at the kerb; it changes hands in turns of its own.
struct ParkingSpotModel: DeviceModel {
  static let attributes = ["status"]

  func description(of device: Device) -> [Observation] { [Observation("category", ["onStreet"])] }

  func reading(of device: Device, at moment: Moment) -> [Observation] {
    let now = moment.conditions
    let turn = 1500 + 6000 * device.stream.unit(0, 1)
    let index = Int64((now.time.secondsSince1970 / turn + device.stream.unit(0, 2)).rounded(.down))
    let demand = 0.25 + 0.65 * CityAlmanac.atWork(hour: now.hourOfDay, isWeekend: now.isWeekend)
    return [Observation("status", device.stream.unit(index, 3) < demand ? "occupied" : "free")]
  }
}

/// A car park: free and taken places always add up to all.
struct OffStreetParkingModel: DeviceModel {
  static let attributes = ["availableSpotNumber", "occupiedSpotNumber", "status"]
  static let parameters = [ModelParameter(name: "spots", range: 2...20_000, standard: 240)]

  let spots: Int

  private func total(_ device: Device) -> Int {
    max(2, Int((Double(spots) * (0.6 + 0.8 * device.stream.unit(0, 1))).rounded()))
  }

  func description(of device: Device) -> [Observation] {
    [
      Observation("totalSpotNumber", .integer(Int64(total(device)))),
      Observation("category", ["public", "underground"]),
    ]
  }

  func reading(of device: Device, at moment: Moment) -> [Observation] {
    let now = moment.conditions
    let all = total(device)
    let use =
      0.08 + 0.85 * CityAlmanac.atWork(hour: now.hourOfDay, isWeekend: now.isWeekend)
      + 0.07 * device.stream.smooth(now.time.secondsSince1970, period: 2400, 2)
    let taken = Int((Double(all) * use.clamped(0...1)).rounded())
    return [
      Observation("availableSpotNumber", .integer(Int64(all - taken))),
      Observation("occupiedSpotNumber", .integer(Int64(taken))),
      Observation("status", taken == all ? ["open", "full"] : ["open", "hasSpace"]),
    ]
  }
}

/// A bus on its line, to and fro from five in the morning to midnight, a whole number of round trips a day, so that
/// it ends where it starts.
struct VehicleModel: DeviceModel {
  static let attributes = ["location", "speed", "bearing", "serviceStatus"]
  static let parameters = [ModelParameter(name: "speed", range: 5...100, standard: 24)]
  static let start = 5.0 * 3600
  static let end = 24.0 * 3600

  let ground: Ground
  /// Without one, each vehicle has a line of its own through its place.
  let route: Polyline?
  /// km/h, as planned; what is driven differs a little so that round trips come out whole.
  let speed: Double
  let fleetCount: Int

  func description(of device: Device) -> [Observation] {
    [Observation("vehicleType", "bus"), Observation("category", ["public", "tracked"])]
  }

  private func line(_ device: Device) -> Polyline {
    if let route { return route }
    let middle = ground.point(device.place)
    let reach = (ground.areaSquareMetres.squareRoot() / 3).clamped(200...4000)
    let angle = Placer.turn + (device.stream.unit(0, 1) < 0.5 ? 0 : .pi / 2)
    return Polyline(points: [
      Ground.Point(x: middle.x - reach * cos(angle), y: middle.y - reach * sin(angle)),
      Ground.Point(x: middle.x + reach * cos(angle), y: middle.y + reach * sin(angle)),
    ])
  }

  func reading(of device: Device, at moment: Moment) -> [Observation] {
    let now = moment.conditions
    let line = line(device)
    let trip = max(1, 2 * line.length)
    let service = Self.end - Self.start
    let trips = max(1, (speed / 3.6 * service / trip).rounded())
    let isRunning = now.secondsOfDay >= Self.start && now.secondsOfDay < Self.end
    let driven = isRunning ? (now.secondsOfDay - Self.start) / service * trips : 0
    let offset = Double(device.index) / Double(max(1, fleetCount))
    let share = (driven + offset).truncatingRemainder(dividingBy: 1)
    let isOutward = share < 0.5
    let distance = (isOutward ? share : 1 - share) * trip
    let bearing = line.bearing(at: distance) + (isOutward ? 0 : 180)
    return [
      Observation("location", ground.coordinate(line.point(at: distance)).rounded.point, kind: .geoProperty),
      Observation("speed", isRunning ? trips * trip / service * 3.6 : 0, digits: 1, unit: "KMH"),
      Observation("bearing", bearing >= 360 ? bearing - 360 : bearing, digits: 0, unit: "DD"),
      Observation("serviceStatus", isRunning ? "onRoute" : "parked"),
    ]
  }
}
