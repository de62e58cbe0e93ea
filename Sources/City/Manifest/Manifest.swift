import Foundation
import NGSI

/// A city as one file: where it is, for whom, with which devices, services, rules and targets.
///
/// The hub boots from it and from nothing else. `docs/manifest.md` explains every key.
public struct Manifest: Codable, Sendable, Hashable {
  /// Version of the format.
  public var madang: Int
  public var id: String
  public var site: Site
  public var kind: Kind
  public var mode: Mode
  public var seed: Int
  public var population: Population
  /// Share of the planned devices that is simulated.
  public var sampling: Double
  public var services: [Service]
  public var fleets: [FleetPlan]
  public var connectors: [Connector]?
  public var sources: [Source]?
  public var roles: [Role]?
  public var kpis: [KPI]?
  public var legal: Legal?
  public var acceptance: [AcceptanceTest]?
  public var limits: Limits?
  public var adapters: [Adapter]?
  public var dataModels: DataModels?
  public var datasets: [Dataset]?
  public var catalogue: Catalogue?
  public var evidence: Evidence?
  public var access: Access?
  public var identity: Identity?
  public var safety: Safety?

  /// The four kinds of target city of the Korean export plan of 2019.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    case globalHub = "global-hub"
    case traditionalNewTown = "traditional-new-town"
    case downtownRedevelopment = "downtown-redevelopment"
    case reconstruction
  }

  public enum Service: String, Codable, Sendable, CaseIterable {
    case energy, administration, safety, transport, healthcare, eco, data
  }

  /// What the service `safety` follows.
  public struct Safety: Codable, Sendable, Hashable {
    /// File with categories, procedures and targets, relative to the manifest.
    public var plan: String
    /// File with the city's cameras, relative to the manifest.
    public var cameras: String?
  }

  public struct Text: Codable, Sendable, Hashable {
    public var ko: String
    public var en: String
  }

  public struct Population: Codable, Sendable, Hashable {
    public var people: Int
    public var homes: Int
    public var visitors: Int?
  }

  public struct Connector: Codable, Sendable, Hashable {
    public enum Format: String, Codable, Sendable {
      case ngsiLD = "ngsi-ld"
      case geojson, csv, json, gtfs
    }

    public var id: String
    public var format: Format
    /// Relative to the manifest.
    public var file: String
    public var mapping: String?
    public var optional: Bool?
  }

  /// Who may do what.
  public struct Access: Codable, Sendable, Hashable {
    /// How exceptional access is granted.
    public struct Grants: Codable, Sendable, Hashable {
      /// Others who have to approve; one where it is not said.
      public var approvals: Int?
      /// Longest time of a grant.
      public var longest: Span?
      /// Longest time of one that is taken.
      public var longestBreakGlass: Span?
      /// Within which one that was taken is to be reviewed.
      public var review: Span?
    }

    /// File with rules in the Cedar policy language, relative to the manifest.
    public var rules: String?
    /// Parts of the city that rules may name: corners as longitude and latitude (WGS 84).
    public var places: [String: [[Double]]]?
    public var grants: Grants?
  }

  /// The log of what was done, and who watches it.
  public struct Evidence: Codable, Sendable, Hashable {
    /// Name of the log in checkpoints and treaties; `ID/evidence` where it is not said.
    public var origin: String?
    /// File with the policy of witnesses and quorum (C2SP tlog-policy), relative to the manifest.
    public var treaty: String?
    /// Keys of systems that may add statements of their own, as `name+id+key`.
    public var submitters: [String]?
  }

  /// Another hub, or any NGSI-LD context source, that holds a part of what this city shows.
  public struct Source: Codable, Sendable, Hashable {
    public enum Mode: String, Codable, Sendable, CaseIterable { case inclusive, exclusive, redirect, auxiliary }

    public var id: String
    public var name: Text
    /// Base URL of its interface, without `/ngsi-ld/v1`.
    public var endpoint: String
    /// Inclusive where it is not said.
    public var mode: Mode?
    /// Entity types that it has.
    public var types: [String]
    /// Attributes that it has of them; all where they are not said.
    public var attributes: [String]?
    /// Operations that it offers, by the names of ETSI GS CIM 009 clause 4.20.
    public var operations: [String]?
    /// Tenant to name there.
    public var tenant: String?
    /// Time until it counts as silent.
    public var timeout: Span?
    /// Day since which it has histories, `YYYY-MM-DD`; it is asked for none where it is not said.
    public var history: String?
  }

  public struct Role: Codable, Sendable, Hashable {
    public enum Right: String, Codable, Sendable { case read, write, command, administer, request, approve }

    public var id: String
    public var name: Text
    public var may: [Right]
  }

  public struct KPI: Codable, Sendable, Hashable {
    public enum Direction: String, Codable, Sendable { case lower, higher }

    public var id: String
    public var name: Text
    public var formula: String
    public var target: Double
    public var better: Direction
    public var unit: String
  }

  public struct Legal: Codable, Sendable, Hashable {
    public struct Flow: Codable, Sendable, Hashable {
      public var data: String
      public var basis: String
      public var law: String
      public var retention: Span
    }

    public var personalData: [Flow]
    public var retention: Span
  }

  public struct AcceptanceTest: Codable, Sendable, Hashable {
    public enum Measure: String, Codable, Sendable { case completeness, plausibility, timeliness }

    public var id: String
    public var fleet: String
    public var measure: Measure
    public var atLeast: Double
    public var over: Span
  }

  public struct Limits: Codable, Sendable, Hashable {
    public var entities: Int?
    public var readingsPerSecond: Int?
    public var requests: Requests?

    /// How often a caller may ask.
    public struct Requests: Codable, Sendable, Hashable {
      public var person: Rate?
      public var client: Rate?
      public var device: Rate?
      /// An address from which nobody says who he is.
      public var source: Rate?

      /// Requests a second; `seconds` of them may come at once.
      public struct Rate: Codable, Sendable, Hashable {
        public var reads: Double?
        public var writes: Double?
        public var seconds: Double?
      }
    }
  }
}

