/// Holds the rules of a camera against who and what is in its pictures. Values in, events out; knows no clock.
public struct ZoneWatch: Sendable {
  public let zones: [Zone]
  public let size: PictureSize
  private var presence: [Presence]
  private var lines: [LineWatch]
  private var crowds: [CrowdWatch]
  private var objects: [ObjectWatch]
  private var nextNumber = 1

  public init(_ zones: [Zone], size: PictureSize) {
    self.zones = zones
    self.size = size
    presence = zones.compactMap { Presence($0, size) }
    lines = zones.compactMap { LineWatch($0, size) }
    crowds = zones.compactMap { CrowdWatch($0, size) }
    objects = zones.compactMap { ObjectWatch($0, size) }
  }

  /// - Parameters:
  ///   - still: things that stand still and are no part of the background.
  ///   - time: seconds; never less than before.
  /// - Returns: what began and ended, in the order of the zones.
  public mutating func advance(_ tracks: [Track], still: [StillObject] = [], at time: Double) -> [ZoneEvent] {
    var events: [ZoneEvent] = []
    for index in presence.indices { events += presence[index].advance(tracks, at: time, number: &nextNumber) }
    for index in lines.indices { events += lines[index].advance(tracks, at: time, number: &nextNumber) }
    for index in crowds.indices { events += crowds[index].advance(tracks, at: time, number: &nextNumber) }
    for index in objects.indices { events += objects[index].advance(still, tracks, at: time, number: &nextNumber) }
    return events
  }

  /// The longest dwell of rules about objects; `nil` where there is none.
  public var longestObjectDwell: Double? {
    zones.compactMap { zone -> Double? in
      guard case .abandonedObject(_, let dwell, _) = zone.rule else { return nil }
      return dwell
    }.max()
  }
}

extension Polygon {
  func scaled(to size: PictureSize) -> Polygon { Polygon(corners.map { $0.scaled(to: size) }) }
}

extension Point {
  func scaled(to size: PictureSize) -> Point { Point(x: x * Double(size.width), y: y * Double(size.height)) }
}

extension Zone {
  func counts(_ track: Track, _ size: PictureSize) -> Bool { track.box.height >= leastHeight * Double(size.height) }
}
