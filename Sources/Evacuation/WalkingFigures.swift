/// How fast people walk and how many pass: a dated table with its sources.
///
/// Speed and flow are taken at one density, so that both can hold at once: the hydraulic model of the SFPE Handbook of
/// Fire Protection Engineering, 5th edition (2016), chapter 59, "Employing the Hydraulic Model in Assessing Emergency
/// Movement": speed = k · (1 − 0.266 · density), flow for each metre of effective width = speed · density.
public struct WalkingFigures: Sendable, Equatable {
  /// When the table was set up.
  public var date = "2026-11-23"
  /// People for each square metre at which plans are made. Streets: 15 square feet a person, the border of the levels
  /// of service D and E of walkways, Highway Capacity Manual 2000, exhibit 18-3 (which gives 1.14 m/s and 0.82 people
  /// a second and metre there; the formula gives 1.13 and 0.81).
  public var density = 0.7176
  /// k in m/s on the level: corridors, ramps, doors (SFPE, table 59.2).
  public var levelConstant = 1.40
  /// k in m/s along the slope of stairs with risers of 7 and treads of 11 inches (SFPE, table 59.2).
  public var stairConstant = 1.08
  /// Metres that people keep from each side of a stair or a door (SFPE, table 59.1).
  public var stairMargin = 0.15
  /// Metres that people keep from each wall of a corridor (SFPE, table 59.1).
  public var wallMargin = 0.20
  /// Metres of a pavement or footway whose width is not tagged: what Inclusive Mobility (Department for Transport,
  /// United Kingdom, 2021), section 4.2, asks for under normal circumstances.
  public var footwayWidth = 2.0
  /// Metres of a street without a carriageway for cars of its own, where its width is not tagged. An assumption of this
  /// project: two footways side by side.
  public var sharedWidth = 4.0

  /// Streets.
  public static let streets = WalkingFigures()

  /// Buildings: the density of the largest flow on the level, 1 / (2 · 0.266) people for each square metre, at which
  /// 1.32 people a second pass each metre of effective width.
  public static let buildings: WalkingFigures = {
    var figures = WalkingFigures()
    figures.density = 1 / (2 * 0.266)
    return figures
  }()

  /// m/s, on the level or along the slope of stairs.
  public func speed(onStairs: Bool) -> Double {
    (onStairs ? stairConstant : levelConstant) * (1 - 0.266 * density)
  }

  /// People a second for each metre of effective width.
  public func flow(onStairs: Bool) -> Double { speed(onStairs: onStairs) * density }

  /// Steps that a length in metres takes: the nearest number, at least 1.
  func transit(_ length: Double, onStairs: Bool, step: Double) -> Int {
    max(1, Int(min(length / (speed(onStairs: onStairs) * step), 1e9).rounded()))
  }

  /// People who pass a width in metres in a step: rounded down, so that no door is made wider; at least 1.
  func capacity(_ width: Double, onStairs: Bool, step: Double) -> Int {
    max(1, Int(min(flow(onStairs: onStairs) * max(0, width) * step, 1e9)))
  }
}
