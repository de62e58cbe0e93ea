/// Somebody who is followed from picture to picture.
public struct Track: Sendable, Hashable {
  /// Counted from 1 for each camera.
  public var id: Int
  /// Where he is in the last picture.
  public var box: Box
  /// Pixels a second.
  public var velocity: Point
  /// Of the detection last seen, 0 to 1.
  public var score: Double
  /// Seconds since he was last seen; 0: in this picture.
  public var unseen: Double
  /// Seconds since he was first seen.
  public var age: Double

  public init(id: Int, box: Box, velocity: Point, score: Double, unseen: Double, age: Double) {
    self.id = id
    self.box = box
    self.velocity = velocity
    self.score = score
    self.unseen = unseen
    self.age = age
  }
}

/// Follows people: a Kalman filter for each, and in every picture an assignment in two passes, the sure detections first, the
/// unsure ones to those who would else be lost (the idea of ByteTrack, Zhang et al. 2022).
public struct Tracker: Sendable {
  public struct Settings: Sendable, Hashable {
    /// Score from which a detection is sure.
    public var sure = 0.5
    /// Score from which a detection may begin a track.
    public var begin = 0.55
    /// Sure detections that confirm a track.
    public var confirmations = 3
    /// Seconds for which somebody who is not seen is kept in mind.
    public var memory = 3.0
    /// Seconds for which he is still shown where he should be although detections without him came.
    public var coasting = 0.25
    /// Least overlap of a sure detection with where somebody should be, and of an unsure one.
    public var overlap = 0.2
    public var unsureOverlap = 0.4
    /// How much the colours of clothes count against overlap, and the least likeness with which somebody is found again.
    public var clothes = 4.0
    public var sameClothes = 0.85

    public init() {}
  }

  private struct Candidate: Sendable {
    var id: Int
    var filter: BoxFilter
    var begun, seen: Double
    var hits = 1
    var score: Double
    var isConfirmed = false
    var appearance: Appearance?
    var box: Box { filter.box }
  }

  public let settings: Settings
  private var candidates: [Candidate] = []
  private var nextID = 1
  private var time: Double?
  /// When detections last came.
  private var looked: Double?

  public init(settings: Settings = Settings()) { self.settings = settings }

  /// Where everybody who is kept in mind should be at a time, confirmed or not.
  public func expected(at next: Double) -> [Box] {
    candidates.map { candidate in
      var filter = candidate.filter
      filter.advance(seconds: max(0, next - (time ?? next)))
      return filter.box
    }
  }

  /// - Parameters:
  ///   - detections: without doubles, the unsure included.
  ///   - next: seconds; a time that is not after the last is taken for the last.
  /// - Returns: who is in the picture: confirmed, seen now or a moment ago; by id.
  public mutating func advance(_ detections: [Detection], at next: Double) -> [Track] {
    let now = max(next, time ?? next)
    let step = now - (looked ?? now)
    for index in candidates.indices { candidates[index].filter.advance(seconds: now - (time ?? now)) }
    (time, looked) = (now, now)

    var free = Set(detections.indices)
    var open = Set(candidates.indices)
    func assign(_ rows: [Int], _ columns: [Int], least: Double) {
      guard !rows.isEmpty, !columns.isEmpty else { return }
      let gains = rows.map { row in
        columns.map { likeness(candidates[row], detections[$0], now: now, least: least) }
      }
      // What is too unlike costs as much as none, so that it takes nobody else's.
      for (row, column) in leastCostAssignment(gains.map { $0.map { -$0 } }).enumerated() {
        guard let column, gains[row][column] > 0 else { continue }
        let detection = detections[columns[column]]
        // Who is half hidden looks like who hides him.
        let isAlone = !detections.indices.contains {
          $0 != columns[column] && detections[$0].box.overlap(detection.box) > 0.15
        }
        see(rows[row], detection, now, isAlone: isAlone)
        open.remove(rows[row])
        free.remove(columns[column])
      }
    }
    let sure = detections.indices.filter { detections[$0].score >= settings.sure }
    let unsure = detections.indices.filter { detections[$0].score < settings.sure }
    assign(open.filter { candidates[$0].isConfirmed }.sorted(), sure, least: settings.overlap)
    let recent = open.filter { candidates[$0].isConfirmed && now - candidates[$0].seen <= step + 1e-6 + 0.5 }
    assign(recent.sorted(), unsure, least: settings.unsureOverlap)
    assign(
      open.filter { !candidates[$0].isConfirmed }.sorted(),
      free.filter { detections[$0].score >= settings.sure }.sorted(),
      least: settings.overlap)

    candidates = candidates.indices.filter { index in
      let candidate = candidates[index]
      let patience = candidate.isConfirmed ? settings.memory : min(settings.memory, 2 * step)
      return !open.contains(index) || now - candidate.seen <= patience
    }.map { candidates[$0] }
    for index in free.sorted() where detections[index].score >= settings.begin {
      begin(detections[index], now)
    }
    return tracks(now)
  }

