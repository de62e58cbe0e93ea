import NGSI
import Oracles
import Testing

@testable import City

@Suite("values of KPI formulas")
struct FormulaValueTests {
  /// Four lamps, one without a number and one with a flag, and a pump that tells no number.
  private func city() throws -> FormulaData {
    var data = FormulaData(try Examples.manifest("demo"))
    let readings: [(type: String, level: JSON, status: JSON)] = [
      ("Lamp", 10, "ok"), ("Lamp", 20, "broken"), ("Lamp", 40.5, "ok"), ("Lamp", .null, true), ("Pump", "wet", .null),
    ]
    for (number, one) in readings.enumerated() {
      let entity = try EntityReader(context: .core).entity([
        "id": .string("urn:x:\(number)"), "type": .string(one.type),
        "level": ["type": "Property", "value": one.level == .null ? ["none": true] : one.level],
        "status": [
          ["type": "Property", "value": "other", "datasetId": "urn:d:1"],
          ["type": "Property", "value": one.status == .null ? [1] : one.status],
        ],
      ]).creation(at: DateTime(microseconds: 0)).entity
      data.add(entity, as: one.type, attributes: ["level", "status"])
    }
    return data
  }

  @Test(
    "figures of what the entities say",
    arguments: [
      ("mean(Lamp.level)", 23.5), ("sum(Lamp.level) / count(Lamp)", 17.625), ("median(Lamp.level)", 20),
      ("percentile(Lamp.level, 75)", 30.25), ("percentile(Lamp.level, 100)", 40.5), ("count(Lamp.level)", 3),
      ("count(Lamp.level >= 20)", 2), ("share(Lamp.status = ok)", 0.5), ("share(Lamp.status = true)", 0.25),
      ("count(Tram)", 0), ("count(Pump.level = wet)", 1), ("people / homes", 48000.0 / 22000), ("-(1 - 2) * area", 4),
    ] as [(String, Double)])
  func figures(formula: String, expected: Double) throws {
    #expect(abs(try Formula(formula).value(of: city()) - expected) < 1e-12)
  }

  @Test("what is missing is named, all of it, once")
  func gaps() throws {
    func gaps(_ formula: String) throws -> [FormulaGap] {
      let problem = #expect(throws: FormulaGaps.self) { try Formula(formula).value(of: city()) }
      return problem?.gaps ?? []
    }
    let speed = Formula.Reading(type: "Tram", attribute: "speed")
    let load = Formula.Reading(type: "Tram", attribute: "load")
    #expect(
      try gaps("mean(Tram.speed) / (max(Tram.load) + mean(Tram.speed)) + homes") == [.noValue(speed), .noValue(load)])
    #expect(try gaps("count(Tram.speed > 3)") == [.noValue(speed)])
    #expect(try gaps("mean(Pump.level)") == [.noValue(.init(type: "Pump", attribute: "level"))])
    #expect(try gaps("1 / count(Tram)") == [.divisionByZero])
    #expect(try gaps("1e300 * 1e300") == [.overflow])
    let nothing = #expect(throws: FormulaGaps.self) { try Formula("visitors").value(of: FormulaData()) }
    #expect(nothing?.gaps == [.noFact(.visitors)])
  }

  @Test("a formula as long as one can be written is computed")
  func long() throws {
    let formula = try Formula(String(repeating: "1+", count: 10_000) + "1")
    #expect(try formula.value(of: FormulaData()) == 10_001)
  }

  /// Formulas of every form over random values, computed by Python.
  @Test("Python computes the same")
  func oracle() throws {
    let stream = RandomStream(seed: 20_191_108)
    var draws: Int64 = 0
    func chance() -> Double {
      draws += 1
      return stream.unit(draws)
    }
    func below(_ bound: Int) -> Int { Int(chance() * Double(bound)) }
    func pick<Item>(_ items: [Item]) -> Item { items[below(items.count)] }
    var data = FormulaData()
    var values = JSONObject()
    var counts = JSONObject()
    for type in ["A", "B", "C"] {
      data.count(7, of: type)
      counts[type] = 7
      for attribute in ["x", "y", "z"] {
        var list: [JSON] = []
        for _ in 0..<below(pick([1, 4, 30])) {
          let number = (chance() - 0.3) * pick([1, 1e3, 1e7])
          let value: Formula.Value = below(8) == 0 ? .word(pick(["ok", "bad"])) : .number(number)
          data.add(value, to: Formula.Reading(type: type, attribute: attribute))
          switch value {
          case .number(let number): list.append(.double(number))
          case .word(let word): list.append(.string(word))
          }
        }
        values["\(type).\(attribute)"] = .array(list)
      }
    }
    func figure() -> String {
      let reading = pick(["A", "B", "C", "D"]) + "." + pick(["x", "y", "z"])
      switch below(5) {
      case 0: return "percentile(\(reading), \(below(101)))"
      case 1: return "\(pick(["count", "share"]))(\(reading) \(pick(["<", "<=", ">", ">=", "="])) \(below(900) - 300))"
      case 2: return "\(pick(["count", "share"]))(\(reading) = \(pick(["ok", "bad", "none"])))"
      case 3: return pick(["count(A)", "count(D)", "count(\(reading))"])
      default: return "\(pick(["mean", "sum", "min", "max", "median"]))(\(reading))"
      }
    }
    func formula(_ depth: Int) -> String {
      switch below(depth > 3 ? 2 : 6) {
      case 0: return figure()
      case 1: return pick(["2", "0.5", "1e3", "0", figure()])
      case 2: return "-" + formula(depth + 1)
      case 3: return "(\(formula(depth + 1)))"
      default: return formula(depth + 1) + " \(pick(["+", "-", "*", "/"])) " + formula(depth + 1)
      }
    }
    let texts = (0..<3000).map { _ in formula(0) }.filter { (try? Formula($0)) != nil }
    let given: JSON = [
      "facts": .object(JSONObject()), "counts": .object(counts), "values": .object(values),
      "formulas": .array(texts.map { .string($0) }),
    ]
    guard let answers = try Oracle.ask("kpi_oracle.py", given, for: "values of KPI formulas")?.array else { return }
    #expect(answers.count == texts.count)
    var computed = 0
    for (text, answer) in zip(texts, answers) {
      let own = try? Formula(text).value(of: data)
      if own != nil { computed += 1 }
      let agrees =
        switch (own, answer.number) {
        case (let own?, let other?): abs(own - other) <= 1e-9 * max(1, abs(own), abs(other))
        case (nil, nil): true
        default: false
        }
      #expect(agrees, "\(text): \(String(describing: own)), Python \(answer)")
    }
    print("KPI formulas: \(texts.count), \(computed) with a value")
    #expect(computed > texts.count / 3 && computed < texts.count)
  }
}
