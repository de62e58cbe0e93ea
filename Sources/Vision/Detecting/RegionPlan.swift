/// Where a detector is to look in a picture, and how large it is to see it: parts of the picture, scaled so that people come out
/// about as tall as the network knows them best, packed onto canvases.
///
/// The work of a network grows with its picture, and most of a camera's picture is empty: only what moves, what is
/// followed, and from time to time a piece of the rest is looked at.
public struct RegionPlan: Sendable {
  public struct Settings: Sendable, Hashable {
    /// Height of a person on a canvas, in pixels.
    public var personHeight = 124.0
    /// Bounds of the scale from picture to canvas.
    public var scales = 0.25...4.0
    /// Lower bound of how tall a person may be in the picture, in pixels.
    public var smallestPerson = 16.0
    /// Room left and right of a person and above and below, in parts of the height.
    public var room = (across: 0.35, down: 0.22)
    /// Pixels between two parts on a canvas.
    public var gap = 8

    public init() {}

    public static func == (one: Settings, other: Settings) -> Bool {
      one.personHeight == other.personHeight && one.scales == other.scales
        && one.smallestPerson == other.smallestPerson && one.room == other.room && one.gap == other.gap
    }

    public func hash(into hasher: inout Hasher) {
      hasher.combine(personHeight)
      hasher.combine(smallestPerson)
    }
  }

  /// A part of the picture that is looked at.
  public struct Region: Sendable, Hashable {
    public var box: Box
    /// How tall people are expected to be there, in pixels of the picture.
    public var personHeight: Double

    public init(box: Box, personHeight: Double) {
      self.box = box
      self.personHeight = personHeight
    }
  }

  /// A part of the picture and where it is drawn; whole pixels.
  public struct Placement: Sendable, Hashable {
    public var from, to: Box

    public init(from: Box, to: Box) {
      self.from = from
      self.to = to
    }

    /// What was found on the canvas, in pixels of the picture.
    public func inPicture(_ box: Box) -> Box {
      let (across, down) = (from.width / to.width, from.height / to.height)
      return Box(
        x: from.x + (box.x - to.x) * across, y: from.y + (box.y - to.y) * down, width: box.width * across,
        height: box.height * down)
    }
  }

  public struct Canvas: Sendable, Hashable {
    public var size: PictureSize
    public var placements: [Placement]
  }

  /// Width of canvases and their heights: `32 k + 12` each (``PersonSSD``), few, since each size has buffers of its own.
  public static let canvasWidth = 428
  public static let canvasHeights = [140, 204, 300, 428]
  private static let tallest = 428

  public private(set) var canvases: [Canvas] = []

  /// - Parameter picture: its size; regions are cut to it.
  public init(_ regions: [Region], in picture: PictureSize, settings: Settings = Settings()) {
    var parts: [(from: Box, width: Int, height: Int)] = []
    for region in Self.merged(regions) {
      let scale = (settings.personHeight / max(region.personHeight, settings.smallestPerson))
        .clamped(to: settings.scales)
      for piece in Self.pieces(of: region.box.clipped(to: picture), scale: scale, personHeight: region.personHeight) {
        let whole = Self.wholePixels(piece, in: picture)
        guard whole.width >= 8, whole.height >= 8 else { continue }
        let fit = min(
          scale, Double(Self.canvasWidth) / whole.width,
          Double(Self.tallest) / whole.height)
        parts.append((whole, max(8, Int(whole.width * fit)), max(8, Int(whole.height * fit))))
      }
    }
    pack(parts, gap: settings.gap)
  }

  /// Regions around people who are followed, and around what moves besides.
  public static func regions(
    people: [Box], moving: [Box], usualHeight: Double?, settings: Settings = Settings()
  ) -> [Region] {
    var regions = people.map { region(around: $0, height: max($0.height, settings.smallestPerson), settings) }
    for blob in moving where !regions.contains(where: { blob.share(in: $0.box) > 0.8 }) {
      // What is wider than tall is no single person, and what is far too small is a piece of one.
      var height = blob.height
      if let usualHeight, blob.width > blob.height || height < 0.6 * usualHeight || height > 1.7 * usualHeight {
        height = usualHeight
      }
      height = max(height, settings.smallestPerson)
      var box = blob
      // A piece may be the head or the feet.
      if blob.height < height { box = blob.grown(across: 0, down: (height - blob.height) * 0.8) }
      regions.append(region(around: box, height: height, settings))
    }
    return regions
  }

  private static func region(around box: Box, height: Double, _ settings: Settings) -> Region {
    Region(
      box: box.grown(across: settings.room.across * height, down: settings.room.down * height), personHeight: height)
  }

