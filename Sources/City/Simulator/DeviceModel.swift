import NGSI

/// One value of a reading.
struct Observation: Sendable {
  var name: String
  var kind: AttributeKind = .property
  var value: JSON
  /// UN/CEFACT common code.
  var unit: String?

  init(_ name: String, _ value: JSON, unit: String? = nil, kind: AttributeKind = .property) {
    self.name = name
    self.kind = kind
    self.value = value
    self.unit = unit
  }

  /// A number, rounded to what such a sensor shows.
  init(_ name: String, _ number: Double, digits: Int, unit: String? = nil) {
    self.init(name, .double(number.rounded(to: digits)), unit: unit)
  }
}

extension DeviceType {
  /// What people call one such device.
  var label: Manifest.Text {
    switch self {
    case .airQualityObserved: .init(ko: "대기질 측정기", en: "Air quality sensor")
    case .weatherObserved: .init(ko: "기상 관측기", en: "Weather station")
    case .waterQualityObserved: .init(ko: "수질 측정기", en: "Water quality sensor")
    case .waterConsumptionObserved: .init(ko: "수도 계량기", en: "Water meter")
    case .streetlight: .init(ko: "가로등", en: "Streetlight")
    case .parkingSpot: .init(ko: "주차면", en: "Parking spot")
    case .offStreetParking: .init(ko: "주차장", en: "Car park")
    case .trafficFlowObserved: .init(ko: "교통량 검지기", en: "Traffic detector")
    case .noiseLevelObserved: .init(ko: "소음 측정기", en: "Noise meter")
    case .wasteContainer: .init(ko: "수거함", en: "Waste container")
    case .acMeasurement: .init(ko: "전력량계", en: "Power meter")
    case .building: .init(ko: "건물", en: "Building")
    case .vehicle: .init(ko: "버스", en: "Bus")
    case .device: .init(ko: "센서 노드", en: "Sensor node")
    }
  }
}

/// A number in a fleet's `model` that shapes its readings.
struct ModelParameter: Sendable {
  var name: String
  var range: ClosedRange<Double>
  var standard: Double
}

/// How one type of device behaves: pure, a function of device and instant.
protocol DeviceModel: Sendable {
  /// Attributes of a reading, in their order.
  static var attributes: [String] { get }
  static var parameters: [ModelParameter] { get }

  /// What about the device does not change, besides name and place.
  func description(of device: Device) -> [Observation]
  func reading(of device: Device, at moment: Moment) -> [Observation]
}

extension DeviceModel {
  static var parameters: [ModelParameter] { [] }
  func description(of device: Device) -> [Observation] { [] }
}

/// An instant with what models may ask about it.
struct Moment: Sendable {
  var conditions: CityConditions
  /// Seconds between readings of the fleet.
  var interval: Double
  /// Conditions at whole hours (UTC), from before the interval and the last midnight to after the instant.
  private let knots: [CityConditions]
  private let firstHour: Int64

  private static let perHour: Int64 = 3_600_000_000

  init(at time: DateTime, interval: Double, almanac: CityAlmanac, integrates: Bool) {
    conditions = almanac.conditions(at: time)
    self.interval = interval
    guard integrates else {
      knots = []
      firstHour = 0
      return
    }
    let earliest = min(conditions.midnight, time.adding(seconds: -min(interval, 86_400)))
    let first = Int64((Double(earliest.microseconds) / Double(Self.perHour)).rounded(.down))
    let last = Int64((Double(time.microseconds) / Double(Self.perHour)).rounded(.down)) + 1
    firstHour = first
    knots = (first...last).map { almanac.conditions(at: DateTime(microseconds: $0 * Self.perHour)) }
  }

  /// A rate that runs straight from whole hour to whole hour, at this instant.
  func rate(_ rate: (CityConditions) -> Double) -> Double {
    let position = Double(conditions.time.microseconds) / Double(Self.perHour)
    let index = Int(Int64(position.rounded(.down)) - firstHour)
    let share = position - position.rounded(.down)
    return rate(knots[index]) * (1 - share) + rate(knots[index + 1]) * share
  }

