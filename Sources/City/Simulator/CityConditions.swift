import Foundation
import NGSI

/// What a whole city shares at one instant: sky, weather, and how busy its people are.
///
/// All readings of the instant start from it, so that they fit together: heat drives load, traffic drives NO₂.
public struct CityConditions: Sendable {
  public var time: DateTime
  /// Seconds since local midnight.
  public var secondsOfDay: Double
  /// Instant of the last local midnight.
  public var midnight: DateTime
  /// Local days since 1970-01-01.
  public var day: Int
  public var isWeekend: Bool
  /// Degrees above the horizon.
  public var sunElevation: Double
  /// °C.
  public var temperature: Double
  /// °C; never above ``temperature``.
  public var dewPoint: Double
  /// Share of the sky, 0 to 1.
  public var cloud: Double
  /// mm in an hour.
  public var rain: Double
  /// m/s at 10 m.
  public var wind: Double
  /// Degrees the wind comes from.
  public var windDirection: Double
  /// hPa at the site's height.
  public var pressure: Double
  /// W/m².
  public var irradiance: Double
  /// Traffic demand as a share of the street's capacity, 0 to 1.
  public var traffic: Double
  /// Share of residents at home, 0 to 1.
  public var atHome: Double

  public var hourOfDay: Double { secondsOfDay / 3600 }

  /// Percent, from temperature and dew point by Magnus' formula (WMO-No. 8, annex 4.B).
  public var relativeHumidity: Double {
    (100 * Self.vapour(dewPoint) / Self.vapour(temperature)).clamped(1...100)
  }

  private static func vapour(_ celsius: Double) -> Double { 6.112 * exp(17.62 * celsius / (243.12 + celsius)) }
}

/// Gives the conditions of any instant; no state but the site and the seed.
struct CityAlmanac: Sendable {
  let site: Site
  let stream: RandomStream
  private let zone: TimeZone
  private let weekend: Set<Int>
  /// Share of hours with rain, from the yearly sum: half a millimetre an hour at least, four at most.
  private let rainShare: Double

  init(site: Site, stream: RandomStream) {
    self.site = site
    self.stream = stream
    zone = TimeZone(identifier: site.timeZone) ?? .gmt
    let days = site.weekend ?? [.saturday, .sunday]
    weekend = Set(days.compactMap { Site.Day.allCases.firstIndex(of: $0) })
    rainShare = (site.climate.annualRain / 8766 / 2.0).clamped(0...0.45)
  }

  func conditions(at time: DateTime) -> CityConditions {
    let offset = zone.secondsFromGMT(for: Date(timeIntervalSince1970: time.secondsSince1970))
    let local = time.microseconds + Int64(offset) * 1_000_000
    let perDay: Int64 = 86_400_000_000
    let day = Int((Double(local) / Double(perDay)).rounded(.down))
    let inDay = local - Int64(day) * perDay
    let seconds = Double(inDay) / 1e6
    // 1970-01-01 was a Thursday; Monday is 0.
    let weekday = ((day + 3) % 7 + 7) % 7
    let now = time.secondsSince1970
    let isWeekend = weekend.contains(weekday)

    let sun = Sun.elevation(at: time, site.centre)
    let wet = stream.smooth(now, period: 9 * 3600, 1) * 0.6 + stream.smooth(now, period: 2.3 * 3600, 2) * 0.4
    let cloud = cloud(wet, now)
    let rain = rain(wet)
    let temperature = temperature(day: day, seconds: seconds, now: now, cloud: cloud)
    let gustiness = 1 + 0.45 * stream.smooth(now, period: 5 * 3600, 3) + 0.25 * sin((seconds / 3600 - 9) / 24 * 2 * .pi)
    return CityConditions(
      time: time, secondsOfDay: seconds, midnight: DateTime(microseconds: time.microseconds - inDay), day: day,
      isWeekend: isWeekend, sunElevation: sun, temperature: temperature,
      dewPoint: dewPoint(temperature: temperature, now: now, rain: rain), cloud: cloud, rain: rain,
      wind: max(0, site.climate.windSpeed * gustiness), windDirection: windDirection(now),
      pressure: pressure(now, temperature), irradiance: Sun.clearSky(elevation: sun) * (1 - 0.75 * pow(cloud, 3.4)),
      traffic: Self.traffic(hour: seconds / 3600, isWeekend: isWeekend)
        * (1 + 0.06 * stream.smooth(now, period: 1800, 4)),
      atHome: Self.atHome(hour: seconds / 3600, isWeekend: isWeekend))
  }

