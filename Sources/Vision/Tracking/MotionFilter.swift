/// A Kalman filter of one quantity that changes at a constant rate but for noise.
struct MotionFilter: Sendable, Hashable {
  private(set) var value: Double
  private(set) var rate = 0.0
  /// Covariance of value and rate.
  private var covariance: (value: Double, both: Double, rate: Double)

  /// - Parameter deviation: standard deviation of the first measurement; `rateDeviation`: of the rate, per second.
  init(_ value: Double, deviation: Double, rateDeviation: Double) {
    self.value = value
    covariance = (deviation * deviation, 0, rateDeviation * rateDeviation)
  }

  /// Standard deviation of the value.
  var deviation: Double { max(0, covariance.value).squareRoot() }

  /// - Parameter acceleration: its standard deviation, per second squared (white noise acceleration).
  mutating func advance(seconds: Double, acceleration: Double) {
    let noise = acceleration * acceleration
    let square = seconds * seconds
    value += rate * seconds
    covariance = (
      covariance.value + 2 * seconds * covariance.both + square * covariance.rate + noise * square * square / 4,
      covariance.both + seconds * covariance.rate + noise * square * seconds / 2, covariance.rate + noise * square
    )
  }

  mutating func measure(_ measured: Double, deviation: Double) {
    let sum = covariance.value + deviation * deviation
    guard sum > 0 else { return }
    let (gain, rateGain) = (covariance.value / sum, covariance.both / sum)
    let error = measured - value
    value += gain * error
    rate += rateGain * error
    covariance = (
      (1 - gain) * covariance.value, (1 - gain) * covariance.both, covariance.rate - rateGain * covariance.both
    )
  }

  static func == (one: Self, other: Self) -> Bool {
    one.value == other.value && one.rate == other.rate && one.covariance == other.covariance
  }

  func hash(into hasher: inout Hasher) {
    hasher.combine(value)
    hasher.combine(rate)
  }
}

/// Where a box is and whereto it goes: its centre and its size, each by a filter of its own.
struct BoxFilter: Sendable, Hashable {
  /// Standard deviations, in heights of the box (and per second).
  private static let measured = 0.05
  private static let begin = 0.6
  private static let acceleration = 1.2
  private static let sizeMeasured = 0.08
  private static let sizeChange = 0.15

  private var x, y, width, height: MotionFilter

  init(_ box: Box) {
    let unit = box.height
    x = MotionFilter(box.centre.x, deviation: Self.measured * unit, rateDeviation: Self.begin * unit)
    y = MotionFilter(box.centre.y, deviation: Self.measured * unit, rateDeviation: Self.begin * unit)
    width = MotionFilter(box.width, deviation: Self.sizeMeasured * unit, rateDeviation: 0.1 * unit)
    height = MotionFilter(box.height, deviation: Self.sizeMeasured * unit, rateDeviation: 0.1 * unit)
  }

  var box: Box {
    let size = (width: max(1, width.value), height: max(1, height.value))
    return Box(x: x.value - size.width / 2, y: y.value - size.height / 2, width: size.width, height: size.height)
  }

  /// Pixels a second.
  var velocity: Point { Point(x: x.rate, y: y.rate) }

  mutating func advance(seconds: Double) {
    let unit = max(1, height.value)
    x.advance(seconds: seconds, acceleration: Self.acceleration * unit)
    y.advance(seconds: seconds, acceleration: Self.acceleration * unit)
    width.advance(seconds: seconds, acceleration: Self.sizeChange * unit)
    height.advance(seconds: seconds, acceleration: Self.sizeChange * unit)
  }

  /// - Parameter trust: how sure the measurement is, 0 to 1; less trust, more noise.
  mutating func measure(_ box: Box, trust: Double) {
    let unit = max(1, height.value)
    let doubt = 2 - trust
    x.measure(box.centre.x, deviation: Self.measured * unit * doubt)
    y.measure(box.centre.y, deviation: Self.measured * unit * doubt)
    width.measure(box.width, deviation: Self.sizeMeasured * unit * doubt)
    height.measure(box.height, deviation: Self.sizeMeasured * unit * doubt)
  }
}
