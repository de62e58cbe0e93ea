// How much work it is to tell whether a polygon crosses itself.
//
// GEOS cuts the rings into chains that run towards one quarter of the compass, and compares each two whose boxes meet.
// A coast line of 20,000 positions has fewer such pairs than positions; a spiral or spikes around a circle have tens of
// millions of them and take seconds (docs/decisions/005-crossing-polygons.md).

extension Shape {
  /// Most pairs of chains: about a tenth of a second.
  static let mostChainPairs = 500_000
  /// Most looks at two chains that it may take to count them: some hundredths of a second.
  private static let mostSteps = 20_000_000

  /// Whether it takes too long to tell if its lines cross.
  var isTooIntricate: Bool {
    var boxes: [BoundingBox] = []
    for line in lines { Self.addChains(of: line, to: &boxes) }
    guard boxes.count * (boxes.count - 1) / 2 > Self.mostChainPairs else { return false }
    // A line is swept across them, in the direction in which they are shorter.
    let sweepsEast = boxes.reduce(0) { $0 + $1.east - $1.west - ($1.north - $1.south) } < 0
    let spans = boxes.map { box in
      sweepsEast
        ? (from: box.west, to: box.east, low: box.south, high: box.north)
        : (from: box.south, to: box.north, low: box.west, high: box.east)
    }.sorted { $0.from < $1.from }
    var under: [Int] = []
    var (pairs, steps) = (0, 0)
    for (next, span) in spans.enumerated() {
      under.removeAll { spans[$0].to < span.from }
      steps += under.count
      pairs += under.count { spans[$0].low <= span.high && span.low <= spans[$0].high }
      if pairs > Self.mostChainPairs || steps > Self.mostSteps { return true }
      under.append(next)
    }
    return false
  }

  private static func addChains(of line: [Position], to boxes: inout [BoundingBox]) {
    var quarter: Int?
    for (from, to) in zip(line, line.dropFirst()) where from != to {
      let next = (to.longitude >= from.longitude ? 2 : 0) + (to.latitude >= from.latitude ? 1 : 0)
      let box = BoundingBox(
        west: min(from.longitude, to.longitude), south: min(from.latitude, to.latitude),
        east: max(from.longitude, to.longitude), north: max(from.latitude, to.latitude))
      if next == quarter, let last = boxes.popLast() {
        boxes.append(
          BoundingBox(
            west: min(last.west, box.west), south: min(last.south, box.south), east: max(last.east, box.east),
            north: max(last.north, box.north)))
      } else {
        boxes.append(box)
      }
      quarter = next
    }
  }
}
