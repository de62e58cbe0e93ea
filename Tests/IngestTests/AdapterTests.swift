import City
import NGSI
import Testing

@testable import Ingest

@Suite("Adapters")
struct AdapterTests {
  static let now = DateTime("2026-03-01T12:00:00Z") ?? DateTime(microseconds: 0)

  private func json(_ text: String) throws -> JSON { try JSONParser.parse(text) }

  private func read(_ plan: Manifest.Adapter, _ text: String) throws -> AdaptedInput {
    try Adapter(plan).read(try json(text), at: Self.now)
  }

  // MARK: - SenML

  /// The examples of RFC 8428 section 5.1 with their resolved forms, name, unit, value, seconds since 1970 (section 5.1.4
  /// for the third); a time of -5 is five seconds ago.
  @Test("the examples of RFC 8428")
  func rfcExamples() throws {
    let single = try SenML.resolve(try json(#"[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]"#), at: Self.now)
    #expect(
      single.records == [
        .init(name: "urn:dev:ow:10e2073a01080063", unit: "Cel", value: .number(23.1), sum: nil, time: Self.now)
      ])

    let multiple = try SenML.resolve(
      try json(
        """
        [{"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,"n":"voltage","u":"V","v":120.1},
         {"n":"current","t":-5,"v":1.2},{"n":"current","t":-4,"v":1.3},{"n":"current","t":-3,"v":1.4},
         {"n":"current","t":-2,"v":1.5},{"n":"current","t":-1,"v":1.6},{"n":"current","v":1.7}]
        """), at: Self.now
    ).records
    #expect(multiple.count == 7 && multiple[0].name == "urn:dev:ow:10e2073a0108006:voltage" && multiple[0].unit == "V")
    for (index, record) in multiple.dropFirst().enumerated() {
      #expect(record.name == "urn:dev:ow:10e2073a0108006:current" && record.unit == "A")
      #expect(record.value == .number(.double([1.2, 1.3, 1.4, 1.5, 1.6, 1.7][index])))
      #expect(abs(record.time.secondsSince1970 - (1_276_020_076.001 + Double(index) - 5)) < 0.001)
    }

    let humidity = try SenML.resolve(
      try json(
        """
        [{"bn":"urn:dev:ow:10e2073a01080063","bt":1.320067464e+09,"bu":"%RH","v":20},
         {"u":"lon","v":24.30621},{"u":"lat","v":60.07965},{"t":60,"v":20.3},{"u":"lon","t":60,"v":24.30622},
         {"u":"lat","t":60,"v":60.07965},{"t":120,"v":20.7},{"u":"%EL","t":150,"v":98}]
        """), at: Self.now
    ).records
    #expect(humidity.map(\.unit) == ["%RH", "lon", "lat", "%RH", "lon", "lat", "%RH", "%EL"])
    #expect(humidity.map { Int($0.time.secondsSince1970) - 1_320_067_464 } == [0, 0, 0, 60, 60, 60, 120, 150])

    let kinds = try SenML.resolve(
      try json(
        """
        [{"bn":"urn:dev:ow:10e2073a01080063:","n":"temp","u":"Cel","v":23.1},{"n":"label","vs":"Machine Room"},
         {"n":"open","vb":false},{"n":"nfc-reader","vd":"aGkgCg"},{"n":"energy","s":1460,"v":12}]
        """), at: Self.now
    ).records
    #expect(
      kinds[1].value == .text("Machine Room") && kinds[2].value == .flag(false) && kinds[3].value == .data("aGkgCg"))
    #expect(kinds[4].sum == 1460 && kinds[4].value == .number(12))
  }

  @Test("base values add, relative times count from now, what is no record is refused alone")
  func rules() throws {
    let pack = """
      [{"bn":"d/","bv":20,"bs":100,"n":"a","v":1.5},{"n":"b","s":3},{"n":"c"},{"n":"d","t":-60,"v":1},{"bn":"e","bver":10},
       {"n":"x","v":1,"vs":"two"},{"n":"y","v":"1"},{"n":"z","v":1,"later_":3},7,{"bn":"?","n":"q","v":1}]
      """
    let (records, refused) = try SenML.resolve(try json(pack), at: Self.now)
    #expect(records.map(\.name) == ["d/a", "d/b", "d/c", "d/d"])
    #expect(records.map(\.value) == [.number(21.5), nil, .number(20), .number(21)])
    #expect(records[1].sum == 103 && records[3].time == Self.now.adding(seconds: -60))
    #expect(refused.count == 5)
    #expect(throws: Problem.self) { try SenML.resolve(try json(#"[{"bver":11,"n":"a","v":1}]"#), at: Self.now) }
    #expect(throws: Problem.self) { try SenML.resolve(try json(#"{"n":"a","v":1}"#), at: Self.now) }
  }

