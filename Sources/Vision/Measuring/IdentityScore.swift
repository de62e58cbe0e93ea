/// How well people are kept apart over time: IDF1, the share of detections that bear the right identity when each track is
/// given at most one person, as well as possible (Ristani et al. 2016).
public struct IdentityScore: Sendable, Hashable {
  private var together: [Pair: Int] = [:]
  private var trackPictures: [Int: Int] = [:]
  private var personPictures: [Int: Int] = [:]

  private struct Pair: Hashable { var track, person: Int }

  public init() {}

  /// Adds a picture: tracks and persons by their ids. Tracks that fit only a box that is to be ignored count for nothing.
  public mutating func add(_ tracks: [(id: Int, box: Box)], truth: [(id: Int, box: Box)], ignored: [Box] = []) {
    let tracks = considered(tracks.map(\.box), truth: truth.map(\.box), ignored: ignored).map { tracks[$0] }
    for track in tracks {
      trackPictures[track.id, default: 0] += 1
      for person in truth where track.box.overlap(person.box) >= DetectionScore.overlap {
        together[Pair(track: track.id, person: person.id), default: 0] += 1
      }
    }
    for person in truth { personPictures[person.id, default: 0] += 1 }
  }

  /// 0 to 1.
  public var idf1: Double {
    let tracks = trackPictures.keys.sorted()
    let persons = personPictures.keys.sorted()
    let all = trackPictures.values.reduce(0, +) + personPictures.values.reduce(0, +)
    guard all > 0 else { return 1 }
    let gains = tracks.map { track in persons.map { together[Pair(track: track, person: $0)] ?? 0 } }
    let right = leastCostAssignment(gains.map { $0.map { -Double($0) } }).enumerated().reduce(0) { sum, pair in
      sum + (pair.element.map { gains[pair.offset][$0] } ?? 0)
    }
    return Double(2 * right) / Double(all)
  }
}
