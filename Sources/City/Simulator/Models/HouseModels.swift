import Foundation
import NGSI

/// A house with a generated footprint and height, and how many people are in it.
struct BuildingModel: DeviceModel {
  static let attributes = ["peopleOccupancy"]
  static let parameters = [
    ModelParameter(name: "minFloors", range: 1...150, standard: 3),
    ModelParameter(name: "maxFloors", range: 1...150, standard: 20),
  ]

  let ground: Ground
  let minFloors: Int
  let maxFloors: Int

  private static let storey = 3.1
  private static let categories = [
    "apartments", "apartments", "apartments", "residential", "office", "commercial", "school",
  ]

  private func category(_ device: Device) -> String {
    Self.categories[Int(device.stream.unit(0, 1) * Double(Self.categories.count))]
  }

  /// Few are high: the square of an even draw.
  private func floors(_ device: Device) -> Int {
    let share = device.stream.unit(0, 2)
    let top = max(minFloors, category(device) == "school" ? min(5, maxFloors) : maxFloors)
    return minFloors + Int((Double(top - minFloors) * share * share).rounded())
  }

  private func sides(_ device: Device) -> (Double, Double) {
    (14 + 14 * device.stream.unit(0, 3), 12 + 16 * device.stream.unit(0, 4))
  }

  private func capacity(_ device: Device) -> Int {
    let (width, depth) = sides(device)
    // One person to 32 m² of floor.
    return max(2, Int(width * depth * Double(floors(device)) / 32))
  }

  func description(of device: Device) -> [Observation] {
    let floors = floors(device)
    return [
      Observation("category", [.string(category(device))]),
      Observation("location", footprint(device), kind: .geoProperty),
      Observation("height", Double(floors) * Self.storey + 1.2, digits: 1, unit: "MTR"),
      Observation("floorsAboveGround", .integer(Int64(floors))),
      Observation("peopleCapacity", .integer(Int64(capacity(device)))),
    ]
  }

  private func footprint(_ device: Device) -> JSON {
    let middle = ground.point(device.place)
    let (width, depth) = sides(device)
    let corners = [(-1.0, -1.0), (1, -1), (1, 1), (-1, 1), (-1, -1)].map { x, y -> JSON in
      let dx = x * width / 2
      let dy = y * depth / 2
      let point = Ground.Point(
        x: middle.x + dx * cos(Placer.turn) - dy * sin(Placer.turn),
        y: middle.y + dx * sin(Placer.turn) + dy * cos(Placer.turn))
      return ground.coordinate(point).rounded.position
    }
    return ["type": "Polygon", "coordinates": [.array(corners)]]
  }

  func reading(of device: Device, at moment: Moment) -> [Observation] {
    let now = moment.conditions
    let isHome = ["apartments", "residential"].contains(category(device))
    let share =
      isHome ? now.atHome : CityAlmanac.atWork(hour: now.hourOfDay, isWeekend: now.isWeekend)
    let varied = share * (0.9 + 0.1 * device.stream.smooth(now.time.secondsSince1970, period: 4000, 5))
    return [Observation("peopleOccupancy", .integer(Int64((Double(capacity(device)) * varied).rounded())))]
  }
}

/// A meter at the mains. Heat and cold raise the load; the energy since midnight is the integral of the power shown.
struct ACMeasurementModel: DeviceModel {
  static let attributes = [
    "activePower", "totalActiveEnergyImport", "dateEnergyMeteringStarted", "rmsVoltage", "rmsCurrent", "powerFactor",
    "frequency",
  ]
  static let parameters = [
    ModelParameter(name: "homes", range: 1...100_000, standard: 1),
    /// kW a home that cooling takes at 35 °C.
    ModelParameter(name: "cooling", range: 0...20, standard: 0.6),
  ]

  let homes: Double
  let cooling: Double

  func reading(of device: Device, at moment: Moment) -> [Observation] {
    let now = moment.conditions
    let seconds = now.time.secondsSince1970
    let load: (CityConditions) -> Double = { demand(of: device, $0) }
    let power = moment.rate(load)
    let energy = moment.sum(from: now.midnight, load)
    // The voltage sags with the load; a meter of many homes hangs on three phases.
    let voltage = 226 - 5 * now.traffic + 2 * device.stream.smooth(seconds, period: 1800, 3)
    let factor = 0.93 + 0.04 * device.stream.unit(0, 4)
    let phases = homes > 1 ? 3.0 : 1.0
    return [
      Observation("activePower", power, digits: 4, unit: "KWT"),
      Observation("totalActiveEnergyImport", energy, digits: 4, unit: "KWH"),
      Observation("dateEnergyMeteringStarted", .string(now.midnight.description)),
      Observation("rmsVoltage", voltage, digits: 1, unit: "VLT"),
      Observation("rmsCurrent", power * 1000 / (voltage * factor * phases), digits: 2, unit: "AMP"),
      Observation("powerFactor", factor, digits: 3, unit: "C62"),
      Observation("frequency", 60 + 0.03 * device.city.smooth(seconds, period: 240, 22), digits: 3, unit: "HTZ"),
    ]
  }

  /// kW: what always runs, what people at home use, and what keeps them cool or warm.
  private func demand(of device: Device, _ now: CityConditions) -> Double {
    let size = 0.6 + 0.8 * device.stream.unit(0, 1)
    let evening = CityAlmanac.wave(now.hourOfDay, at: 20.3, width: 2.4)
    let morning = CityAlmanac.wave(now.hourOfDay, at: 7.5, width: 1.2)
    let people = now.atHome * (0.16 + 0.42 * evening + 0.24 * morning)
    let cold = 0.015 * max(0, 12 - now.temperature)
    let heat = cooling * max(0, now.temperature - 22) / 13 * (0.35 + 0.65 * now.atHome)
    let jitter = 1 + 0.15 * device.stream.smooth(now.time.secondsSince1970, period: 3600, 2)
    return homes * size * (0.12 + (people + cold + heat) * jitter)
  }
}
