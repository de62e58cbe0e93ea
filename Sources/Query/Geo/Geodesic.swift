import Glibc
import NGSI

/// Distances on the WGS 84 ellipsoid, in metres.
enum Geodesic {
  static let equatorialRadius = 6_378_137.0
  static let flattening = 1 / 298.257223563
  static let polarRadius = equatorialRadius * (1 - flattening)
  /// Mean radius (2a + b) / 3, which spherical distances use.
  static let meanRadius = 6_371_008.771415
  /// Least radius of curvature anywhere, b² / a. An angle between two positions (geodetic latitudes taken as
  /// spherical) times this is never more than their distance.
  static let leastRadius = polarRadius * polarRadius / equatorialRadius
  /// Greatest radius of curvature anywhere, a² / b: the angle times this is never less than the distance.
  static let greatestRadius = equatorialRadius * equatorialRadius / polarRadius

  /// The angle between two positions on a sphere, in radians (haversine formula).
  static func angle(_ from: Position, _ to: Position) -> Double {
    let radians = Double.pi / 180
    let latitude = sin((to.latitude - from.latitude) * radians / 2)
    let longitude = sin((to.longitude - from.longitude) * radians / 2)
    let haversine =
      latitude * latitude + cos(from.latitude * radians) * cos(to.latitude * radians) * longitude * longitude
    return 2 * asin(min(1, haversine.squareRoot()))
  }

  /// The ellipsoidal distance: Vincenty's inverse formula (Survey Review XXIII 176, 1975), exact to a millimetre.
  ///
  /// Where it does not converge (positions nearly opposite each other on the globe) the angle times the mean radius
  /// stands in, which is within 0.6 %.
  static func distance(_ from: Position, _ to: Position) -> Double {
    let radians = Double.pi / 180
    let reduced1 = atan((1 - flattening) * tan(from.latitude * radians))
    let reduced2 = atan((1 - flattening) * tan(to.latitude * radians))
    let (sin1, cos1) = (sin(reduced1), cos(reduced1))
    let (sin2, cos2) = (sin(reduced2), cos(reduced2))
    let difference = remainder(to.longitude - from.longitude, 360) * radians
    var lambda = difference
    for _ in 0..<100 {
      let (sinLambda, cosLambda) = (sin(lambda), cos(lambda))
      let a = cos2 * sinLambda
      let b = cos1 * sin2 - sin1 * cos2 * cosLambda
      let sinSigma = (a * a + b * b).squareRoot()
      if sinSigma == 0 { return lambda == 0 || cosLambda > 0 ? 0 : Double.pi * meanRadius }
      let cosSigma = sin1 * sin2 + cos1 * cos2 * cosLambda
      let sigma = atan2(sinSigma, cosSigma)
      let sinAlpha = cos1 * cos2 * sinLambda / sinSigma
      let cosSquaredAlpha = 1 - sinAlpha * sinAlpha
      // On the equator the term is multiplied by zero.
      let cos2SigmaM = cosSquaredAlpha > 1e-15 ? cosSigma - 2 * sin1 * sin2 / cosSquaredAlpha : 0
      let c = flattening / 16 * cosSquaredAlpha * (4 + flattening * (4 - 3 * cosSquaredAlpha))
      let previous = lambda
      let inner = cos2SigmaM + c * cosSigma * (-1 + 2 * cos2SigmaM * cos2SigmaM)
      lambda = difference + (1 - c) * flattening * sinAlpha * (sigma + c * sinSigma * inner)
      guard abs(lambda) <= Double.pi else { break }
      if abs(lambda - previous) < 1e-12 {
        return vincentyLength(sigma, sinSigma, cosSigma, cos2SigmaM, cosSquaredAlpha)
      }
    }
    return angle(from, to) * meanRadius
  }

  private static func vincentyLength(
    _ sigma: Double, _ sinSigma: Double, _ cosSigma: Double, _ cos2SigmaM: Double, _ cosSquaredAlpha: Double
  ) -> Double {
    let ratio = equatorialRadius * equatorialRadius / (polarRadius * polarRadius) - 1
    let u = cosSquaredAlpha * ratio
    let a = 1 + u / 16384 * (4096 + u * (-768 + u * (320 - 175 * u)))
    let b = u / 1024 * (256 + u * (-128 + u * (74 - 47 * u)))
    let square = cos2SigmaM * cos2SigmaM
    let correction =
      b * sinSigma
      * (cos2SigmaM + b / 4
        * (cosSigma * (-1 + 2 * square) - b / 6 * cos2SigmaM * (-3 + 4 * sinSigma * sinSigma) * (-3 + 4 * square)))
    return polarRadius * a * (sigma - correction)
  }
}

// MARK: - Windows

extension GeoFilter {
  /// The bounds of every geometry that can stand in the relation to a reference with these bounds.
  static func window(of relation: Relation, reference: BoundingBox) -> BoundingBox? {
    switch relation {
    case .nearMin, .disjoint: nil
    case .within, .contains, .intersects, .equals, .overlaps: reference
    case .nearMax(let metres): reference.widened(by: metres)
    }
  }
}

extension BoundingBox {
  /// Bounds of all positions within a distance of a position in these bounds.
  ///
  /// On a sphere of the least radius of curvature no distance is longer than on the ellipsoid, so that the circle there
  /// covers the one here. The circle of angle δ around latitude φ reaches asin(sin δ / cos φ) east and west.
  func widened(by metres: Double) -> BoundingBox {
    let degrees = 180 / Double.pi
    let slack = 1e-9
    let delta = metres / Geodesic.leastRadius
    let reach = delta * degrees + slack
    let band = BoundingBox(
      west: -180, south: max(-90, south - reach), east: 180, north: min(90, north + reach))
    let highest = max(abs(south), abs(north))
    guard delta < Double.pi / 2, highest + reach < 90 else { return band }
    let sine = sin(delta) / cos(highest / degrees)
    guard sine < 1 else { return band }
    let side = asin(sine) * degrees + slack
    let (west, east) = (west - side, east + side)
    guard west >= -180, east <= 180 else { return band }
    return BoundingBox(west: west, south: band.south, east: east, north: band.north)
  }
}