  /// Integral of that rate over hours, from an instant to now: exact, so that a meter's sum and its rate agree.
  func sum(from start: DateTime, _ rate: (CityConditions) -> Double) -> Double {
    let from = max(0, Double(start.microseconds) / Double(Self.perHour) - Double(firstHour))
    let to = Double(conditions.time.microseconds) / Double(Self.perHour) - Double(firstHour)
    var total = 0.0
    var index = Int(from)
    var left = rate(knots[index])
    while Double(index) < to, index + 1 < knots.count {
      let right = rate(knots[index + 1])
      let a = max(0, from - Double(index))
      let b = min(1, to - Double(index))
      let atA = left + (right - left) * a
      let atB = left + (right - left) * b
      total += (atA + atB) / 2 * (b - a)
      left = right
      index += 1
    }
    return total
  }
}

/// The models by entity type.
enum DeviceModels {
  private static func type(of type: DeviceType) -> any DeviceModel.Type {
    switch type {
    case .airQualityObserved: AirQualityModel.self
    case .weatherObserved: WeatherModel.self
    case .waterQualityObserved: WaterQualityModel.self
    case .waterConsumptionObserved: WaterConsumptionModel.self
    case .streetlight: StreetlightModel.self
    case .parkingSpot: ParkingSpotModel.self
    case .offStreetParking: OffStreetParkingModel.self
    case .trafficFlowObserved: TrafficFlowModel.self
    case .noiseLevelObserved: NoiseLevelModel.self
    case .wasteContainer: WasteContainerModel.self
    case .acMeasurement: ACMeasurementModel.self
    case .building: BuildingModel.self
    case .vehicle: VehicleModel.self
    case .device: BatteryDeviceModel.self
    }
  }

  static func attributes(of type: DeviceType) -> [String] { self.type(of: type).attributes }
  static func parameters(of type: DeviceType) -> [ModelParameter] { self.type(of: type).parameters }

  /// Version of an attribute set; goes up when attributes of a type are renamed or change their unit.
  static func version(of type: DeviceType) -> String { "1" }

  static func model(for plan: FleetPlan, ground: Ground) -> any DeviceModel {
    let value: (String) -> Double = { name in
      plan.model?[name] ?? parameters(of: plan.type).first { $0.name == name }?.standard ?? 0
    }
    switch plan.type {
    case .airQualityObserved: return AirQualityModel()
    case .weatherObserved: return WeatherModel()
    case .waterQualityObserved: return WaterQualityModel()
    case .waterConsumptionObserved: return WaterConsumptionModel(homes: value("homes"), litres: value("litres"))
    case .streetlight: return StreetlightModel(watts: value("watts"))
    case .parkingSpot: return ParkingSpotModel()
    case .offStreetParking: return OffStreetParkingModel(spots: Int(value("spots")))
    case .trafficFlowObserved:
      return TrafficFlowModel(lanes: value("lanes"), freeSpeed: value("freeSpeed"))
    case .noiseLevelObserved: return NoiseLevelModel()
    case .wasteContainer: return WasteContainerModel(litres: value("litres"), days: value("days"))
    case .acMeasurement: return ACMeasurementModel(homes: value("homes"), cooling: value("cooling"))
    case .building:
      return BuildingModel(
        ground: ground, minFloors: Int(value("minFloors")), maxFloors: Int(value("maxFloors")))
    case .vehicle:
      let line = (plan.placement.points ?? []).map(ground.point)
      return VehicleModel(
        ground: ground, route: line.count > 1 ? Polyline(points: line) : nil, speed: value("speed"),
        fleetCount: plan.count)
    case .device: return BatteryDeviceModel(life: value("batteryDays"))
    }
  }

  static func integrates(_ type: DeviceType) -> Bool { type == .acMeasurement || type == .waterConsumptionObserved }
}
