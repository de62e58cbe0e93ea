import NGSI
import Patterns

/// One schema with its keywords, subschemas as indices into ``Schema/nodes``.
struct Node: Sendable {
  /// In the order they are carried out: `unevaluated…` sees what all others looked at.
  var keywords: [Keyword] = []
  var resource = 0
  /// Of a schema that is `true` or `false`.
  var always: Bool?
  var location = ""
}

/// A schema with a base URI of its own, as far as a judgement needs it.
struct Resource: Sendable {
  /// Nodes by the names of `$dynamicAnchor`; `$recursiveAnchor` (2019-09) has the empty name.
  var dynamicAnchors: [String: Int] = [:]
}

/// How many there may be; a schema may ask for more than it allows, and then takes nothing.
struct Bounds: Sendable {
  var least = 0
  var most = Int.max

  func contains(_ count: Int) -> Bool { count >= least && count <= most }

  var text: String {
    if most == .max { return "at least \(least)" }
    return least == 0 ? "at most \(most)" : least == most ? "\(least)" : "\(least) to \(most)"
  }
}

enum Keyword: Sendable {
  case type(JSONTypes)
  case enumeration([JSON])
  case constant(JSON)
  case multipleOf(ExactNumber)
  case minimum(JSON, isExclusive: Bool)
  case maximum(JSON, isExclusive: Bool)
  case length(Bounds)
  case pattern(Pattern)
  case format(Format)
  case itemCount(Bounds)
  case uniqueItems
  case items(prefix: [Int], rest: Int?)
  /// - marks: whether what matches counts as evaluated (2020-12).
  case contains(Int, Bounds, marks: Bool)
  case memberCount(Bounds)
  case required([String])
  case dependentRequired([(String, [String])])
  case dependentSchemas([(String, Int)])
  case members([String: Int], patterns: [(Pattern, Int)], additional: Int?)
  case memberNames(Int)
  case allOf([Int])
  case anyOf([Int])
  case oneOf([Int])
  case not(Int)
  case condition(Int, then: Int?, otherwise: Int?)
  case reference(Int)
  case dynamicReference(Int, String)
  case unevaluatedItems(Int)
  case unevaluatedMembers(Int)
}

/// The types of JSON Schema; an integer is a number without a fraction.
struct JSONTypes: OptionSet, Sendable {
  let rawValue: UInt8

  static let null = JSONTypes(rawValue: 1)
  static let boolean = JSONTypes(rawValue: 2)
  static let object = JSONTypes(rawValue: 4)
  static let array = JSONTypes(rawValue: 8)
  static let number = JSONTypes(rawValue: 16)
  static let integer = JSONTypes(rawValue: 32)
  static let string = JSONTypes(rawValue: 64)

  private static let names: [(String, JSONTypes)] = [
    ("null", .null), ("boolean", .boolean), ("object", .object), ("array", .array), ("number", .number),
    ("integer", .integer), ("string", .string),
  ]

  init(rawValue: UInt8) { self.rawValue = rawValue }

  init?(named name: String) {
    guard let known = Self.names.first(where: { $0.0 == name }) else { return nil }
    self = known.1
  }

  /// The types that a value has: 1 and 1.0 are number and integer.
  init(of value: JSON) {
    switch value {
    case .null: self = .null
    case .bool: self = .boolean
    case .object: self = .object
    case .array: self = .array
    case .string: self = .string
    case .integer: self = [.number, .integer]
    case .double(let number): self = number.rounded() == number ? [.number, .integer] : .number
    case .decimal: self = ExactNumber(value)?.isWhole ?? false ? [.number, .integer] : .number
    }
  }

  var text: String { Self.names.filter { contains($0.1) }.map(\.0).joined(separator: " or ") }
}