/// What of a city is real.
public enum Mode: String, Codable, Sendable, CaseIterable {
  /// No device exists; every fleet is simulated.
  case simulated
  /// Devices arrive; fleets at stage `real` speak for themselves, the others are simulated.
  case build
  /// Nothing is simulated.
  case live
}

/// Where a city is.
public struct Site: Codable, Sendable, Hashable {
  public struct Month: Codable, Sendable, Hashable {
    public var month: Int
    public var celsius: Double
  }

  public struct Climate: Codable, Sendable, Hashable {
    public var warmest: Month
    public var coldest: Month
    /// Mean difference of the day's highest and lowest temperature, °C.
    public var dailyRange: Double
    /// Percent.
    public var relativeHumidity: Double
    /// mm a year.
    public var annualRain: Double
    /// m/s.
    public var windSpeed: Double
  }

  public struct Buildings: Codable, Sendable, Hashable {
    public enum Source: String, Codable, Sendable { case synthetic, file }

    public var source: Source
    public var file: String?
  }

  public enum Day: String, Codable, Sendable, CaseIterable {
    case monday, tuesday, wednesday, thursday, friday, saturday, sunday
  }

  public var name: Manifest.Text
  public var country: String
  public var timeZone: String
  public var centre: Coordinate
  /// km².
  public var area: Double
  public var boundary: [Coordinate]?
  /// Metres above sea level.
  public var elevation: Double?
  public var weekend: [Day]?
  public var climate: Climate
  public var buildings: Buildings?
}

/// A fleet as the manifest plans it.
public struct FleetPlan: Codable, Sendable, Hashable {
  public enum Stage: String, Codable, Sendable { case simulated, real }

  public var id: String
  public var type: DeviceType
  public var count: Int
  public var planned: Int?
  public var cadence: Span
  public var placement: Placement
  public var seedOffset: Int?
  public var stage: Stage?
  public var attributes: [String]?
  public var model: [String: Double]?
}

/// The entity types that can be simulated; names and attributes after Smart Data Models (smartdatamodels.org).
public enum DeviceType: String, Codable, Sendable, CaseIterable {
  case airQualityObserved = "AirQualityObserved"
  case weatherObserved = "WeatherObserved"
  case waterQualityObserved = "WaterQualityObserved"
  case waterConsumptionObserved = "WaterConsumptionObserved"
  case streetlight = "Streetlight"
  case parkingSpot = "ParkingSpot"
  case offStreetParking = "OffStreetParking"
  case trafficFlowObserved = "TrafficFlowObserved"
  case noiseLevelObserved = "NoiseLevelObserved"
  case wasteContainer = "WasteContainer"
  case acMeasurement = "ACMeasurement"
  case building = "Building"
  case vehicle = "Vehicle"
  case device = "Device"
}

/// A length of time such as `30s`, `10m`, `1h`, `7d` or `5y` (a year counts 365 days).
public struct Span: Sendable, Hashable, Codable {
  public var seconds: Int

  public init(seconds: Int) { self.seconds = seconds }

  /// `nil` when the text is no such length.
  public init?(_ text: String) {
    guard let unit = text.last, let count = Int(text.dropLast()), count > 0, count < 100_000 else { return nil }
    switch unit {
    case "s": seconds = count
    case "m": seconds = count * 60
    case "h": seconds = count * 3600
    case "d": seconds = count * 86_400
    case "y": seconds = count * 31_536_000
    default: return nil
    }
  }

  public init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    guard let span = Span(text) else {
      throw DecodingError.dataCorrupted(
        DecodingError.Context(codingPath: decoder.codingPath, debugDescription: "'\(text)' is no length of time"))
    }
    self = span
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    for (unit, size) in [("y", 31_536_000), ("d", 86_400), ("h", 3600), ("m", 60)] where seconds % size == 0 {
      try container.encode("\(seconds / size)\(unit)")
      return
    }
    try container.encode("\(seconds)s")
  }
}