  /// Regions that share much become one.
  private static func merged(_ regions: [Region]) -> [Region] {
    var rest = regions.filter { !$0.box.isEmpty }
    var isChanged = true
    while isChanged {
      isChanged = false
      search: for first in rest.indices {
        for second in rest.indices where second > first {
          let (one, other) = (rest[first], rest[second])
          let both = one.box.union(other.box)
          let isNear = one.personHeight < 1.6 * other.personHeight && other.personHeight < 1.6 * one.personHeight
          guard isNear, both.area < 1.05 * (one.box.area + other.box.area) else { continue }
          rest[first] = Region(box: both, personHeight: (one.personHeight + other.personHeight) / 2)
          rest.remove(at: second)
          isChanged = true
          break search
        }
      }
    }
    return rest
  }

  /// What is too large for a canvas is cut into pieces that overlap by more than a person.
  private static func pieces(of box: Box, scale: Double, personHeight: Double) -> [Box] {
    guard !box.isEmpty else { return [] }
    func cuts(_ length: Double, _ side: Int) -> [(Double, Double)] {
      let largest = Double(side) / scale
      guard length > largest * 1.15 else { return [(0, length)] }
      let overlap = min(personHeight * 1.2, largest * 0.5)
      let count = Int(((length - overlap) / (largest - overlap)).rounded(.up))
      return (0..<count).map { (Double($0) * (length - largest) / Double(count - 1), largest) }
    }
    return cuts(box.height, tallest).flatMap { top, height in
      cuts(box.width, canvasWidth).map { left, width in
        Box(x: box.x + left, y: box.y + top, width: width, height: height)
      }
    }
  }

  private static func wholePixels(_ box: Box, in picture: PictureSize) -> Box {
    let left = max(0, box.x.rounded(.down))
    let top = max(0, box.y.rounded(.down))
    return Box(
      x: left, y: top, width: min(Double(picture.width), box.right.rounded(.up)) - left,
      height: min(Double(picture.height), box.bottom.rounded(.up)) - top)
  }

  /// Shelves, the tallest parts first.
  private mutating func pack(_ parts: [(from: Box, width: Int, height: Int)], gap: Int) {
    let tallest = Self.tallest
    var shelves: [(top: Int, height: Int, right: Int)] = []
    var placements: [Placement] = []
    func bottom() -> Int { shelves.last.map { $0.top + $0.height } ?? 0 }
    func close(_ plan: inout RegionPlan) {
      guard !placements.isEmpty else { return }
      let height = Self.canvasHeights.first { $0 >= bottom() } ?? tallest
      plan.canvases.append(Canvas(size: PictureSize(width: Self.canvasWidth, height: height), placements: placements))
      placements = []
      shelves = []
    }
    let ordered = parts.enumerated().sorted { ($1.element.height, $0.offset) < ($0.element.height, $1.offset) }
    for (_, part) in ordered {
      var shelf = shelves.firstIndex { $0.height >= part.height && Self.canvasWidth - $0.right >= part.width + gap }
      if shelf == nil {
        let top = shelves.isEmpty ? 0 : bottom() + gap
        if top + part.height > tallest { close(&self) }
        shelves.append((shelves.isEmpty ? 0 : bottom() + gap, part.height, -gap))
        shelf = shelves.count - 1
      }
      guard let shelf else { continue }
      let left = shelves[shelf].right + gap
      placements.append(
        Placement(
          from: part.from,
          to: Box(
            x: Double(left), y: Double(shelves[shelf].top), width: Double(part.width), height: Double(part.height))))
      shelves[shelf].right = left + part.width
    }
    close(&self)
  }

  /// What was found on a canvas, in pixels of the picture. What was seen beyond the part it belongs to is dropped, as are
  /// people whom a cut that is not the picture's own edge goes through.
  public static func inPicture(_ found: [Detection], on canvas: Canvas, picture: PictureSize) -> [Detection] {
    found.compactMap { detection in
      guard let placement = canvas.placements.first(where: { $0.to.contains(detection.box.centre) }) else { return nil }
      let box = placement.inPicture(detection.box)
      let cut = placement.from
      let slack = 0.06 * box.height
      if (cut.x > 0 && box.x < cut.x - slack) || (cut.y > 0 && box.y < cut.y - slack)
        || (cut.right < Double(picture.width) && box.right > cut.right + slack)
        || (cut.bottom < Double(picture.height) && box.bottom > cut.bottom + slack)
      {
        return nil
      }
      let inside = box.clipped(to: picture)
      return inside.isEmpty ? nil : Detection(box: inside, score: detection.score)
    }
  }
}
