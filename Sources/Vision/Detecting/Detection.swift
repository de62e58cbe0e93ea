/// Something that a detector found in a picture.
public struct Detection: Sendable, Hashable {
  public var box: Box
  /// How sure the detector is, 0 to 1; comparable between detections of one detector only.
  public var score: Double
  /// What it looks like; `nil` where nobody looked.
  public var appearance: Appearance?

  public init(box: Box, score: Double, appearance: Appearance? = nil) {
    self.box = box
    self.score = score
    self.appearance = appearance
  }
}

/// The colours of somebody's clothes, by which two who meet are told apart: shares of steps of each colour, above and below.
///
/// It is too coarse to know a person again by, is never kept longer than a track, and is not meant to leave the tracker.
public struct Appearance: Sendable, Hashable {
  /// Numbers of a box: two halves, three colours, eight steps.
  public static let count = 48

  public private(set) var shares: [Float]

  /// `nil` where there are not ``count`` numbers.
  public init?(shares: [Float]) {
    guard shares.count == Self.count else { return nil }
    self.shares = shares
  }

  /// 0 (nothing in common) to 1 (the same): the mean Bhattacharyya coefficient of the six distributions.
  public func likeness(_ other: Appearance) -> Double {
    var sum: Float = 0
    for index in shares.indices { sum += (shares[index] * other.shares[index]).squareRoot() }
    return Double(sum) / 6
  }

  /// Becomes somewhat more like another.
  mutating func learn(_ other: Appearance, rate: Float) {
    for index in shares.indices { shares[index] += rate * (other.shares[index] - shares[index]) }
  }
}

extension [Detection] {
  /// The best of those that mean the same: the surest first, each drops the less sure that overlap it.
  ///
  /// - Parameter overlap: intersection over union from which two mean the same. Two of which one lies almost whole in the
  ///   other mean the same, too, where their heights are alike: a person cut at the edge of what was looked at.
  public func distinct(overlap: Double) -> [Detection] {
    var kept: [Detection] = []
    let ordered = enumerated().sorted { ($1.element.score, $0.offset) < ($0.element.score, $1.offset) }
    for (_, candidate) in ordered {
      let known = kept.contains { other in
        candidate.box.overlap(other.box) >= overlap
          || (candidate.box.share(in: other.box) > 0.85 && candidate.box.height > 0.55 * other.box.height)
      }
      if !known { kept.append(candidate) }
    }
    return kept
  }
}
