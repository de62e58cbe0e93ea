import Foundation
import NGSI

/// Ambient air at a station. Traffic gives NO₂ and CO, wind thins them, sun turns NO₂ into O₃; PM₁₀ holds PM₂.₅.
struct AirQualityModel: DeviceModel {
  static let attributes = ["pm25", "pm10", "no2", "o3", "so2", "co", "temperature", "relativeHumidity"]

  func description(of device: Device) -> [Observation] { [Observation("typeOfLocation", "outdoor")] }

  func reading(of device: Device, at moment: Moment) -> [Observation] {
    let now = moment.conditions
    let seconds = now.time.secondsSince1970
    let own = device.stream
    // How much traffic passes this station.
    let exposure = 0.4 + 1.1 * own.unit(0, 1)
    let thinning = 1 / (0.55 + 0.22 * now.wind)
    let winter = (1 + cos((Double(now.day % 365) - 20) / 365 * 2 * .pi)) / 2
    let haze = 1 + 0.7 * device.city.smooth(seconds, period: 3 * 86_400, 21)
    let washed = now.rain > 0 ? 0.6 : 1.0
    let jitter = 1 + 0.08 * own.smooth(seconds, period: 1500, 2)

    let no2 = (6 + 62 * now.traffic * exposure * thinning + 8 * winter) * jitter
    let pm25 = (7 + 14 * winter + 16 * now.traffic * exposure * thinning) * haze * washed * jitter
    let coarse = 1.35 + 0.5 * own.unit(0, 3) + 0.05 * now.wind
    let co = 180 + 620 * now.traffic * exposure * thinning + 120 * winter
    let o3 = max(2, 58 + 0.085 * now.irradiance + 0.9 * (now.temperature - 15) - 0.62 * no2) * (1 + 0.05 * jitter)
    let so2 = (3 + 4 * winter + 3 * thinning) * jitter
    return [
      Observation("pm25", pm25.clamped(0.5...900), digits: 1, unit: "GQ"),
      Observation("pm10", (pm25 * coarse).clamped(0.5...1900), digits: 1, unit: "GQ"),
      Observation("no2", no2.clamped(0.5...900), digits: 1, unit: "GQ"),
      Observation("o3", o3.clamped(0.5...600), digits: 1, unit: "GQ"),
      Observation("so2", so2.clamped(0.1...900), digits: 1, unit: "GQ"),
      Observation("co", co.clamped(20...30_000), digits: 0, unit: "GQ"),
      Observation("temperature", now.temperature + 0.6 * (own.unit(0, 4) - 0.5), digits: 1, unit: "CEL"),
      Observation("relativeHumidity", now.relativeHumidity, digits: 1, unit: "P1"),
    ]
  }
}

struct WeatherModel: DeviceModel {
  static let attributes = [
    "temperature", "dewPoint", "relativeHumidity", "atmosphericPressure", "precipitation", "windSpeed",
    "windDirection", "solarRadiation", "illuminance",
  ]

  func reading(of device: Device, at moment: Moment) -> [Observation] {
    let now = moment.conditions
    // A warmer or cooler corner of the city: air and dew point together, so that the humidity stays possible.
    let offset = 1.2 * (device.stream.unit(0, 1) - 0.5)
    let gust = 1 + 0.15 * device.stream.smooth(now.time.secondsSince1970, period: 600, 2)
    return [
      Observation("temperature", now.temperature + offset, digits: 1, unit: "CEL"),
      Observation("dewPoint", now.dewPoint + offset, digits: 1, unit: "CEL"),
      Observation("relativeHumidity", now.relativeHumidity, digits: 1, unit: "P1"),
      Observation("atmosphericPressure", now.pressure, digits: 1, unit: "A97"),
      // What fell since the last reading.
      Observation("precipitation", now.rain * moment.interval / 3600, digits: 2, unit: "MMT"),
      Observation("windSpeed", now.wind * gust, digits: 1, unit: "MTS"),
      Observation("windDirection", now.windDirection, digits: 0, unit: "DD"),
      Observation("solarRadiation", now.irradiance, digits: 0, unit: "D54"),
      // Daylight has about 110 lm for each watt.
      Observation("illuminance", now.irradiance * 110 + 0.2, digits: 0, unit: "LUX"),
    ]
  }
}

/// Sound beside a street: doubling the traffic adds 3 dB.
struct NoiseLevelModel: DeviceModel {
  static let attributes = ["LAeq", "LAmax", "LA90"]

  func reading(of device: Device, at moment: Moment) -> [Observation] {
    let now = moment.conditions
    let own = device.stream
    let seconds = now.time.secondsSince1970
    let flow = max(0.02, now.traffic * (0.3 + own.unit(0, 1)))
    let level = 68 + 10 * log10(flow) + 1.2 * own.smooth(seconds, period: 700, 2) + (now.rain > 2 ? 2.5 : 0)
    return [
      Observation("LAeq", level.clamped(30...100), digits: 1, unit: "2N"),
      Observation("LAmax", (level + 6 + 5 * own.unit(Int64(seconds / 60), 3)).clamped(35...120), digits: 1, unit: "2N"),
      Observation("LA90", (level - 7 - 2 * own.unit(0, 4)).clamped(25...95), digits: 1, unit: "2N"),
    ]
  }
}
