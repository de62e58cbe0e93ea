import Foundation
import NGSI

/// Where the sun stands.
///
/// Low-precision formulas of the Astronomical Almanac (as in NOAA's solar calculator): to about 0.02° between 1950
/// and 2050, without refraction.
public enum Sun {
  /// Height of the sun's middle above the horizon, degrees.
  public static func elevation(at time: DateTime, _ place: Coordinate) -> Double {
    let radians = Double.pi / 180
    // Days since 2000-01-01T12:00:00Z.
    let days = Double(time.microseconds - 946_728_000_000_000) / 86_400_000_000
    let meanLongitude = 280.460 + 0.9856474 * days
    let meanAnomaly = (357.528 + 0.9856003 * days) * radians
    let longitude = (meanLongitude + 1.915 * sin(meanAnomaly) + 0.020 * sin(2 * meanAnomaly)) * radians
    let obliquity = (23.439 - 0.0000004 * days) * radians
    let declination = asin(sin(obliquity) * sin(longitude))
    let rightAscension = atan2(cos(obliquity) * sin(longitude), cos(longitude))
    let siderealDegrees = 280.46061837 + 360.98564736629 * days + place.longitude
    let hourAngle = siderealDegrees.truncatingRemainder(dividingBy: 360) * radians - rightAscension
    let latitude = place.latitude * radians
    let height = sin(latitude) * sin(declination) + cos(latitude) * cos(declination) * cos(hourAngle)
    return asin(height.clamped(-1...1)) / radians
  }

  /// Global horizontal irradiance under a clear sky, W/m² (B. Haurwitz, "Insolation in relation to cloudiness and
  /// cloud density", Journal of Meteorology 2, 1945).
  public static func clearSky(elevation: Double) -> Double {
    guard elevation > 0 else { return 0 }
    let height = sin(elevation * .pi / 180)
    return 1098 * height * exp(-0.057 / height)
  }
}
