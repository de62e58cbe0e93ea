/// Lets people go given ways at the pace that the network allows: who finds an arc full waits in line before it.
public struct QueueReplay {
  /// People of a source who set out at a step on a way.
  public struct Itinerary: Sendable {
    public var source, people, departure: Int
    public var arcs: [Int]
    public var exit: Int

    public init(source: Int, people: Int, departure: Int, arcs: [Int], exit: Int) {
      self.source = source
      self.people = people
      self.departure = departure
      self.arcs = arcs
      self.exit = exit
    }
  }

  private let network: EvacuationNetwork
  private var lines: [[EvacuationPlan.Group]]
  private var lineBegins: [Int]
  private var used: [Int]
  private var busy: [Int] = []
  private var isBusy: [Bool]
  private var done: [EvacuationPlan.Group] = []
  private var due: [[EvacuationPlan.Group]] = []
  private let itineraries: [Itinerary]

  /// The plan that comes of it; `nil` when a way leads over an arc that nobody may enter.
  ///
  /// Lines are first come, first served; of those who come at one step the itinerary that stands first. A group is
  /// divided where only a part of it may pass.
  public static func plan(_ itineraries: [Itinerary], on network: EvacuationNetwork) -> EvacuationPlan? {
    let isOpen = itineraries.allSatisfy { way in
      way.arcs.allSatisfy { !network.arcs[$0].isBlocked && network.arcs[$0].capacity > 0 }
    }
    guard isOpen else { return nil }
    var replay = QueueReplay(itineraries, network)
    replay.run()
    return EvacuationPlan(groups: replay.done)
  }

  private init(_ itineraries: [Itinerary], _ network: EvacuationNetwork) {
    self.network = network
    self.itineraries = itineraries
    lines = Array(repeating: [], count: network.arcs.count)
    lineBegins = Array(repeating: 0, count: network.arcs.count)
    used = Array(repeating: 0, count: network.arcs.count)
    isBusy = Array(repeating: false, count: network.arcs.count)
  }

  private mutating func run() {
    for (index, way) in itineraries.enumerated() where way.people > 0 {
      // While it is under way, a group's `exit` is the number of its itinerary.
      let group = EvacuationPlan.Group(source: way.source, people: way.people, moves: [], exit: index, arrival: 0)
      schedule(group, max(way.departure, network.sources[way.source].ready))
    }
    var step = 0
    while step < due.count || !busy.isEmpty {
      for arc in busy { used[arc] = 0 }
      repeat {
        let coming = step < due.count ? due[step] : []
        if step < due.count { due[step] = [] }
        for group in coming { line(up: group, at: step) }
        for arc in busy { pass(arc, step) }
      } while step < due.count && !due[step].isEmpty
      busy.removeAll {
        let isOver = lineBegins[$0] == lines[$0].count
        if isOver {
          isBusy[$0] = false
          lines[$0] = []
          lineBegins[$0] = 0
        }
        return isOver
      }
      step += 1
    }
  }

  private mutating func schedule(_ group: EvacuationPlan.Group, _ step: Int) {
    if due.count <= step { due += Array(repeating: [], count: step + 1 - due.count) }
    due[step].append(group)
  }

  private mutating func line(up group: EvacuationPlan.Group, at step: Int) {
    let way = itineraries[group.exit]
    guard group.moves.count < way.arcs.count else {
      var group = group
      group.exit = way.exit
      group.arrival = step
      done.append(group)
      return
    }
    let arc = way.arcs[group.moves.count]
    lines[arc].append(group)
    if !isBusy[arc] {
      isBusy[arc] = true
      used[arc] = 0
      busy.append(arc)
    }
  }

  private mutating func pass(_ arc: Int, _ step: Int) {
    let (capacity, transit) = (network.arcs[arc].capacity, network.arcs[arc].transit)
    while lineBegins[arc] < lines[arc].count && used[arc] < capacity {
      var group = lines[arc][lineBegins[arc]]
      let people = min(group.people, capacity - used[arc])
      if people < group.people {
        lines[arc][lineBegins[arc]].people -= people
        group.people = people
      } else {
        lineBegins[arc] += 1
      }
      used[arc] += people
      group.moves.append(EvacuationPlan.Move(arc: arc, step: step))
      schedule(group, step + transit)
    }
  }
}
