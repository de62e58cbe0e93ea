import NGSI
import Yams

/// What a city's fleets and connectors give: attributes by entity type, and what kind of value each has.
///
/// It is known before a device exists: a fleet's model is asked for one reading, a mapping file for its attributes.
struct Supply {
  enum Kind: String { case number, word, other }

  private(set) var types: [String: [String: Kind]] = [:]
  /// Whether a connector brings types that only its file tells.
  private(set) var isOpen = false

  init(_ file: ManifestFile) {
    for plan in file.manifest.fleets { add(plan, file.manifest) }
    for connector in file.manifest.connectors ?? [] {
      switch connector.format {
      case .ngsiLD: isOpen = true
      case .gtfs: for (type, attributes) in Self.gtfs { add(type, attributes) }
      case .csv, .geojson, .json:
        if let path = connector.mapping.map(file.resolve), let (type, attributes) = Self.outline(path) {
          add(type, attributes)
        }
      }
    }
  }

  private mutating func add(_ type: String, _ attributes: [String: Kind]) {
    types[type, default: [:]].merge(attributes) { known, _ in known }
  }

  private mutating func add(_ plan: FleetPlan, _ manifest: Manifest) {
    var one = plan
    one.count = 1
    var city = manifest
    city.fleets = [one]
    city.mode = .simulated
    for fleet in SimulatedCity(city).fleets {
      for device in fleet.devices {
        let noon = DateTime(microseconds: 1_718_000_000_000_000)
        for set in fleet.description(of: device).attributes + fleet.reading(device, at: noon).attributes {
          guard let value = set.instances.first?.value else { continue }
          let kind: Kind = value.number != nil ? .number : value.string != nil ? .word : .other
          add(plan.type.rawValue, [Vocabulary.short(set.name): kind])
        }
      }
    }
  }

  /// What an import of GTFS makes of a feed.
  private static let gtfs: [String: [String: Kind]] = [
    "GtfsAgency": ["name": .word, "page": .word, "timezone": .word],
    "GtfsStop": [
      "name": .word, "code": .word, "location": .other, "locationType": .number, "wheelChairAccessible": .number,
      "hasParentStation": .word,
    ],
    "GtfsRoute": [
      "shortName": .word, "name": .word, "routeType": .number, "routeColor": .word, "routeTextColor": .word,
      "operatedBy": .word,
    ],
    "GtfsShape": ["location": .other],
  ]

  /// The type and the attributes that a mapping file names; `nil` for a file that is not there or no mapping. What is
  /// wrong in it is told when it is used.
  private static func outline(_ path: String) -> (String, [String: Kind])? {
    guard let text = YAMLReader.text(path: path), AliasScan.firstLine(in: text) == nil,
      let root = (try? Yams.compose(yaml: text)) ?? nil, let type = root["entity"]?["type"]?.string
    else { return nil }
    var attributes: [String: Kind] = root["location"] == nil ? [:] : ["location": .other]
    for (key, rule) in root["attributes"]?.mapping ?? [:] {
      guard let name = key.string else { continue }
      let isNumber = rule["constant"].map { $0.float != nil } ?? (rule["as"] == nil)
      attributes[name] = isNumber ? .number : rule["as"]?.string == "flag" ? .other : .word
    }
    return (type, attributes)
  }
}
