import NGSI

/// What formulas are computed from: the facts of the plan, and what the entities of the city say at one time.
public struct FormulaData: Sendable, Hashable {
  public private(set) var facts: [Formula.Fact: Double] = [:]
  /// Number of entities by short type name.
  public private(set) var counts: [String: Int] = [:]
  /// One value for each entity that has the attribute.
  public private(set) var values: [Formula.Reading: [Formula.Value]] = [:]

  public init() {}

  public init(_ manifest: Manifest) {
    facts[.people] = Double(manifest.population.people)
    facts[.homes] = Double(manifest.population.homes)
    facts[.visitors] = manifest.population.visitors.map(Double.init)
    facts[.area] = manifest.site.area
  }

  /// Counts an entity and takes from it what formulas read.
  ///
  /// Of an attribute with several instances the one without `datasetId` speaks for the entity, otherwise the first. A
  /// value that is neither number, text nor flag is none; a flag is the word `true` or `false`.
  ///
  /// - Parameters:
  ///   - type: short name, one of the entity's.
  ///   - attributes: short names of those that are read.
  public mutating func add(_ entity: Entity, as type: String, attributes: Set<String>) {
    counts[type, default: 0] += 1
    guard !attributes.isEmpty else { return }
    for set in entity.attributes {
      let name = Vocabulary.short(set.name)
      guard attributes.contains(name),
        let instance = set.instances.first(where: { $0.datasetId == nil }) ?? set.instances.first,
        let value = Formula.Value(instance.value)
      else { continue }
      add(value, to: Formula.Reading(type: type, attribute: name))
    }
  }

  mutating func add(_ value: Formula.Value, to reading: Formula.Reading) { values[reading, default: []].append(value) }

  mutating func count(_ entities: Int, of type: String) { counts[type, default: 0] += entities }
}

extension Formula.Value {
  fileprivate init?(_ json: JSON) {
    switch json {
    case .bool(let flag): self = .word(flag ? "true" : "false")
    case .string(let text): self = .word(text)
    default:
      guard let number = json.number, number.isFinite else { return nil }
      self = .number(number)
    }
  }
}
