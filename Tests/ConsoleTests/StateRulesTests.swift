import NGSI
import Testing

@testable import Console

@Suite("States by rule")
struct StateRulesTests {
  let summarizer: Summarizer

  init() throws {
    let resources = try Resources(folder: nil)
    summarizer = Summarizer(rules: try StateRules(try resources.json("data/rules.json")), names: try Names(resources))
  }

  private func state(_ type: String, _ attribute: String, _ value: JSON, unit: String? = nil, age: Double = 0)
    -> EntityState
  {
    var entity = Entity(id: "urn:x:1", types: [Core.defaultVocabulary + type])
    let observedAt = FixtureCity.noon.adding(seconds: -age)
    entity.attributes = [
      AttributeSet(
        name: Core.defaultVocabulary + attribute,
        instances: [Attribute(kind: .property, value: value, observedAt: observedAt, unitCode: unit)])
    ]
    return summarizer.summary(entity).state(at: FixtureCity.noon)
  }

  @Test("PM2.5 by the Korean index: 35 and 75 µg/m³ are the last of their grade")
  func airQuality() {
    #expect(state("AirQualityObserved", "pm25", 35, unit: "GQ") == .normal)
    #expect(state("AirQualityObserved", "pm25", 35.1, unit: "GQ") == .attention)
    #expect(state("AirQualityObserved", "pm25", 75, unit: "GQ") == .attention)
    #expect(state("AirQualityObserved", "pm25", 76, unit: "GQ") == .alarm)
    #expect(state("AirQualityObserved", "pm25", 0.076, unit: "GP") == .alarm)
    #expect(state("AirQualityObserved", "o3", 100, unit: "61") == .attention)
    #expect(state("AirQualityObserved", "o3", 100, unit: "GQ") == .normal, "a unit without a factor is not judged")
  }

  @Test("every bound of the Korean index: the last value of a grade and the first of the next")
  func index() {
    let bounds: [(String, String, last: Double, next: Double, EntityState)] = [
      ("pm10", "GQ", 80, 81, .attention), ("pm10", "GQ", 150, 151, .alarm), ("o3", "59", 0.09, 0.091, .attention),
      ("o3", "59", 0.15, 0.151, .alarm), ("no2", "59", 0.06, 0.061, .attention), ("no2", "59", 0.2, 0.201, .alarm),
      ("co", "59", 9, 9.01, .attention), ("co", "59", 15, 15.01, .alarm), ("so2", "59", 0.05, 0.051, .attention),
      ("so2", "59", 0.15, 0.151, .alarm),
    ]
    for (attribute, unit, last, next, grade) in bounds {
      let before: EntityState = grade == .alarm ? .attention : .normal
      #expect(state("AirQualityObserved", attribute, .double(last), unit: unit) == before, "\(attribute) \(last)")
      #expect(state("AirQualityObserved", attribute, .double(next), unit: unit) == grade, "\(attribute) \(next)")
    }
  }

  @Test("heat and cold warnings include their bound")
  func weather() {
    let grades: [(Double, EntityState)] = [
      (32.9, .normal), (33, .attention), (35, .alarm), (-11.9, .normal), (-12, .attention), (-15, .alarm),
    ]
    for (temperature, grade) in grades {
      #expect(
        state("WeatherObserved", "temperature", .double(temperature), unit: "CEL") == grade, "\(temperature)")
    }
  }

  @Test("batteries, lamps, bins and traffic")
  func operations() {
    #expect(state("Anything", "batteryLevel", 0.19) == .attention)
    #expect(state("Anything", "batteryLevel", 4, unit: "P1") == .alarm)
    #expect(state("Anything", "batteryLevel", -1) == .normal, "-1 means not known")
    #expect(state("Streetlight", "status", "columnIssue") == .alarm)
    #expect(state("Streetlight", "status", "ok") == .normal)
    #expect(state("WasteContainer", "fillingLevel", 0.91) == .attention)
    #expect(state("ParkingSpot", "fillingLevel", 0.91) == .normal)
    #expect(state("TrafficFlowObserved", "congested", true) == .attention)
  }

  @Test("readings grow stale by their type's age; an alarm does not fade by age")
  func stale() {
    #expect(state("AirQualityObserved", "pm25", 10, unit: "GQ", age: 10_799) == .normal)
    #expect(state("AirQualityObserved", "pm25", 10, unit: "GQ", age: 10_800) == .stale)
    #expect(state("AirQualityObserved", "pm25", 50, unit: "GQ", age: 10_800) == .stale)
    #expect(state("AirQualityObserved", "pm25", 90, unit: "GQ", age: 10_800) == .alarm)
    #expect(state("ParkingSpot", "status", "free", age: 3600) == .stale)
  }

  @Test("what nobody measures has no state")
  func unknown() {
    let entity = Entity(id: "urn:x:1", types: ["https://example.org/Bench"])
    #expect(summarizer.summary(entity).state(at: FixtureCity.noon) == .unknown)
  }

  @Test("every rule has bounds in order and a dated source")
  func table() {
    #expect(summarizer.rules.rules.count >= 10)
    for rule in summarizer.rules.rules {
      #expect(!rule.source.ko.isEmpty && !rule.source.en.isEmpty && rule.sourceDate.count == 10, "\(rule.id)")
      if rule.types != ["AirQualityObserved"], rule.types != ["WeatherObserved"], rule.types != ["NoiseLevelObserved"] {
        #expect(rule.basis == .house, "\(rule.id): only a source that was found makes a rule more than our own")
      }
      #expect(!rule.attentionLabel.ko.isEmpty && !rule.attentionLabel.en.isEmpty, "\(rule.id)")
      switch rule.test {
      case .above(let attention?, let alarm?): #expect(attention < alarm, "\(rule.id)")
      case .below(let attention?, let alarm?): #expect(attention > alarm, "\(rule.id)")
      case .isOneOf(let attention, let alarm): #expect(attention.isDisjoint(with: alarm), "\(rule.id)")
      default: break
      }
    }
  }
}
