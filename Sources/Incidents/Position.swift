import Foundation

/// Where something is, and how well that is known.
public struct Position: Sendable, Hashable {
  /// Degrees, WGS 84.
  public var longitude: Double
  public var latitude: Double
  /// Radius in metres of the circle that holds the true place with ``confidence``; `nil` when nobody said.
  public var uncertainty: Double?
  /// Percent; ETSI TS 103 625 (AML) reports 68 or 95.
  public var confidence: Int?

  /// `nil` for what is no place on Earth, or has no sensible uncertainty.
  public init?(longitude: Double, latitude: Double, uncertainty: Double? = nil, confidence: Int? = nil) {
    guard (-180...180).contains(longitude), (-90...90).contains(latitude) else { return nil }
    if let uncertainty { guard uncertainty.isFinite, (0...20_000_000).contains(uncertainty) else { return nil } }
    if let confidence { guard (0...100).contains(confidence) else { return nil } }
    self.longitude = longitude
    self.latitude = latitude
    self.uncertainty = uncertainty
    self.confidence = confidence
  }

  /// Mean radius of the Earth in metres (IUGG R1).
  static let earthRadius = 6_371_008.8

  /// Metres along the great circle (haversine).
  public func distance(to other: Position) -> Double {
    let (a, b) = (latitude * .pi / 180, other.latitude * .pi / 180)
    let (dLatitude, dLongitude) = (b - a, (other.longitude - longitude) * .pi / 180)
    let h = pow(sin(dLatitude / 2), 2) + cos(a) * cos(b) * pow(sin(dLongitude / 2), 2)
    return 2 * Self.earthRadius * asin(min(1, h.squareRoot()))
  }
}
