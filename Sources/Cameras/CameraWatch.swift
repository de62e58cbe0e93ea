import Vision

/// What a camera's pictures show, one after the other: what moves, where to look, who is there, who is who, and what the rules
/// say of it. Not for several threads at once; the detector may serve several cameras in turn.
public final class CameraWatch {
  public struct Settings: Sendable {
    public var motion = MotionGate.Settings()
    public var regions = RegionPlan.Settings()
    public var tracker = Tracker.Settings()
    /// The detector looks at every so manieth picture; who is followed goes on in between.
    public var detectEvery = 1
    /// Pictures in which all of the picture is looked at once, piece by piece, whether something moves or not.
    public var sweep = 40
    /// How tall people are where nobody was seen yet, in parts of the picture's height.
    public var firstHeights = [0.14]

    public init() {}
  }

  /// Where the time of a picture goes, in seconds.
  public struct Times: Sendable, Hashable {
    public var motion = 0.0
    public var detection = 0.0
    public var tracking = 0.0
    public var rules = 0.0

    public init() {}
  }

  public struct Seen: Sendable {
    public var tracks: [Track]
    /// What the detector said; `nil` where it was not asked.
    public var detections: [Detection]?
    public var events: [ZoneEvent]
    /// By what people are hidden in this picture.
    public var known: PrivacyPlan.Known
    public var times: Times
  }

  private let settings: Settings
  private let gate: MotionGate
  private var tracker: Tracker
  private var zones: [Zone]
  private var watch: ZoneWatch?
  private var still = StillObjects()
  private var pictures = 0
  private var swept = 0
  private var hasLooked = false
  /// The heights of people seen lately, in pixels.
  private var heights: [Double] = []

  public init(zones: [Zone] = [], settings: Settings = Settings()) throws(DetectorError) {
    self.settings = settings
    self.zones = zones
    var motion = settings.motion
    let dwell = ZoneWatch(zones, size: PictureSize(width: 1, height: 1)).longestObjectDwell
    // What stays must not be background before it was there long enough.
    motion.memory = max(motion.memory, 3 * (dwell ?? 0))
    gate = try MotionGate(settings: motion)
    tracker = Tracker(settings: settings.tracker)
  }

  /// - Parameters:
  ///   - time: seconds of the picture; never less than before.
  ///   - isDetecting: whether the detector may be asked; where it is not, people go on as before.
  /// - Throws: ``DetectorError`` where the detector cannot run.
  public func next(
    _ picture: Picture, at time: Double, detector: any PersonDetector, isDetecting: Bool = true
  ) throws(DetectorError) -> Seen {
    var times = Times()
    let begin = ContinuousClock.now
    if watch?.size != picture.size {
      watch = ZoneWatch(zones, size: picture.size)
      tracker = Tracker(settings: settings.tracker)
      still = StillObjects()
      (pictures, swept, hasLooked, heights) = (0, 0, false, [])
    }
    let blobs = gate.next(picture, at: time)
    let looked = ContinuousClock.now
    times.motion = (looked - begin) / .seconds(1)

    var detections: [Detection]?
    var tracks: [Track]
    if isDetecting, pictures % max(1, settings.detectEvery) == 0 {
      let regions = self.regions(blobs.map(\.box), picture.size, at: time)
      let found = regions.isEmpty ? [] : try detector.detections(in: picture, regions: regions)
      detections = found
      let detected = ContinuousClock.now
      times.detection = (detected - looked) / .seconds(1)
      tracks = tracker.advance(picture.withAppearances(found), at: time)
      times.tracking = (ContinuousClock.now - detected) / .seconds(1)
      learn(tracks)
    } else {
      tracks = tracker.between(at: time)
      times.tracking = (ContinuousClock.now - looked) / .seconds(1)
    }
    pictures += 1

    let tracked = ContinuousClock.now
    var events: [ZoneEvent] = []
    if watch != nil {
      let objects =
        watch?.longestObjectDwell == nil
        ? [] : still.advance(blobs.map(\.box), people: tracks.map(\.box), at: time)
      events = watch?.advance(tracks, still: objects, at: time) ?? []
    }
    times.rules = (ContinuousClock.now - tracked) / .seconds(1)
    let known = PrivacyPlan.Known(
      tracks: tracks, maybe: tracker.expected(at: time) + (detections ?? []).map(\.box), moving: blobs.map(\.box),
      usualHeight: usualHeight)
    return Seen(tracks: tracks, detections: detections, events: events, known: known, times: times)
  }

  private var usualHeight: Double? {
    heights.count < 20 ? nil : heights.sorted()[heights.count / 2]
  }

  private func learn(_ tracks: [Track]) {
    heights += tracks.filter { $0.unseen == 0 }.map(\.box.height)
    if heights.count > 400 { heights.removeFirst(heights.count - 400) }
  }

  private func regions(_ moving: [Box], _ size: PictureSize, at time: Double) -> [RegionPlan.Region] {
    let whole = Box(x: 0, y: 0, width: Double(size.width), height: Double(size.height))
    guard hasLooked else {
      hasLooked = true
      return settings.firstHeights.map {
        RegionPlan.Region(box: whole, personHeight: $0 * Double(size.height))
      }
    }
    var regions = RegionPlan.regions(
      people: tracker.expected(at: time), moving: moving, usualHeight: usualHeight, settings: settings.regions)
    if settings.sweep > 0 {
      let height = usualHeight ?? (settings.firstHeights.first ?? 0.14) * Double(size.height)
      let pieces = Self.pieces(of: size, personHeight: height)
      let due = pictures * pieces.count / settings.sweep
      if due > swept {
        swept = due
        regions.append(RegionPlan.Region(box: pieces[due % pieces.count], personHeight: height))
      }
    }
    return regions
  }

  /// Pieces that overlap by somewhat more than a person.
  private static func pieces(of size: PictureSize, personHeight: Double) -> [Box] {
    let side = max(3.2 * personHeight, 32)
    func cuts(_ length: Double) -> [Double] {
      let overlap = 1.2 * personHeight
      let count = max(1, Int(((length - overlap) / (side - overlap)).rounded(.up)))
      guard count > 1 else { return [0] }
      return (0..<count).map { Double($0) * (length - side) / Double(count - 1) }
    }
    return cuts(Double(size.height)).flatMap { top in
      cuts(Double(size.width)).map { Box(x: $0, y: top, width: side, height: side) }
    }
  }
}
