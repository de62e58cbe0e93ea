/// What a file of ours may hold: one description from which the reader, its error messages and the published
/// JSON Schema all follow, so that they cannot disagree.
public indirect enum Shape: Sendable {
  /// A closed set of keys.
  case object([Field])
  /// Free keys, all values of one shape.
  case map(Shape, keyPattern: String, count: ClosedRange<Int>)
  case list(Shape, count: ClosedRange<Int>)
  case text(maxLength: Int)
  /// Text that matches a regular expression whole; `example` is what an error shows.
  case pattern(String, example: String)
  case choice([String])
  case number(ClosedRange<Double>)
  case integer(ClosedRange<Int>)
  case flag
  /// `[longitude, latitude]` in degrees (WGS 84).
  case position
  /// Text, a number or a truth value.
  case scalar
  /// One of several shapes, told apart by the kind of node: scalar, list or mapping.
  case either([Shape])
}

/// One key of an object.
public struct Field: Sendable {
  public var name: String
  public var shape: Shape
  public var isRequired: Bool
  /// One sentence for the schema.
  public var summary: String

  public static func required(_ name: String, _ shape: Shape, _ summary: String) -> Field {
    Field(name: name, shape: shape, isRequired: true, summary: summary)
  }

  public static func optional(_ name: String, _ shape: Shape, _ summary: String) -> Field {
    Field(name: name, shape: shape, isRequired: false, summary: summary)
  }
}

extension Shape {
  /// What an error says was expected.
  var expectation: String {
    switch self {
    case .object(let fields): "a mapping with the keys " + fields.map(\.name).joined(separator: ", ")
    case .map: "a mapping"
    case .list(_, let count): "a list of \(count.lowerBound) to \(count.upperBound) items"
    case .text(let length): "text of 1 to \(length) characters"
    case .pattern(_, let example): "text such as '\(example)'"
    case .choice(let words): words.count == 1 ? "'\(words[0])'" : "one of " + words.joined(separator: ", ")
    case .number(let range): "a number from \(Shape.text(range.lowerBound)) to \(Shape.text(range.upperBound))"
    case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
    case .flag: "true or false"
    case .position: "a position [longitude, latitude]"
    case .scalar: "text, a number, true or false"
    case .either(let shapes): shapes.map(\.expectation).joined(separator: ", or ")
    }
  }

  static func text(_ number: Double) -> String {
    number == number.rounded() && abs(number) < 1e15 ? String(Int(number)) : String(number)
  }
}
