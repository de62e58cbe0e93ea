/// How detections compare with the truth at an overlap (intersection over union) of 0.5.
public struct DetectionScore: Sendable, Hashable {
  public static let overlap = 0.5

  public private(set) var found = 0
  public private(set) var wrong = 0
  public private(set) var missed = 0

  public init() {}

  /// Adds a picture: as many pairs as can be made are found ones. What is left and fits a box that is to be ignored counts
  /// for nothing.
  public mutating func add(_ boxes: [Box], truth: [Box], ignored: [Box] = []) {
    let pairs = matches(boxes, truth, overlap: Self.overlap).count
    let boxes = considered(boxes, truth: truth, ignored: ignored).map { boxes[$0] }
    found += pairs
    wrong += boxes.count - pairs
    missed += truth.count - pairs
  }

  /// 1 where nothing was said.
  public var precision: Double { found + wrong == 0 ? 1 : Double(found) / Double(found + wrong) }
  /// 1 where nothing was there.
  public var recall: Double { found + missed == 0 ? 1 : Double(found) / Double(found + missed) }
  public var f1: Double {
    let all = 2 * found + wrong + missed
    return all == 0 ? 1 : Double(2 * found) / Double(all)
  }
}

/// Which boxes are left when those that fit nothing of the truth but something that is to be ignored are taken out.
func considered(_ boxes: [Box], truth: [Box], ignored: [Box]) -> [Int] {
  guard !ignored.isEmpty else { return Array(boxes.indices) }
  let found = Set(matches(boxes, truth, overlap: DetectionScore.overlap).map(\.box))
  let rest = boxes.indices.filter { !found.contains($0) }
  let dropped = Set(matches(rest.map { boxes[$0] }, ignored, overlap: DetectionScore.overlap).map { rest[$0.box] })
  return boxes.indices.filter { !dropped.contains($0) }
}

/// Pairs of boxes that overlap enough: as many as possible, then the best.
func matches(_ boxes: [Box], _ truth: [Box], overlap: Double) -> [(box: Int, truth: Int)] {
  let gains = boxes.map { box in
    truth.map { other in
      let shared = box.overlap(other)
      return shared >= overlap ? 1 + shared / 1000 : 0
    }
  }
  return leastCostAssignment(gains.map { $0.map { -$0 } }).enumerated().compactMap { box, other in
    guard let other, gains[box][other] > 0 else { return nil }
    return (box, other)
  }
}
