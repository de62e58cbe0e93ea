import City
import Foundation
import Hub
import Incidents
import NGSI
import Store

/// Plays an evening: what happens, happens by the doors that all use; what people do first, the simulated operator leaves alone.
public actor EveningPlayer {
  private let evening: Evening
  private let safety: SafetyService
  private let sink: any EntitySink
  /// How many seconds of the evening go by in one.
  private let pace: Double
  private var places: [String: Position] = [:]
  private var begun: Double = 0
  private var done: Set<Int> = []

  static let `operator` = Party(.person, id: "simulated-operator", agency: "city", roles: ["operator"])
  private static let crew = Party(.client, id: "simulated-units")
  /// Seconds until a unit answers, and until it drives off.
  private static let (answers, leaves) = (6.0, 14.0)
  /// Metres at which it is there.
  private static let there = 25.0
  /// Seconds after which a unit is clear when the danger is over.
  private static let clears = 20.0

  public init(_ evening: Evening, safety: SafetyService, sink: any EntitySink, pace: Double = 1) {
    (self.evening, self.safety, self.sink, self.pace) = (evening, safety, sink, pace)
  }

  /// Plays until the task is cancelled: when all has happened units still come when they are sent.
  public func play() async throws {
    for unit in evening.units { places[unit.name] = unit.place }
    try await sink.upsert(evening.cameras.map { Self.entity($0, type: "Camera") })
    try await sink.upsert(evening.units.map { Self.entity($0, type: "ResponseUnit", status: "free") })
    begun = safety.time.secondsSince1970
    while !Task.isCancelled {
      for (index, event) in evening.events.enumerated() where !done.contains(index) {
        if await happens(event) { done.insert(index) }
      }
      await moveUnits(1)
      try await Task.sleep(for: .seconds(1 / pace))
    }
  }

  /// - Returns: whether it is over and done with.
  private func happens(_ event: Evening.Event) async -> Bool {
    let now = safety.time.secondsSince1970
    guard let of = event.of else {
      guard (now - begun) * pace >= event.after else { return false }
      switch event.what {
      case .report(let report): _ = try? await safety.report(report, in: .default)
      case .device(let type, let attribute, let thing):
        try? await sink.upsert([Self.entity(thing, type: type, attribute: attribute, at: safety.time)])
      case .command, .merge: break
      }
      return true
    }
    guard let incident = safety.book.incident(in: .default, where: { $0.isReported(by: of) }) else { return false }
    let command: Command
    switch event.what {
    case .command(let said): command = said
    case .merge(let into):
      let other = safety.book.incident(in: .default) { $0.isReported(by: into) }
      guard let other, other.id != incident.id else { return false }
      command = .merge(into: other.id)
    case .report, .device: return true
    }
    guard (now - incident.openedAt.secondsSince1970) * pace >= event.after else { return false }
    // Somebody has done it before, or something else: then it is left alone.
    _ = try? await safety.carryOut(
      command, as: SafetyService.ownId("evening", "\(of) \(event.after)"), on: incident.id, by: Self.operator,
      in: .default)
    return true
  }

  // MARK: Units

  private func moveUnits(_ seconds: Double) async {
    let now = safety.time.secondsSince1970
    var moved: [Entity] = []
    let sent = safety.book.queue(in: .default, at: safety.time, where: { _ in true })
    for incident in sent.map(\.incident) {
      for state in incident.dispatches where state.status.isOut {
        guard let unit = evening.units.first(where: { $0.name == state.unit }), let here = places[unit.name] else {
          continue
        }
        let waited = (now - (state.times[.requested]?.secondsSince1970 ?? now)) * pace
        switch state.status {
        case .requested where waited >= Self.answers: await say(.accepted, unit, incident)
        case .accepted where waited >= Self.leaves: await say(.enRoute, unit, incident)
        case .enRoute:
          guard let goal = incident.position else { continue }
          let left = here.distance(to: goal)
          let share = min(1, unit.speed * seconds / max(left, 0.01))
          let next =
            Position(
              longitude: here.longitude + (goal.longitude - here.longitude) * share,
              latitude: here.latitude + (goal.latitude - here.latitude) * share) ?? here
          places[unit.name] = next
          var there = unit
          there.place = next
          moved.append(Self.entity(there, type: "ResponseUnit", status: "en-route"))
          if left <= Self.there { await say(.onScene, unit, incident) }
        case .onScene:
          if let over = incident.resolvedAt, (now - over.secondsSince1970) * pace >= Self.clears {
            await say(.cleared, unit, incident)
          }
        default: break
        }
      }
    }
    if !moved.isEmpty { try? await sink.upsert(moved) }
  }

  private func say(_ status: Dispatch.Status, _ unit: Evening.Thing, _ incident: Incident) async {
    _ = try? await safety.carryOut(
      .unit(id: unit.name, status, reason: nil),
      as: SafetyService.ownId("evening", "\(unit.id) \(status.rawValue) \(incident.sequence)"), on: incident.id,
      by: Self.crew, in: .default)
  }

  private static func entity(
    _ thing: Evening.Thing, type: String, status: String? = nil, attribute: String? = nil, at time: DateTime? = nil
  ) -> Entity {
    var entity = Entity(id: "urn:ngsi-ld:\(type):\(thing.id)", types: [Context.core.expand(type)])
    func put(_ name: String, _ value: JSON, at time: DateTime? = nil) {
      var attribute = Attribute(kind: .property, value: value)
      attribute.observedAt = time
      entity.attributes.append(AttributeSet(name: Context.core.expand(name), instances: [attribute]))
    }
    put("name", .string(thing.name))
    put("source", "synthetic")
    if let agency = thing.agency { put("agency", .string(agency)) }
    if let status { put("status", .string(status)) }
    if let attribute { put(attribute, true, at: time) }
    entity.attributes.append(
      AttributeSet(
        name: Core.location,
        instances: [
          Attribute(
            kind: .geoProperty,
            value: ["type": "Point", "coordinates": [.double(thing.place.longitude), .double(thing.place.latitude)]])
        ]))
    return entity
  }
}

extension Incident {
  /// Whether a source reported it, or a device whose id ends with that.
  fileprivate func isReported(by source: String) -> Bool {
    reports.contains { $0.source == source || $0.source.hasSuffix(":" + source) }
  }
}