  /// A year's wave between the coldest and the warmest month, a day's wave with its top at 15 h, fronts of days.
  private func temperature(day: Int, seconds: Double, now: Double, cloud: Double) -> Double {
    let climate = site.climate
    let mean = (climate.warmest.celsius + climate.coldest.celsius) / 2
    let half = (climate.warmest.celsius - climate.coldest.celsius) / 2
    let dayOfYear = (Double(day) + seconds / 86_400).truncatingRemainder(dividingBy: 365.2425)
    let top = (Double(climate.warmest.month) - 0.5) / 12 * 365.2425
    let season = cos((dayOfYear - top) / 365.2425 * 2 * .pi)
    // Clouds flatten the day.
    let daily = climate.dailyRange / 2 * (1.25 - 0.6 * cloud) * cos((seconds / 3600 - 15) / 24 * 2 * .pi)
    let fronts = (1 + climate.dailyRange / 5) * stream.smooth(now, period: 3.5 * 86_400, 5)
    return mean + half * season + daily + fronts
  }

  /// From the climate's humidity at the mean temperature of the day; wet when it rains.
  private func dewPoint(temperature: Double, now: Double, rain: Double) -> Double {
    let mean = site.climate.relativeHumidity + 14 * stream.smooth(now, period: 1.7 * 86_400, 6)
    let humidity = (rain > 0 ? max(mean, 88) : mean).clamped(5...99)
    // The day's wave moves temperature more than vapour: dew point answers to two thirds of it.
    let damped = humidity - (temperature - dailyMean(now)) * 2.2
    let share = log(damped.clamped(4...99.5) / 100)
    let gamma = share + 17.62 * temperature / (243.12 + temperature)
    return min(temperature, 243.12 * gamma / (17.62 - gamma))
  }

  private func dailyMean(_ now: Double) -> Double {
    let climate = site.climate
    let mean = (climate.warmest.celsius + climate.coldest.celsius) / 2
    let half = (climate.warmest.celsius - climate.coldest.celsius) / 2
    let days = (now / 86_400).truncatingRemainder(dividingBy: 365.2425)
    let top = (Double(climate.warmest.month) - 0.5) / 12 * 365.2425
    return mean + half * cos((days - top) / 365.2425 * 2 * .pi)
  }

  private func cloud(_ wet: Double, _ now: Double) -> Double {
    let usual = (site.climate.relativeHumidity - 25) / 100
    return (usual + wet * 0.75 + 0.1 * stream.smooth(now, period: 3000, 7)).clamped(0...1)
  }

  /// It rains where the wetness passes a bar that is set by the yearly sum, the harder the further it passes.
  private func rain(_ wet: Double) -> Double {
    guard rainShare > 0 else { return 0 }
    let bar = 0.78 - 0.9 * rainShare
    guard wet > bar else { return 0 }
    return ((wet - bar) / (1 - bar) * 18).clamped(0...60)
  }

  private func windDirection(_ now: Double) -> Double {
    let degrees = 225 + 130 * stream.smooth(now, period: 11 * 3600, 8) + 20 * stream.smooth(now, period: 1200, 9)
    let turned = degrees.truncatingRemainder(dividingBy: 360)
    return turned < 0 ? turned + 360 : turned
  }

  /// Sea-level pressure reduced to the site's height (barometric formula with the air's temperature).
  private func pressure(_ now: Double, _ temperature: Double) -> Double {
    let seaLevel = 1013.25 + 9 * stream.smooth(now, period: 2.6 * 86_400, 10)
    return seaLevel * exp(-9.80665 * 0.0289644 * (site.elevation ?? 0) / (8.31446 * (temperature + 273.15)))
  }
}

// MARK: - People

extension CityAlmanac {
  /// Work days have two rush hours, at 8 and 18; a weekend has one long afternoon.
  static func traffic(hour: Double, isWeekend: Bool) -> Double {
    let share =
      isWeekend
      ? 0.08 + 0.5 * wave(hour, at: 15.5, width: 4.2) + 0.1 * wave(hour, at: 20, width: 2)
      : 0.07 + 0.72 * wave(hour, at: 8.1, width: 1.15) + 0.32 * wave(hour, at: 13, width: 3.2)
        + 0.74 * wave(hour, at: 18.2, width: 1.5)
    return share.clamped(0...0.92)
  }

  /// Share of residents at home.
  static func atHome(hour: Double, isWeekend: Bool) -> Double {
    let away =
      isWeekend ? 0.38 * wave(hour, at: 15, width: 3.6) : 0.66 * plateau(hour, from: 8.2, to: 18.6, slope: 1.0)
    return (0.95 - away).clamped(0.05...1)
  }

  /// Share of workplaces, shops and their car parks in use.
  static func atWork(hour: Double, isWeekend: Bool) -> Double {
    (isWeekend
      ? 0.06 + 0.42 * wave(hour, at: 15, width: 3.4) : 0.04 + 0.84 * plateau(hour, from: 8.4, to: 18.3, slope: 0.8))
      .clamped(0...1)
  }

  /// A bell over the hours of a day that closes on itself.
  static func wave(_ hour: Double, at top: Double, width: Double) -> Double {
    var distance = abs(hour - top)
    if distance > 12 { distance = 24 - distance }
    return exp(-distance * distance / (2 * width * width))
  }

  static func plateau(_ hour: Double, from start: Double, to end: Double, slope: Double) -> Double {
    1 / (1 + exp(-(hour - start) / slope * 2)) * (1 / (1 + exp((hour - end) / slope * 2)))
  }
}
