import NGSI

/// A position in degrees (WGS 84); `[longitude, latitude]` in files.
public struct Coordinate: Sendable, Hashable, Codable {
  public var longitude: Double
  public var latitude: Double

  public init(longitude: Double, latitude: Double) {
    self.longitude = longitude
    self.latitude = latitude
  }

  public init(from decoder: any Decoder) throws {
    var items = try decoder.unkeyedContainer()
    longitude = try items.decode(Double.self)
    latitude = try items.decode(Double.self)
  }

  public func encode(to encoder: any Encoder) throws {
    var items = encoder.unkeyedContainer()
    try items.encode(longitude)
    try items.encode(latitude)
  }

  /// As a GeoJSON position, exactly.
  public var position: JSON { [.double(longitude), .double(latitude)] }

  /// As a GeoJSON Point, exactly.
  public var point: JSON { ["type": "Point", "coordinates": position] }

  /// To seven digits after the point, about a centimetre.
  var rounded: Coordinate {
    Coordinate(longitude: longitude.rounded(to: 7), latitude: latitude.rounded(to: 7))
  }
}

extension Double {
  /// Rounded to so many digits after the point.
  func rounded(to digits: Int) -> Double {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = (self * scale).rounded() / scale
    return scaled == 0 ? 0 : scaled
  }

  func clamped(_ range: ClosedRange<Double>) -> Double {
    Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
  }
}
