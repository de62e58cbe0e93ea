/// A building as rooms that are joined by passages, for the same planner as streets.
public struct Building: Sendable {
  public struct Room: Sendable {
    public var name: String
    public var people: Int
    /// Seconds until people set out after the alarm.
    public var reaction: Double
    /// Whether people are safe there; for so many, or any number.
    public var shelter: Shelter?

    public enum Shelter: Sendable {
      case unlimited
      case room(for: Int)
    }

    public init(_ name: String, people: Int = 0, reaction: Double = 0, shelter: Shelter? = nil) {
      self.name = name
      self.people = people
      self.reaction = reaction
      self.shelter = shelter
    }
  }

  public struct Passage: Sendable {
    public enum Kind: Sendable {
      case door, corridor, stair
    }

    /// Names of rooms.
    public var from, to: String
    public var kind: Kind
    /// Clear width in metres.
    public var width: Double
    /// Metres to go from one room's middle to the other's; along the slope of a stair.
    public var length: Double
    public var isOneWay: Bool

    public init(
      _ kind: Kind, from: String, to: String, width: Double, length: Double, isOneWay: Bool = false
    ) {
      self.kind = kind
      self.from = from
      self.to = to
      self.width = width
      self.length = length
      self.isOneWay = isOneWay
    }
  }

  public var rooms: [Room]
  public var passages: [Passage]

  public init(rooms: [Room], passages: [Passage]) {
    self.rooms = rooms
    self.passages = passages
  }

  /// The network: node `i` is room `i`; each passage has an arc, and one back unless it is one way, in that order.
  /// - Parameter step: seconds, 0.1 to 600
  /// - Throws: `EvacuationError.invalid`
  public func network(
    step: Double, figures: WalkingFigures = .buildings
  ) throws(EvacuationError) -> EvacuationNetwork {
    guard (0.1...600).contains(step) else { throw .invalid("steps of \(step) seconds") }
    var index: [String: Int] = [:]
    for (number, room) in rooms.enumerated() {
      guard index.updateValue(number, forKey: room.name) == nil else { throw .invalid("two rooms \(room.name)") }
    }
    var arcs: [EvacuationNetwork.Arc] = []
    for passage in passages {
      guard let from = index[passage.from], let to = index[passage.to] else {
        throw .invalid("a passage from \(passage.from) to \(passage.to), one of which is no room")
      }
      guard passage.width > 0, passage.width <= 1_000, passage.length >= 0, passage.length <= 100_000 else {
        throw .invalid("a passage of width \(passage.width) and length \(passage.length)")
      }
      let isStair = passage.kind == .stair
      let margin = passage.kind == .corridor ? figures.wallMargin : figures.stairMargin
      let arc = EvacuationNetwork.Arc(
        from: from, to: to, transit: figures.transit(passage.length, onStairs: isStair, step: step),
        capacity: figures.capacity(passage.width - 2 * margin, onStairs: isStair, step: step))
      arcs.append(arc)
      if !passage.isOneWay {
        arcs.append(
          EvacuationNetwork.Arc(from: to, to: from, transit: arc.transit, capacity: arc.capacity))
      }
    }
    var exits: [EvacuationNetwork.Exit] = []
    var sources: [EvacuationNetwork.Source] = []
    for (number, room) in rooms.enumerated() {
      switch room.shelter {
      case nil: break
      case .unlimited: exits.append(EvacuationNetwork.Exit(node: number))
      case .room(let people): exits.append(EvacuationNetwork.Exit(node: number, capacity: people))
      }
      guard room.reaction >= 0, room.reaction / step <= 100_000 else { throw .invalid("\(room)") }
      if room.people > 0 {
        sources.append(
          EvacuationNetwork.Source(
            node: number, people: room.people, ready: Int((room.reaction / step).rounded(.up))))
      }
    }
    return try EvacuationNetwork(nodeCount: rooms.count, arcs: arcs, sources: sources, exits: exits)
  }
}
