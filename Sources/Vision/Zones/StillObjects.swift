/// Something that stands still and is no part of the background.
public struct StillObject: Sendable, Hashable {
  public var id: Int
  public var box: Box
  /// Seconds: since when it stands there, and when it was last seen.
  public var since, seen: Double
}

/// Finds what stands still among what differs from the background, and is no person. Values in, values out.
public struct StillObjects: Sendable {
  /// Overlap with where it was before from which it has not moved.
  static let overlap = 0.6
  /// Seconds for which it may be hidden, by people who go by.
  static let memory = 5.0
  static let most = 200

  private var objects: [StillObject] = []
  private var nextID = 1

  public init() {}

  /// - Parameters:
  ///   - foreground: boxes of what differs from the background.
  ///   - people: where people are; what is mostly one of them is no object.
  /// - Returns: what stands still, also while people hide it.
  public mutating func advance(_ foreground: [Box], people: [Box], at time: Double) -> [StillObject] {
    for box in foreground where !people.contains(where: { box.share(in: $0) > 0.3 || $0.share(in: box) > 0.3 }) {
      let known = objects.indices.max { objects[$0].box.overlap(box) < objects[$1].box.overlap(box) }
      if let known, objects[known].box.overlap(box) >= Self.overlap {
        objects[known].seen = time
      } else if objects.count < Self.most {
        objects.append(StillObject(id: nextID, box: box, since: time, seen: time))
        nextID += 1
      }
    }
    for index in objects.indices where people.contains(where: { objects[index].box.share(in: $0) > 0.3 }) {
      // Hidden, not gone; but somebody who stood still long enough to be an object is none.
      if time - objects[index].seen <= Self.memory, time - objects[index].since > 1 { objects[index].seen = time }
    }
    objects.removeAll { time - $0.seen > (time - $0.since < 2 ? 0.5 : Self.memory) }
    return objects
  }
}
