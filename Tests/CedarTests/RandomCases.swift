import Foundation
import NGSI

@testable import Cedar

/// Random rules, entities and requests, as text for both engines. Half of what is made has the kinds that it should
/// have; the rest fails on purpose.
struct RandomCases {
  var random: Seeded

  mutating func one<T>(_ choices: [T]) -> T { choices[Int.random(in: 0..<choices.count, using: &random)] }

  mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

  static let people = ["kim", "lee", "가영"].map { "City::Person::\"\($0)\"" }
  static let groups = ["police", "fire", "night", "all"].map { "City::Group::\"\($0)\"" }
  static let actions = ["read", "write", "look"].map { "Action::\"\($0)\"" }
  static let things = ["camera1", "camera2", "well"].map { "Thing::\"\($0)\"" }
  static let attributes = ["age", "name", "home", "tags", "boss", "net", "level", "until", "on"]

  mutating func entity() -> String { one(Self.people + Self.groups + Self.things + Self.actions) }

  // MARK: Conditions

  /// - Parameter kind: what the value should be.
  mutating func expression(_ kind: String, _ depth: Int) -> String {
    if chance(4) { return leaf(one(["bool", "long", "string", "entity", "set", "record", "decimal", "ip"])) }
    guard depth > 0 else { return leaf(kind) }
    let below = depth - 1
    if chance(8) {
      return "(if \(expression("bool", below)) then \(expression(kind, below)) else \(expression(kind, below)))"
    }
    switch kind {
    case "bool":
      switch Int.random(in: 0..<16, using: &random) {
      case 0: return "(\(expression("bool", below)) && \(expression("bool", below)))"
      case 1: return "(\(expression("bool", below)) || \(expression("bool", below)))"
      case 2: return "!(\(expression("bool", below)))"
      case 3:
        let kind = one(["long", "string", "bool", "entity", "set", "decimal", "ip", "time", "duration", "record"])
        return "(\(expression(kind, below)) \(one(["==", "!="])) \(expression(kind, below)))"
      case 4, 5:
        let kind = one(["long", "long", "time", "duration", "string"])
        return "(\(expression(kind, below)) \(one(["<", "<=", ">", ">="])) \(expression(kind, below)))"
      case 6: return "(\(expression("entity", below)) in \(expression("entity", below)))"
      case 7:
        return "(\(expression("entity", below)) in [\(expression("entity", below)), \(expression("entity", below))])"
      case 8: return "(\(expression(one(["entity", "record"]), below)) has \(one(Self.attributes)))"
      case 9:
        return
          "(\(expression("string", below)) like \(one(["\"*\"", "\"k*\"", "\"*i*m\"", "\"\"", "\"a\\*b\"", "\"가*\"", "\"**\""])))"
      case 10: return "(\(expression("entity", below)) is \(one(["City::Person", "City::Group", "Thing", "Action"])))"
      case 11:
        return
          "\(expression("set", below)).\(one(["contains", "containsAll", "containsAny"]))(\(chance(30) ? expression("long", below) : expression("set", below)))"
      case 12: return "\(expression("set", below)).isEmpty()"
      case 13:
        return
          "\(expression("decimal", below)).\(one(["lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"]))(\(expression("decimal", below)))"
      case 14: return "\(expression("ip", below)).\(one(["isIpv4()", "isIpv6()", "isLoopback()", "isMulticast()"]))"
      default: return "\(expression("ip", below)).isInRange(\(expression("ip", below)))"
      }
    case "long":
      switch Int.random(in: 0..<7, using: &random) {
      case 0: return "(\(expression("long", below)) + \(expression("long", below)))"
      case 1: return "(\(expression("long", below)) - \(expression("long", below)))"
      case 2: return "(\(expression("long", below)) * \(expression("long", below)))"
      case 3: return "-(\(expression("long", below)))"
      case 4:
        return
          "\(expression("duration", below)).\(one(["toMilliseconds", "toSeconds", "toMinutes", "toHours", "toDays"]))()"
      default: return leaf("long")
      }
    case "entity" where chance(30): return "\(expression("entity", below)).boss"
    case "set":
      return "["
        + (0..<Int.random(in: 0...3, using: &random)).map { _ in
          expression(one(["long", "string", "entity", "bool"]), below)
        }.joined(separator: ", ") + "]"
    case "record": return "{\"age\": \(expression("long", below)), name: \(expression("string", below))}"
    case "time":
      switch Int.random(in: 0..<3, using: &random) {
      case 0: return "\(expression("time", below)).offset(\(expression("duration", below)))"
      case 1: return "\(expression("time", below)).toDate()"
      default: return leaf("time")
      }
    case "duration":
      switch Int.random(in: 0..<3, using: &random) {
      case 0: return "\(expression("time", below)).durationSince(\(expression("time", below)))"
      case 1: return "\(expression("time", below)).toTime()"
      default: return leaf("duration")
      }
    default: return leaf(kind)
    }
  }

  mutating func leaf(_ kind: String) -> String {
    let holder = one(["principal", "resource", "context", one(Self.people)])
    switch kind {
    case "bool": return one(["true", "false", "\(holder).on"])
    case "long":
      return one([
        "0", "1", "-1", "7", "30", "9223372036854775807", "-9223372036854775808", "\(holder).age", "\(holder)[\"age\"]",
      ])
    case "string":
      return one([
        "\"\"", "\"kim\"", "\"a*b\"", "\"가\"", "\"\\u{ac00}\"", "\"\\u{1100}\\u{1161}\"", "\"x\\n\"", "\(holder).name",
      ])
    case "entity":
      return chance(50) ? one(["principal", "resource", "action"]) : chance(70) ? entity() : "\(holder).boss"
    case "set": return one(["[]", "[1, 1, 2]", "[\"kim\", 1]", "\(holder).tags"])
    case "record": return one(["{}", "context", "\(holder).home", "{age: 1}"])
    case "decimal":
      return one([
        "decimal(\"1.0\")", "decimal(\"-0.0001\")", "decimal(\"922337203685477.5807\")", "decimal(\"1.00001\")",
        "decimal(\"1\")", "\(holder).level",
      ])
    case "ip":
      return one([
        "ip(\"127.0.0.1\")", "ip(\"10.0.0.0/8\")", "ip(\"10.1.2.3\")", "ip(\"::1\")", "ip(\"ff02::1\")",
        "ip(\"2001:db8::/32\")", "ip(\"2001:db8:1::5\")", "ip(\"010.0.0.1\")", "ip(\"1.2.3\")", "ip(\"224.0.0.0/3\")",
        "ip(\"0.0.0.0/0\")", "\(holder).net",
      ])
    case "time":
      return one([
        "datetime(\"2026-11-23\")", "datetime(\"1969-12-31T23:59:59.999Z\")", "datetime(\"2024-02-29T12:00:00+0900\")",
        "datetime(\"2023-02-29\")", "datetime(\"2026-11-23T24:00:00Z\")", "\(holder).until",
      ])
    default:
      return one([
        "duration(\"1h\")", "duration(\"-1d2h3m4s5ms\")", "duration(\"90m\")", "duration(\"1s1h\")", "duration(\"\")",
        "duration(\"106751991167d7h12m55s807ms\")",
      ])
    }
  }

  // MARK: Rules

  mutating func scope(_ variable: String) -> String {
    switch Int.random(in: 0..<6, using: &random) {
    case 0: "\(variable) == \(entity())"
    case 1: "\(variable) in \(entity())"
    case 2: "\(variable) is \(one(["City::Person", "City::Group", "Thing"]))"
    case 3: "\(variable) is \(one(["City::Person", "Thing"])) in \(entity())"
    default: variable
    }
  }

  mutating func policy() -> String {
    let action = one([
      "action", "action", "action == \(one(Self.actions))", "action in \(one(Self.actions))",
      "action in [\(one(Self.actions)), \(one(Self.actions))]", "action in []",
    ])
    var text = "\(one(["permit", "permit", "forbid"]))(\(scope("principal")), \(action), \(scope("resource")))"
    for _ in 0..<Int.random(in: 0...2, using: &random) {
      text += " \(one(["when", "unless"])) { \(expression("bool", Int.random(in: 0...4, using: &random))) }"
    }
    return text + ";"
  }

  // MARK: Entities and requests

  mutating func value(_ name: String) -> JSON {
    func pair(_ text: String) -> JSON {
      let parts = text.components(separatedBy: "::\"")
      return ["type": .string(parts[0]), "id": .string(String(parts[1].dropLast()))]
    }
    func made(_ function: String, _ text: String) -> JSON {
      ["__extn": ["fn": .string(function), "arg": .string(text)]]
    }
    if chance(5) { return .string("another kind") }
    switch name {
    case "age": return .integer(one([0, 1, 7, 30, -5]))
    case "name": return .string(one(["kim", "a*b", "가", ""]))
    case "home": return ["age": .integer(one([1, 2])), "name": "kim"]
    case "tags": return .array([.integer(1), .string(one(["kim", "x"]))])
    case "boss": return ["__entity": pair(one(Self.people + Self.groups))]
    case "net": return made("ip", one(["10.1.1.1", "127.0.0.1/16", "::1", "fe80::/10"]))
    case "level": return made("decimal", one(["1.0", "2.5", "-3.25"]))
    case "until": return made("datetime", one(["2026-11-23T10:00:00Z", "2026-01-01"]))
    default: return .bool(chance(50))
    }
  }

  mutating func members() -> JSON {
    var object = JSONObject()
    for name in Self.attributes where chance(60) { object[name] = value(name) }
    return .object(object)
  }

  /// In Cedar's own form. Groups stand in later groups only, so that none stands in itself.
  mutating func entities() -> JSON {
    func pair(_ text: String) -> JSON {
      let parts = text.components(separatedBy: "::\"")
      return ["type": .string(parts[0]), "id": .string(String(parts[1].dropLast()))]
    }
    var all: [JSON] = []
    let order = Self.people + Self.things + Self.groups
    for (position, uid) in order.enumerated() where chance(85) {
      let later = order[(position + 1)...].filter { $0.hasPrefix("City::Group") }
      all.append([
        "uid": pair(uid), "attrs": members(), "parents": .array(later.filter { _ in chance(30) }.map { pair($0) }),
      ])
    }
    return .array(all)
  }

  mutating func request() -> JSON {
    [
      "principal": .string(one(Self.people)), "action": .string(one(Self.actions)),
      "resource": .string(one(Self.things)), "context": members(),
    ]
  }
}

