import Cameras
import Foundation
import Vision

/// What `madang safety watch` says of a video.
struct WatchReport: Encodable {
  /// Milliseconds of a picture, on the average. `read`: waiting for ffmpeg, which decodes beside.
  struct Milliseconds: Encodable {
    var read = 0.0
    var motion = 0.0
    var detection = 0.0
    var tracking = 0.0
    var rules = 0.0
    var total = 0.0
  }

  struct Event: Encodable {
    var number: Int
    var zone: String
    var rule: Zone.Name
    var phase: ZoneEvent.Phase
    /// Seconds from the begin of the video.
    var time, told: Double
    var track: Int?
    var people: Int?
    var direction: Zone.Direction?
    /// Left, top, width, height in pixels.
    var box: [Double]

    init(_ event: ZoneEvent) {
      number = event.number
      zone = event.zone
      rule = event.rule
      phase = event.phase
      time = event.time
      told = event.told
      track = event.track
      people = event.people
      direction = event.direction
      box = [event.box.x, event.box.y, event.box.width, event.box.height].map { ($0 * 100).rounded() / 100 }
    }
  }

  struct EventFigures: Encodable {
    var found, wrong, missed: Int
    var f1: Double
  }

  struct Truth: Encodable {
    var firstPicture, lastPicture: Int
    /// Rows that are neither to be found nor wrong when they are (seventh value 0).
    var ignoredRows: Int
    var found, wrong, missed: Int
    var precision, recall, f1, idf1: Double
    /// The share of true heads (upper eighth, middle two fifths) that nine tenths or more of were hidden, ignored rows included.
    var headsHidden: Double
    /// The share of people's area below the head that was shown.
    var bodiesShown: Double
    /// The rules over the true tracks against the rules over ours, within `eventTolerance` seconds.
    var events: [String: EventFigures]?
    var eventTolerance: Double?
  }

  let video, model, codec: String
  let width, height: Int
  let rate: Double
  var pictures = 0
  var seconds = 0.0
  var milliseconds = Milliseconds()
  /// Lines of the MOT challenge.
  var detections: [String] = []
  var events: [Event] = []
  var truth: Truth?

  private let rows: [Int: [MOTFile.Row]]?
  private let measured: ClosedRange<Int>?
  private var score = DetectionScore()
  private var identity = IdentityScore()
  private var ignored = 0
  private var privacy = PrivacyScore()
  private var told: [ZoneEvent] = []
  private var trueEvents: [ZoneEvent] = []
  private var trueWatch: ZoneWatch?

  enum CodingKeys: CodingKey {
    case video, model, codec, width, height, rate, pictures, seconds, milliseconds, detections, events, truth
  }

  init(
    video: String, model: String, size: PictureSize, rate: Double, codec: String, zones: [Zone],
    truth: [Int: [MOTFile.Row]]?
  ) {
    self.video = video
    self.model = model
    self.codec = codec
    width = size.width
    height = size.height
    self.rate = rate
    rows = truth
    if let first = truth?.keys.min(), let last = truth?.keys.max() { measured = first...last } else { measured = nil }
    if truth != nil, !zones.isEmpty { trueWatch = ZoneWatch(zones, size: size) }
  }

  mutating func add(_ seen: CameraWatch.Seen, read: Double) {
    pictures += 1
    let time = Double(pictures - 1) / rate
    milliseconds.read += read
    milliseconds.motion += seen.times.motion
    milliseconds.detection += seen.times.detection
    milliseconds.tracking += seen.times.tracking
    milliseconds.rules += seen.times.rules
    detections += seen.tracks.map {
      MOTFile.Row(frame: pictures, id: $0.id, box: $0.box, score: max($0.score, 0.001)).line
    }
    told += seen.events
    guard let rows, let measured, measured.contains(pictures) else { return }
    let all = rows[pictures] ?? []
    let (real, left) = (all.filter { !$0.isIgnored }, all.filter(\.isIgnored).map(\.box))
    ignored += left.count
    score.add(seen.tracks.map(\.box), truth: real.map(\.box), ignored: left)
    identity.add(
      seen.tracks.map { (id: $0.id, box: $0.box) }, truth: real.map { (id: $0.id, box: $0.box) }, ignored: left)
    let size = PictureSize(width: width, height: height)
    privacy.add(PrivacyPlan().treatment(seen.known, faces: [], in: size), truth: all.map(\.box), in: size)
    // Whoever is left out of the truth walks through zones all the same.
    let tracks = all.map {
      Track(id: $0.id, box: $0.box, velocity: Point(x: 0, y: 0), score: 1, unseen: 0, age: 0)
    }
    trueEvents += trueWatch?.advance(tracks, at: time) ?? []
  }

