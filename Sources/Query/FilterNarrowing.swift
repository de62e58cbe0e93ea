import NGSI

extension Filter {
  /// A condition that an index can answer and that every matching entity meets.
  public var narrowing: Narrowing {
    switch self {
    case .all(let parts): Narrowing.all(of: parts.map(\.narrowing))
    case .any(let parts): Narrowing.any(of: parts.map(\.narrowing))
    case .test(let path, let condition): path.narrowing(condition)
    }
  }
}

extension Narrowing {
  /// "And", without what says nothing.
  static func all(of parts: [Narrowing]) -> Narrowing {
    if parts.contains(.nothing) { return .nothing }
    let telling = parts.filter { $0 != .everything }.joiningRanges
    return telling.isEmpty ? .everything : telling.count == 1 ? telling[0] : .all(telling)
  }

  /// "Or": says nothing as soon as one part says nothing.
  static func any(of parts: [Narrowing]) -> Narrowing {
    if parts.contains(.everything) { return .everything }
    let possible = parts.filter { $0 != .nothing }
    return possible.isEmpty ? .nothing : possible.count == 1 ? possible[0] : .any(possible)
  }
}

extension [Narrowing] {
  /// The parts of an "and", with ranges of the same attribute joined: `a>=1;a<5` is one look-up from 1 to 5.
  ///
  /// An entity with one value has it in both ranges, thus in what they share. One with several may have one value in
  /// each, so those are taken as well.
  fileprivate var joiningRanges: [Narrowing] {
    var joined: [Narrowing] = []
    var isJoint: [Bool] = []
    for part in self {
      if let position = joined.firstIndex(where: { $0.shared(with: part) != nil }),
        let shared = joined[position].shared(with: part)
      {
        joined[position] = shared.range
        isJoint[position] = true
      } else {
        joined.append(part)
        isJoint.append(false)
      }
    }
    return zip(joined, isJoint).map { part, isJoint in
      guard isJoint, let attribute = part.shared(with: part)?.attribute else { return part }
      return .any([part, .several(attribute)])
    }
  }
}

extension Narrowing {
  /// What two ranges of values of the same attribute have in common; `nil` for anything else.
  fileprivate func shared(with other: Narrowing) -> (range: Narrowing, attribute: String)? {
    switch (self, other) {
    case (.number(let a, let low, let high), .number(let b, let otherLow, let otherHigh)) where TextOrder.equal(a, b):
      let low = Self.pick(low, otherLow, >)
      return (.number(attribute: a, low: low, high: Self.pick(high, otherHigh, <)), a)
    case (.time(let a, let low, let high), .time(let b, let otherLow, let otherHigh)) where TextOrder.equal(a, b):
      let low = Self.pick(low, otherLow, >)
      return (.time(attribute: a, low: low, high: Self.pick(high, otherHigh, <)), a)
    case (.textRange(let a, let low, let high), .textRange(let b, let otherLow, let otherHigh))
    where TextOrder.equal(a, b):
      let low = Self.pick(low, otherLow) { TextOrder.compare($0, $1) > 0 }
      let high = Self.pick(high, otherHigh) { TextOrder.compare($0, $1) < 0 }
      return (.textRange(attribute: a, low: low, high: high), a)
    default: return nil
    }
  }

  /// The bound that is there, or the narrower of two.
  private static func pick<Bound>(_ left: Bound?, _ right: Bound?, _ isNarrower: (Bound, Bound) -> Bool) -> Bound? {
    guard let left else { return right }
    guard let right else { return left }
    return isNarrower(left, right) ? left : right
  }
}

extension AttributePath {
  func narrowing(_ condition: Condition) -> Narrowing {
    if PlainMember(iri: attribute)?.isOfEntity == true { return .everything }
    if case .absent = condition { return .everything }
    // The index holds values of top-level attributes only.
    guard subAttributes.isEmpty, linked == nil, valueMembers.isEmpty else { return .hasAttribute(attribute) }
    switch condition {
    case .exists, .absent: return .hasAttribute(attribute)
    case .compare(let comparison, let operand): return narrowing(comparison, operand)
    case .anyOf(_, negated: true), .within(_, _, negated: true), .pattern(_, negated: true):
      return .hasAttribute(attribute)
    case .anyOf(let operands, negated: false):
      let texts = operands.compactMap(\.text)
      if texts.count == operands.count { return .text(attribute: attribute, equals: texts.map(IndexValue.key)) }
      return Narrowing.any(of: operands.map { narrowing(.equal, $0) })
    case .within(let low, let high, negated: false): return range(from: low, to: high)
    case .pattern(let pattern, negated: false):
      guard let prefix = Self.literalPrefix(of: pattern) else { return .hasAttribute(attribute) }
      return .textPrefix(attribute: attribute, prefix: prefix)
    }
  }