/// Random numbers that a seed gives again (SplitMix64).
struct Seeded: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}

// MARK: - Reading what was made

enum CedarJSON {
  static func uid(_ json: JSON) throws -> EntityUID {
    guard let type = json["type"]?.string, let id = json["id"]?.string else { throw Unreadable() }
    return EntityUID(ExactText(type), ExactText(id))
  }

  static func uid(text: String) throws -> EntityUID {
    let parts = text.components(separatedBy: "::\"")
    return EntityUID(ExactText(parts[0]), ExactText(String(parts[1].dropLast())))
  }

  static func value(_ json: JSON) throws -> Value {
    switch json {
    case .bool(let bool): return .bool(bool)
    case .integer(let integer): return .integer(integer)
    case .string(let text): return .string(ExactText(text))
    case .array(let members): return .set(Set(try members.map(value)))
    case .object(let object):
      if let entity = object["__entity"] { return .entity(try uid(entity)) }
      if let made = object["__extn"], let function = made["fn"]?.string, let text = made["arg"]?.string {
        guard let value = Expression.Function(rawValue: function)?.value(of: text) else { throw Unreadable() }
        return value
      }
      return .record(try members(json))
    default: throw Unreadable()
    }
  }

  static func members(_ json: JSON) throws -> [ExactText: Value] {
    var found: [ExactText: Value] = [:]
    for member in json.object?.members ?? [] { found[ExactText(member.key)] = try value(member.value) }
    return found
  }

  static func entities(_ json: JSON) throws -> [EntityUID: PolicyEntity] {
    var found: [EntityUID: PolicyEntity] = [:]
    for entity in json.array ?? [] {
      found[try uid(entity["uid"] ?? .null)] = PolicyEntity(
        attributes: try members(entity["attrs"] ?? .null), parents: try (entity["parents"]?.array ?? []).map(uid))
    }
    return found
  }

  struct Unreadable: Error {}
}