  mutating func finish(seconds: Double) {
    self.seconds = seconds
    for part in [\Milliseconds.read, \.motion, \.detection, \.tracking, \.rules] {
      milliseconds[keyPath: part] *= 1_000 / Double(max(1, pictures))
    }
    milliseconds.total = seconds * 1_000 / Double(max(1, pictures))
    events = told.map(Event.init)
    guard let measured else { return }
    var made = Truth(
      firstPicture: measured.lowerBound, lastPicture: min(measured.upperBound, pictures), ignoredRows: ignored,
      found: score.found, wrong: score.wrong, missed: score.missed, precision: score.precision, recall: score.recall,
      f1: score.f1, idf1: identity.idf1, headsHidden: privacy.headsHidden, bodiesShown: privacy.bodiesShown)
    if trueWatch != nil {
      let (begin, end) = (Double(measured.lowerBound - 1) / rate, Double(measured.upperBound - 1) / rate)
      let within = told.filter { (begin...max(begin, end)).contains($0.told) }
      made.eventTolerance = EventScore.tolerance
      made.events = Dictionary(
        uniqueKeysWithValues: EventScore(within, truth: trueEvents).counts.map { rule, count in
          (rule.rawValue, EventFigures(found: count.found, wrong: count.wrong, missed: count.missed, f1: count.f1))
        })
    }
    truth = made
  }

  func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }

  /// Lines of the MOT challenge; what is said besides begins with `#`.
  var text: String {
    func number(_ value: Double, _ digits: Int = 3) -> String { String(format: "%.\(digits)f", value) }
    var lines = detections
    for event in events {
      lines.append(
        "# event \(event.number) \(event.phase.rawValue): \(event.rule.rawValue) in \(event.zone) at "
          + "\(number(event.time, 1)) s, told at \(number(event.told, 1)) s"
          + (event.track.map { ", track \($0)" } ?? "") + (event.people.map { ", \($0) people" } ?? "")
          + (event.direction.map { ", \($0.rawValue)" } ?? ""))
    }
    lines.append(
      "# \(pictures) pictures of \(width)x\(height) (\(codec), \(number(rate, 2)) a second) in \(number(seconds, 1)) s")
    lines.append(
      "# \(number(milliseconds.total, 1)) ms a picture: waiting for it \(number(milliseconds.read, 1)), motion "
        + "\(number(milliseconds.motion, 1)), detection \(number(milliseconds.detection, 1)), tracking "
        + "\(number(milliseconds.tracking, 2)), rules \(number(milliseconds.rules, 2))")
    if let truth {
      lines.append(
        "# truth, pictures \(truth.firstPicture) to \(truth.lastPicture), \(truth.ignoredRows) rows ignored: precision "
          + "\(number(truth.precision)), recall \(number(truth.recall)), F1 \(number(truth.f1)) at IoU 0.5; IDF1 "
          + number(truth.idf1))
      lines.append(
        "# privacy: \(number(truth.headsHidden)) of true heads hidden, \(number(truth.bodiesShown)) of bodies shown")
      for (rule, count) in (truth.events ?? [:]).sorted(by: { $0.key < $1.key }) {
        lines.append(
          "# \(rule): F1 \(number(count.f1)) (\(count.found) found, \(count.wrong) wrong, \(count.missed) missed, within "
            + "\(number(truth.eventTolerance ?? 0, 1)) s)")
      }
    }
    return lines.joined(separator: "\n")
  }
}
