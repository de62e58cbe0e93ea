import NGSI

/// What a service promises the city: the basis on which a composer can tell whether everything fits together.
public struct ServiceContract: Sendable, Hashable {
  /// What makes a service act.
  public enum Wake: Sendable, Hashable {
    case clock
    /// A change to an entity of one of these types (short names).
    case change(ofTypes: [String])
  }

  /// Short and unique, such as `eco`.
  public var name: String
  /// Entity types that it alone writes.
  public var owns: [String]
  public var wakesOn: [Wake]
  /// Attributes it publishes, by entity type.
  public var publishes: [String: [String]]

  public init(name: String, owns: [String], wakesOn: [Wake], publishes: [String: [String]]) {
    self.name = name
    self.owns = owns
    self.wakesOn = wakesOn
    self.publishes = publishes
  }
}

/// A room of the city: it works until it is cancelled, and writes by the one way in.
public protocol CityService: Sendable {
  var contract: ServiceContract { get }
  /// - Throws: `CancellationError` when it is stopped; anything else is a failure.
  func run(clock: any CityClock, sink: any EntitySink) async throws
}

extension Simulation: CityService {
  public var contract: ServiceContract {
    var publishes: [String: [String]] = [:]
    for fleet in city.fleets {
      let names = fleet.plan.attributes ?? DeviceModels.attributes(of: fleet.plan.type)
      let known = publishes[fleet.plan.type.rawValue] ?? []
      publishes[fleet.plan.type.rawValue] = known + names.filter { !known.contains($0) }
    }
    // It owns no type: real devices of the same types stand beside simulated ones.
    return ServiceContract(name: "simulator", owns: [], wakesOn: [.clock], publishes: publishes)
  }

  public func run(clock: any CityClock, sink: any EntitySink) async throws {
    try await run(clock: clock, sink: sink, until: nil)
  }
}
