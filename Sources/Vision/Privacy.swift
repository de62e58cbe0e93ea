/// What is made unrecognizable in a picture before anybody sees it and before it is kept: parts that are covered always, and
/// heads of people.
public struct PrivacyPlan: Sendable, Hashable {
  /// Covered whole; parts of the picture, 0 to 1.
  public var masks: [Polygon]
  /// Whether heads are made coarse. On unless somebody with a reason turns it off.
  public var hidesHeads: Bool

  public init(masks: [Polygon] = [], hidesHeads: Bool = true) {
    self.masks = masks
    self.hidesHeads = hidesHeads
  }

  /// Where a person's head is: the upper part of the box, with room for what the box is off.
  ///
  /// Heads are about an eighth of a standing person's height; a quarter leaves room for who bends, and for boxes that are a tenth
  /// too low.
  public static func head(of person: Box) -> Box {
    let height = 0.26 * person.height
    let width = max(0.9 * person.width, height)
    return Box(x: person.centre.x - width / 2, y: person.y - 0.06 * person.height, width: width, height: height)
  }

  /// What is made coarse in a picture of people who are followed, and of faces that were found besides.
  public func heads(people: [Box], faces: [Box], in size: PictureSize) -> [Box] {
    guard hidesHeads else { return [] }
    let around = faces.map { $0.grown(across: 0.15 * $0.width, down: 0.2 * $0.height) }
    return (people.map(Self.head) + around).map { $0.clipped(to: size) }.filter { !$0.isEmpty }
  }
}
