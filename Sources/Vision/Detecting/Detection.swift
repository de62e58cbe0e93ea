/// Something that a detector found in a picture.
public struct Detection: Sendable, Hashable {
  public var box: Box
  /// How sure the detector is, 0 to 1; comparable between detections of one detector only.
  public var score: Double

  public init(box: Box, score: Double) {
    self.box = box
    self.score = score
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