  @Test("a pack becomes a step of history for each device and time")
  func senMLEntities() throws {
    var plan = Manifest.Adapter(id: "s", format: .senml)
    plan.type = "AirQualityObserved"
    let input = try read(
      plan,
      """
      [{"bn":"urn:dev:mac:01:","bt":1.7e9,"n":"temp","u":"Cel","v":21},{"n":"pm 25","v":3},{"n":"hum","u":"%RH","v":40},
       {"n":"temp","u":"Cel","t":-60,"v":20},{"n":"speed","u":"beat/m","v":70},{"n":"total","s":9}]
      """)
    #expect(input.refused.count == 1)
    #expect(
      input.entities.map { $0["id"] } == [
        "urn:ngsi-ld:AirQualityObserved:urn:dev:mac:01", "urn:ngsi-ld:AirQualityObserved:urn:dev:mac:01",
      ])
    #expect(
      input.entities[0]["temp"] == [
        "type": "Property", "value": 20, "observedAt": "2023-11-14T22:12:20Z", "unitCode": "CEL",
      ])
    #expect(input.entities[1]["hum"]?["unitCode"] == "P1")
    #expect(input.entities[1]["speed"]?["senmlUnit"]?["value"] == "beat/m")
    #expect(input.entities[1]["totalSum"]?["value"] == 9)

    plan.attributes = ["t": .init(name: "temperature", unitCode: "KEL")]
    let named = try read(plan, #"[{"bn":"dev1/","n":"t","v":1},{"n":"u","v":2}]"#)
    #expect(named.entities.first?["temperature"]?["unitCode"] == "KEL" && named.refused.count == 1)
    plan.attributes = nil
    plan.only = "level"
    #expect(try read(plan, #"[{"n":"tank:7","v":1}]"#).entities.first?["level"]?["value"] == 1)
  }

  // MARK: - NGSIv2

  @Test("an NGSIv2 notification becomes entities")
  func ngsiv2() throws {
    let input = try read(
      Manifest.Adapter(id: "n", format: .ngsiv2),
      """
      {"subscriptionId": "57458eb60962ef754e7c0998", "data": [
        {"id": "Room 1", "type": "Room",
         "temperature": {"type": "Number", "value": 21.7, "metadata": {
           "TimeInstant": {"type": "DateTime", "value": "2026-01-01T00:00:00.00Z"}, "unitCode": {"type": "Text", "value": "CEL"},
           "accuracy": {"type": "Number", "value": 0.5}}},
         "location": {"type": "geo:point", "value": "35.16, 129.06", "metadata": {}},
         "area": {"type": "geo:box", "value": ["35,129", "36,130"], "metadata": {}},
         "shape": {"type": "geo:json", "value": {"type": "Point", "coordinates": [1, 2]}, "metadata": {}},
         "since": {"type": "DateTime", "value": "2026-01-01T00:00:00Z", "metadata": {}},
         "refBuilding": {"type": "Relationship", "value": "urn:ngsi-ld:Building:1", "metadata": {}},
         "gone": {"type": "Number", "value": null, "metadata": {}},
         "dateModified": {"type": "DateTime", "value": "2026-01-01T00:00:00Z", "metadata": {}}},
        {"id": "urn:x:2", "type": "Room", "temperature": 20, "name": "two"}, {"type": "Room"},
        {"id": "urn:x:3", "type": "Room", "location": {"type": "geo:point", "value": "north"}}]}
      """)
    let room = try #require(input.entities.first)
    #expect(room["id"] == "urn:ngsi-ld:Room:Room%201" && room["gone"] == nil && room["dateModified"] == nil)
    #expect(
      room["temperature"]?["observedAt"] == "2026-01-01T00:00:00.00Z" && room["temperature"]?["unitCode"] == "CEL")
    #expect(room["temperature"]?["accuracy"]?["value"] == 0.5)
    #expect(room["location"]?["value"]?["coordinates"] == [129.06, 35.16])
    #expect(room["area"]?["value"]?["coordinates"]?.array?.first?.array?.count == 5)
    #expect(
      room["since"]?["value"]?["@type"] == "DateTime" && room["refBuilding"]?["object"] == "urn:ngsi-ld:Building:1")
    #expect(input.entities.count == 2 && input.entities[1]["temperature"] == ["type": "Property", "value": 20])
    #expect(input.refused.map(\.entityId) == [nil, "urn:x:3"])
    // The hub's own reader takes what comes out.
    for entity in input.entities { _ = try EntityReader(context: .core).entity(entity).creation(at: Self.now) }
  }

  // MARK: - SensorThings

  @Test("SensorThings observations, single, listed and as data arrays")
  func sensorThings() throws {
    var plan = Manifest.Adapter(id: "f", format: .sensorthings)
    plan.type = "WeatherObserved"
    plan.datastreams = [
      "7": .init(entity: "urn:ngsi-ld:WeatherObserved:7", attribute: "temperature", unitCode: "CEL"),
      "a-1": .init(entity: "urn:ngsi-ld:Tank:1", type: "Tank", attribute: "level"),
    ]
    let single = try read(
      plan,
      """
      {"phenomenonTime": "2026-01-01T00:00:00Z/2026-01-01T00:10:00Z", "resultTime": null, "result": 21.5,
       "resultQuality": "good", "Datastream": {"@iot.id": 7}}
      """)
    #expect(
      single.entities == [
        [
          "id": "urn:ngsi-ld:WeatherObserved:7", "type": "WeatherObserved",
          "temperature": [
            "type": "Property", "value": 21.5, "observedAt": "2026-01-01T00:10:00Z", "unitCode": "CEL",
            "resultQuality": ["type": "Property", "value": "good"],
          ],
        ]
      ])
    let array = try read(
      plan,
      """
      [{"Datastream": {"@iot.id": "a-1"}, "components": ["phenomenonTime", "result"], "dataArray@iot.count": 3,
        "dataArray": [["2026-01-01T01:00:00Z", 2], ["2026-01-01T00:00:00Z", 1], ["yesterday", 3], [4]]},
       {"result": 1, "Datastream": {"@iot.id": 9}}, {"result": 1}, {"Datastream@iot.navigationLink": "https://x/Datastreams(7)", "result": 5}]
      """)
    #expect(array.entities.map { $0["level"]?["value"] ?? $0["temperature"]?["value"] } == [1, 2, 5])
    #expect(array.entities[2]["temperature"]?["observedAt"] == .string(Self.now.description))
    #expect(array.refused.count == 4)
  }
}