  private func narrowing(_ comparison: Comparison, _ operand: Operand) -> Narrowing {
    switch comparison {
    case .unequal: return .hasAttribute(attribute)
    case .equal:
      if let text = operand.text { return .text(attribute: attribute, equals: [IndexValue.key(of: text)]) }
      return range(from: operand, to: operand)
    case .greater, .greaterOrEqual: return range(from: operand, to: nil)
    case .less, .lessOrEqual: return range(from: nil, to: operand)
    }
  }

  private func range(from low: Operand?, to high: Operand?) -> Narrowing {
    switch low ?? high {
    case .number?: .number(attribute: attribute, low: low?.number, high: high?.number)
    case .dateTime?: .time(attribute: attribute, low: low?.instant, high: high?.instant)
    case .text?, .date?:
      .textRange(attribute: attribute, low: low?.ordered.map(Self.shortened), high: high?.ordered)
    // Times of day have no index, and flags no order.
    case .bool?, .time?, .uri?, nil: .hasAttribute(attribute)
    }
  }

  /// A text that is not above the given one nor above what the index keeps of any text from there on: kept texts are
  /// cut at ``IndexValue/maxTextBytes``, and half of that is well inside.
  private static func shortened(_ text: String) -> String {
    let key = IndexValue.key(of: text)
    guard key.utf8.count > IndexValue.maxTextBytes / 2 else { return key }
    var short = String.UnicodeScalarView()
    var bytes = 0
    for scalar in key.unicodeScalars {
      bytes += scalar.utf8.count
      guard bytes <= IndexValue.maxTextBytes / 2 else { break }
      short.append(scalar)
    }
    return String(short)
  }

  /// The letters and digits that every match of `^letters…` begins with.
  static func literalPrefix(of pattern: String) -> String? {
    guard pattern.hasPrefix("^"), !pattern.contains("|") else { return nil }
    var prefix = String.UnicodeScalarView()
    for scalar in pattern.unicodeScalars.dropFirst() {
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9", " ", "-", "_", ":", "/", ",", "\u{A0}"..."\u{10FFFF}":
        prefix.append(scalar)
      case "*", "?", "{", "+":
        // The repetition belongs to the character before it.
        if !prefix.isEmpty { prefix.removeLast() }
        return finished(prefix)
      default: return finished(prefix)
      }
      if prefix.count >= IndexValue.maxTextBytes / 8 { break }
    }
    return finished(prefix)
  }

  private static func finished(_ prefix: String.UnicodeScalarView) -> String? { prefix.isEmpty ? nil : String(prefix) }
}

extension Operand {
  fileprivate var text: String? {
    switch self {
    case .text(let text), .uri(let text): text
    default: nil
    }
  }

  /// A text or date, which are ordered as texts.
  fileprivate var ordered: String? {
    switch self {
    case .text(let text), .date(let text): text
    default: nil
    }
  }

  fileprivate var number: Double? { if case .number(let number) = self { number } else { nil } }
  fileprivate var instant: DateTime? { if case .dateTime(let time) = self { time } else { nil } }
}

extension Narrowing {
  /// Whether an entity meets the condition, by the definition that an index follows.
  public func holds(for entity: Entity) -> Bool {
    switch self {
    case .everything: true
    case .nothing: false
    case .all(let parts): parts.allSatisfy { $0.holds(for: entity) }
    case .any(let parts): parts.contains { $0.holds(for: entity) }
    case .several(let name): Self.some(of: entity, name) { $0 == .several }
    case .hasAttribute(let name): !(entity[attribute: name]?.instances.isEmpty ?? true)
    case .number(let name, let low, let high):
      Self.some(of: entity, name) { value in
        guard case .number(let number) = value else { return false }
        return number >= low ?? -.infinity && number <= high ?? .infinity
      }
    case .text(let name, let texts):
      Self.some(of: entity, name) { value in
        guard case .text(let text) = value else { return false }
        return texts.contains { TextOrder.equal($0, text) }
      }
    case .textRange(let name, let low, let high):
      Self.some(of: entity, name) { value in
        guard case .text(let text) = value else { return false }
        return low.map { TextOrder.compare(text, $0) >= 0 } ?? true
          && high.map { TextOrder.compare(text, $0) <= 0 } ?? true
      }
    case .textPrefix(let name, let prefix):
      Self.some(of: entity, name) { value in
        guard case .text(let text) = value else { return false }
        return text.utf8.starts(with: prefix.utf8)
      }
    case .time(let name, let low, let high):
      Self.some(of: entity, name) { value in
        guard case .time(let time) = value else { return false }
        return low.map { time >= $0 } ?? true && high.map { time <= $0 } ?? true
      }
    }
  }

  private static func some(of entity: Entity, _ name: String, _ holds: (IndexValue) -> Bool) -> Bool {
    guard let set = entity[attribute: name] else { return false }
    return IndexValue.values(of: set).contains { $0 == .unlisted || holds($0) }
  }
}
