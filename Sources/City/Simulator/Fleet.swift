import NGSI

/// One simulated device.
public struct Device: Sendable {
  /// URN of its entity.
  public let id: String
  /// Number in its fleet, from 0.
  public let index: Int
  public let place: Coordinate
  /// Its own chance.
  let stream: RandomStream
  /// The city's chance, for what many devices share.
  let city: RandomStream
}

/// The devices of one kind, and what they read: a function of device and instant, with no state between.
public struct Fleet: Sendable {
  public let plan: FleetPlan
  public let devices: [Device]
  private let model: any DeviceModel
  private let almanac: CityAlmanac
  private let typeIRI: String
  private let published: Set<String>
  /// Whether the city has no other fleet of this type.
  private let isOnlyOfType: Bool

  init(plan: FleetPlan, city: Manifest, ground: Ground, almanac: CityAlmanac) {
    self.plan = plan
    self.almanac = almanac
    isOnlyOfType = !city.fleets.contains { $0.type == plan.type && $0.id != plan.id }
    typeIRI = Vocabulary.iri(plan.type.rawValue)
    let chosen = plan.attributes ?? DeviceModels.attributes(of: plan.type)
    published = Set(chosen)
    let root = RandomStream(seed: UInt64(city.seed))
    let stream = root.named(plan.id).numbered(plan.seedOffset ?? 0)
    let places = Placer(ground: ground, stream: stream.named("places")).places(plan.placement, count: plan.count)
    model = DeviceModels.model(for: plan, ground: ground)
    devices = places.enumerated().map { index, place in
      let number = String(index + 1)
      let padded = String(repeating: "0", count: max(0, 4 - number.count)) + number
      return Device(
        id: "urn:ngsi-ld:\(plan.type.rawValue):\(city.id):\(plan.id):\(padded)", index: index, place: place,
        stream: stream.numbered(index + 1), city: root)
    }
  }

  /// What does not change: name, place, make, and the mark that it is synthetic.
  public func description(of device: Device) -> Entity {
    var observations = [
      Observation("name", name(of: device), kind: .languageProperty),
      Synthetic.observation,
    ]
    let own = model.description(of: device)
    if !own.contains(where: { $0.name == "location" }) {
      observations.append(Observation("location", device.place.rounded.point, kind: .geoProperty))
    }
    return entity(device, observations + own, observedAt: nil)
  }

  /// Language map: the kind and the number, `Streetlight 57`; with the fleet where the city has two of a kind.
  private func name(of device: Device) -> JSON {
    let label = plan.type.label
    let number = (isOnlyOfType ? "" : "\(plan.id) ") + "\(device.index + 1)"
    return ["ko": .string("\(label.ko) \(number)"), "en": .string("\(label.en) \(number)")]
  }

  /// What the device reads at an instant; the same arguments give the same entity.
  public func reading(_ device: Device, at time: DateTime) -> Entity { reading(device, moment(at: time)) }

  /// The readings of all devices at an instant, in order.
  public func readings(at time: DateTime) -> some Sequence<Entity> {
    let moment = moment(at: time)
    return devices.lazy.map { reading($0, moment) }
  }

  /// Readings of some of the devices, by their position.
  func readings(of range: Range<Int>, _ moment: Moment) -> [Entity] { devices[range].map { reading($0, moment) } }

  func moment(at time: DateTime) -> Moment {
    Moment(
      at: time, interval: Double(plan.cadence.seconds), almanac: almanac,
      integrates: DeviceModels.integrates(plan.type))
  }

  private func reading(_ device: Device, _ moment: Moment) -> Entity {
    let observations = model.reading(of: device, at: moment).filter { published.contains($0.name) }
    return entity(device, observations, observedAt: moment.conditions.time)
  }

  private func entity(_ device: Device, _ observations: [Observation], observedAt: DateTime?) -> Entity {
    var entity = Entity(id: device.id, types: [typeIRI])
    entity.attributes = observations.map { observation in
      let attribute = Attribute(
        kind: observation.kind, value: observation.value, observedAt: observedAt, unitCode: observation.unit)
      return AttributeSet(name: Vocabulary.iri(observation.name), instances: [attribute])
    }
    return entity
  }
}

/// The mark that every simulated entity carries, where a person can see it.
public enum Synthetic {
  /// Name of the Property.
  public static let attribute = "source"
  /// Its value.
  public static let value = "synthetic: madang simulator"

  static var observation: Observation { Observation(attribute, .string(value)) }
}
