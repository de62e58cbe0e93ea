/// What is made unrecognizable in a picture before anybody sees it and before it is kept: parts that are covered always, heads of
/// people, and what moves without being known as somebody's body.
///
/// A detector misses people; what moves seldom escapes a background. So a moving thing is coarse until it is known: of people who
/// are followed the body is shown and the head is not, everything else that moves is shown in cells of half a head.
public struct PrivacyPlan: Sendable, Hashable {
  /// Covered whole; parts of the picture, 0 to 1.
  public var masks: [Polygon]
  /// Whether heads, and what moves unknown, are made coarse. On unless somebody with a reason turns it off.
  public var hidesHeads: Bool

  public init(masks: [Polygon] = [], hidesHeads: Bool = true) {
    self.masks = masks
    self.hidesHeads = hidesHeads
  }

  /// What is known of a picture.
  public struct Known: Sendable {
    /// Who is followed.
    public var tracks: [Track]
    /// Where somebody may be besides: what the detector is unsure of, and who was lost a moment ago.
    public var maybe: [Box]
    /// What moves.
    public var moving: [Box]
    /// How tall people are in this camera's pictures, in pixels; `nil` where few were seen.
    public var usualHeight: Double?

    public init(tracks: [Track], maybe: [Box] = [], moving: [Box] = [], usualHeight: Double? = nil) {
      self.tracks = tracks
      self.maybe = maybe
      self.moving = moving
      self.usualHeight = usualHeight
    }
  }

  /// A part that is made coarse: `cells` along its longer side.
  public struct Coarse: Sendable, Hashable {
    public var box: Box
    public var cells: Int
  }

  /// What is done to a picture, in this order: `unknown` is made coarse, `bodies` are shown again, `heads` are made coarse.
  public struct Treatment: Sendable, Hashable {
    public var unknown: [Coarse] = []
    public var bodies: [Box] = []
    public var heads: [Coarse] = []

    public init() {}

    /// The share of a part of the picture that is coarse in the end, 0 to 1; by a raster of 16 points a side.
    public func hiddenShare(of part: Box) -> Double {
      var hidden = 0
      for row in 0..<16 {
        for column in 0..<16 {
          let point = Point(
            x: part.x + (Double(column) + 0.5) / 16 * part.width, y: part.y + (Double(row) + 0.5) / 16 * part.height)
          let isHead = heads.contains { $0.box.contains(point) }
          let isUnknown = unknown.contains { $0.box.contains(point) } && !bodies.contains { $0.contains(point) }
          if isHead || isUnknown { hidden += 1 }
        }
      }
      return Double(hidden) / 256
    }
  }

  /// Coloured cells along the longer side of a head.
  static let headCells = 4
  /// Height of a cell of what moves unknown, in parts of a person's height: half a head.
  static let cell = 0.065
  /// Seconds since he was last seen within which somebody's body is shown.
  static let freshness = 0.35
  /// How tall people are taken to be where few were seen, in parts of the picture's height.
  static let firstHeight = 0.14

  /// Where a person's head is: the upper part of the box, with room for what the box is off.
  ///
  /// Heads are about an eighth of a standing person's height; a quarter leaves room for who bends, and for boxes that are a tenth
  /// too low.
  public static func head(of person: Box) -> Box {
    let height = 0.26 * person.height
    let width = max(0.9 * person.width, height)
    return Box(x: person.centre.x - width / 2, y: person.y - 0.06 * person.height, width: width, height: height)
  }

  /// What of a person's box is shown once the person is known: what is below the head.
  static func body(of person: Box) -> Box {
    let head = head(of: person)
    return Box(x: person.x, y: head.bottom, width: person.width, height: max(0, person.bottom - head.bottom))
  }

  /// - Parameter faces: that were found without a detector of people.
  public func treatment(_ known: Known, faces: [Box], in size: PictureSize) -> Treatment {
    guard hidesHeads else { return Treatment() }
    let usual = known.usualHeight ?? Self.firstHeight * Double(size.height)
    var treatment = Treatment()
    treatment.unknown = known.moving.compactMap { blob in
      let cell = max(2, Self.cell * max(usual, blob.height))
      let box = blob.grown(across: cell, down: cell).clipped(to: size)
      return box.isEmpty ? nil : Coarse(box: box, cells: max(1, Int(max(box.width, box.height) / cell)))
    }
    treatment.bodies = known.tracks.filter { $0.unseen <= Self.freshness }.map {
      Self.body(of: $0.box).clipped(to: size)
    }
    .filter { !$0.isEmpty }
    let followed = known.tracks.map { track in
      // Where somebody is who was not seen for a while is less certain by the second.
      let doubt = 0.15 * min(track.unseen, 2) * track.box.height
      return Self.head(of: track.box).grown(across: doubt, down: doubt)
    }
    let around = faces.map { $0.grown(across: 0.15 * $0.width, down: 0.2 * $0.height) }
    treatment.heads = (followed + known.maybe.map(Self.head) + around).map { $0.clipped(to: size) }
      .filter { !$0.isEmpty }.map { Coarse(box: $0, cells: Self.headCells) }
    return treatment
  }
}
