/// How well people are hidden, against where they truly are.
public struct PrivacyScore: Sendable {
  /// A head is hidden where at least this share of it is coarse.
  public static let least = 0.9

  public private(set) var heads = 0
  public private(set) var hidden = 0
  private var shown = 0.0

  public init() {}

  /// A person's head: the upper eighth of the box, the middle two fifths of its width.
  public static func head(of person: Box) -> Box {
    Box(x: person.x + 0.3 * person.width, y: person.y, width: 0.4 * person.width, height: person.height / 8)
  }

  /// - Parameter truth: boxes of all people in the picture.
  public mutating func add(_ treatment: PrivacyPlan.Treatment, truth: [Box], in size: PictureSize) {
    for person in truth {
      let head = Self.head(of: person).clipped(to: size)
      let body = Box(
        x: person.x, y: person.y + person.height / 4, width: person.width, height: 0.75 * person.height
      ).clipped(to: size)
      guard !head.isEmpty, !body.isEmpty else { continue }
      heads += 1
      if treatment.hiddenShare(of: head) >= Self.least { hidden += 1 }
      shown += 1 - treatment.hiddenShare(of: body)
    }
  }

  /// 0 to 1; 1 where nobody was there.
  public var headsHidden: Double { heads > 0 ? Double(hidden) / Double(heads) : 1 }
  /// The mean share of what is below the head that was shown, 0 to 1.
  public var bodiesShown: Double { heads > 0 ? shown / Double(heads) : 1 }
}
