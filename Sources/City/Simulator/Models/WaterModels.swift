import Foundation
import NGSI

/// Water in the network or a stream: oxygen never above what water of its warmth can hold.
struct WaterQualityModel: DeviceModel {
  static let attributes = ["temperature", "pH", "turbidity", "conductivity", "O2", "chlorine"]

  func description(of device: Device) -> [Observation] { [Observation("measurementType", "continuous")] }

  func reading(of device: Device, at moment: Moment) -> [Observation] {
    let now = moment.conditions
    let own = device.stream
    let seconds = now.time.secondsSince1970
    // Water follows the air slowly and never freezes in the pipe.
    let warmth = (8 + 0.55 * now.temperature + 0.5 * own.smooth(seconds, period: 7200, 1)).clamped(1...38)
    let saturation = Self.oxygenSaturation(celsius: warmth)
    let turbidity = 0.15 + 0.25 * own.unit(0, 2) + 0.06 * now.rain + 0.1 * abs(own.smooth(seconds, period: 5400, 3))
    return [
      Observation("temperature", warmth, digits: 2, unit: "CEL"),
      Observation("pH", 7.4 + 0.35 * own.smooth(seconds, period: 40_000, 4), digits: 2, unit: "Q30"),
      Observation("turbidity", turbidity.clamped(0.01...200), digits: 2),
      Observation(
        "conductivity", 220 + 160 * own.unit(0, 5) + 15 * own.smooth(seconds, period: 20_000, 6), digits: 0, unit: "G42"
      ),
      Observation("O2", saturation * (0.86 + 0.1 * own.smooth(seconds, period: 30_000, 7)), digits: 2, unit: "M1"),
      Observation(
        "chlorine", (0.45 - 0.008 * (warmth - 15) + 0.08 * own.smooth(seconds, period: 9000, 8)).clamped(0.02...1.5),
        digits: 2, unit: "M1"),
    ]
  }

  /// mg/l in fresh water at one atmosphere (cubic fit to the table of ISO 5814:2012, within 0.1 mg/l from 0 to 40 °C).
  static func oxygenSaturation(celsius: Double) -> Double {
    14.652 - 0.41022 * celsius + 0.007991 * celsius * celsius - 0.000077774 * celsius * celsius * celsius
  }
}

/// A district meter: what it counts is the integral of the flow it shows.
struct WaterConsumptionModel: DeviceModel {
  static let attributes = ["waterConsumption", "flow", "pressure"]
  static let parameters = [
    ModelParameter(name: "homes", range: 1...100_000, standard: 1),
    // Korean household use, 2022: about 300 l a person and day (Ministry of Environment, waterworks statistics).
    ModelParameter(name: "litres", range: 10...5_000, standard: 660),
  ]

  let homes: Double
  /// Litres a home and day.
  let litres: Double

  func reading(of device: Device, at moment: Moment) -> [Observation] {
    let rate: (CityConditions) -> Double = { demand(of: device, $0) }
    let start = moment.conditions.time.adding(seconds: -min(moment.interval, 86_400))
    let flow = moment.rate(rate)
    return [
      // Since the last reading.
      Observation("waterConsumption", moment.sum(from: start, rate), digits: 2, unit: "LTR"),
      Observation("flow", flow, digits: 2, unit: "E32"),
      // More flow costs more head.
      Observation("pressure", (430 - 120 * flow / (peak(device) + 1)).clamped(150...600), digits: 0, unit: "KPA"),
    ]
  }

  private func average(_ device: Device) -> Double { litres * homes / 24 * (0.75 + 0.5 * device.stream.unit(0, 1)) }
  private func peak(_ device: Device) -> Double { average(device) * 2.6 }

  /// Litres an hour: mornings and evenings, never quite nothing, more when it is hot.
  private func demand(of device: Device, _ now: CityConditions) -> Double {
    let hour = now.hourOfDay
    let shape =
      0.28 + 1.35 * CityAlmanac.wave(hour, at: now.isWeekend ? 9.3 : 7.4, width: 1.5)
      + 1.2 * CityAlmanac.wave(hour, at: 19.6, width: 2.3) + 0.55 * CityAlmanac.wave(hour, at: 13, width: 3)
    let heat = 1 + 0.012 * max(0, now.temperature - 18)
    return average(device) * shape * heat * (1 + 0.1 * device.stream.smooth(now.time.secondsSince1970, period: 5000, 2))
  }
}