  /// A picture without detections: everybody goes on as before.
  /// - Returns: who is in the picture, as in ``advance(_:at:)``.
  public mutating func between(at next: Double) -> [Track] {
    let now = max(next, time ?? next)
    let step = now - (time ?? now)
    time = now
    for index in candidates.indices { candidates[index].filter.advance(seconds: step) }
    return tracks(now)
  }

  private mutating func see(_ index: Int, _ detection: Detection, _ now: Double, isAlone: Bool) {
    candidates[index].filter.measure(detection.box, trust: detection.score)
    candidates[index].seen = now
    candidates[index].score = detection.score
    candidates[index].hits += 1
    if isAlone, let appearance = detection.appearance {
      candidates[index].appearance?.learn(appearance, rate: 0.1)
      if candidates[index].appearance == nil { candidates[index].appearance = appearance }
    }
    if candidates[index].hits >= settings.confirmations { candidates[index].isConfirmed = true }
  }

  private mutating func begin(_ detection: Detection, _ now: Double) {
    // Somebody who is not seen for a moment would be there twice.
    guard !candidates.contains(where: { $0.seen == now && $0.box.overlap(detection.box) > 0.6 }) else { return }
    var candidate = Candidate(
      id: nextID, filter: BoxFilter(detection.box), begun: now, seen: now, score: detection.score)
    candidate.isConfirmed = settings.confirmations <= 1
    candidate.appearance = detection.appearance
    candidates.append(candidate)
    nextID += 1
  }

  private func tracks(_ now: Double) -> [Track] {
    candidates.filter { $0.isConfirmed && (looked ?? now) - $0.seen <= settings.coasting }.map { candidate in
      Track(
        id: candidate.id, box: candidate.box, velocity: candidate.filter.velocity, score: candidate.score,
        unseen: now - candidate.seen, age: now - candidate.begun)
    }.sorted { $0.id < $1.id }
  }

  /// How well a detection fits somebody, above 0; 0 where it does not. Who was not seen for a while may be somewhat
  /// beside of where he should be, if he looks the same.
  private func likeness(_ candidate: Candidate, _ detection: Detection, now: Double, least: Double) -> Double {
    let box = candidate.box
    let overlap = box.overlap(detection.box)
    var same: Double?
    if let known = candidate.appearance, let seen = detection.appearance { same = known.likeness(seen) }
    // Likenesses of people in one light lie mostly between 0.7 and 1.
    let clothes = same.map { settings.clothes * ($0 - 0.85) } ?? 0
    if overlap >= least { return max(0.01, 1 + overlap + clothes) }
    let away = now - candidate.seen
    guard away > 0.15, least <= settings.overlap, same ?? 1 > settings.sameClothes else { return 0 }
    let ratio = detection.box.height / box.height
    guard ratio > 0.6, ratio < 1.7 else { return 0 }
    let reach = box.height * min(0.25 + 0.4 * away, 1)
    let distance = box.centre.distance(to: detection.box.centre)
    return distance < reach ? max(0.01, 1 - distance / reach + clothes) : 0
  }
}
