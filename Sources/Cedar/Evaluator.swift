/// Why a condition has no value. A rule whose condition has none does not count.
public enum EvaluationError: Error, Sendable, Hashable {
  case type(expected: String, found: String)
  case noEntity(EntityUID)
  case noAttribute(ExactText)
  case noTag(ExactText)
  case overflow
  case noValue(Expression.Function, ExactText)

  public var sentence: String {
    switch self {
    case .type(let expected, let found): "expected \(expected), found \(found)"
    case .noEntity(let uid): "nothing is known of \(uid)"
    case .noAttribute(let name): "there is no attribute \(name)"
    case .noTag(let name): "there is no tag \(name)"
    case .overflow: "a number is too large"
    case .noValue(let function, let text): "\(Quoted.text(text.text)) is no \(function.rawValue)"
    }
  }
}

/// Finds the values of conditions for one request.
struct Evaluator {
  let request: AccessRequest
  let entities: any EntitySource
  /// Groups that an entity is in, directly or not; found once for each entity that is asked about.
  private var groups: [EntityUID: Set<EntityUID>] = [:]

  init(_ request: AccessRequest, _ entities: any EntitySource) {
    self.request = request
    self.entities = entities
  }

  // MARK: Entities

  /// Whether an entity is another or in it.
  mutating func isWithin(_ uid: EntityUID, _ group: EntityUID) -> Bool {
    uid == group || ancestors(of: uid).contains(group)
  }

  private mutating func ancestors(of uid: EntityUID) -> Set<EntityUID> {
    if let known = groups[uid] { return known }
    var found: Set<EntityUID> = []
    var open = entities.entity(uid)?.parents ?? []
    while let next = open.popLast() {
      guard found.insert(next).inserted else { continue }
      open += entities.entity(next)?.parents ?? []
    }
    groups[uid] = found
    return found
  }

  // MARK: Conditions

  mutating func value(of expression: Expression) throws(EvaluationError) -> Value {
    switch expression {
    case .value(let value): return value
    case .variable(.principal): return .entity(request.principal)
    case .variable(.action): return .entity(request.action)
    case .variable(.resource): return .entity(request.resource)
    case .variable(.context): return .record(request.context)
    case .all(let members):
      for member in members where try !bool(member) { return .bool(false) }
      return .bool(true)
    case .any(let members):
      for member in members where try bool(member) { return .bool(true) }
      return .bool(false)
    case .not(let inner): return .bool(try !bool(inner))
    case .negate(let inner):
      let (value, overflowed) = Int64(0).subtractingReportingOverflow(try integer(inner))
      guard !overflowed else { throw .overflow }
      return .integer(value)
    case .choice(let condition, let yes, let no): return try value(of: try bool(condition) ? yes : no)
    case .compare(let comparison, let left, let right): return .bool(try compare(comparison, left, right))
    case .arithmetic(let operation, let left, let right):
      let (left, right) = (try integer(left), try integer(right))
      let (value, overflowed) =
        switch operation {
        case .add: left.addingReportingOverflow(right)
        case .subtract: left.subtractingReportingOverflow(right)
        case .multiply: left.multipliedReportingOverflow(by: right)
        }
      guard !overflowed else { throw .overflow }
      return .integer(value)
    case .has(let holder, let name):
      switch try value(of: holder) {
      case .record(let members): return .bool(members[name] != nil)
      case .entity(let uid): return .bool(entities.entity(uid)?.attributes[name] != nil)
      case let other: throw .type(expected: "record or entity", found: other.kind)
      }
    case .member(let holder, let name): return try member(holder, name)
    case .like(let inner, let wildcards): return .bool(wildcards.matches(try string(inner).text))
    case .isType(let inner, let type, let group):
      let uid = try entity(inner)
      guard uid.type == type else { return .bool(false) }
      guard let group else { return .bool(true) }
      return .bool(try isWithin(uid, value(of: group)))
    case .set(let members):
      var set: Set<Value> = []
      for member in members { set.insert(try value(of: member)) }
      return .set(set)
    case .record(let members):
      var record: [ExactText: Value] = [:]
      for member in members { record[member.name] = try value(of: member.expression) }
      return .record(record)
    case .function(let function, let argument): return try call(function, try string(argument))
    case .method(let method, let holder, let arguments): return try call(method, holder, arguments)
    }
  }

  private mutating func member(_ holder: Expression, _ name: ExactText) throws(EvaluationError) -> Value {
    switch try value(of: holder) {
    case .record(let members):
      guard let value = members[name] else { throw .noAttribute(name) }
      return value
    case .entity(let uid):
      guard let entity = entities.entity(uid) else { throw .noEntity(uid) }
      guard let value = entity.attributes[name] else { throw .noAttribute(name) }
      return value
    case let other: throw .type(expected: "record or entity", found: other.kind)
    }
  }

  private mutating func compare(
    _ comparison: Expression.Comparison, _ left: Expression, _ right: Expression
  ) throws(EvaluationError) -> Bool {
    switch comparison {
    case .equal: return try value(of: left) == value(of: right)
    case .notEqual: return try value(of: left) != value(of: right)
    case .within:
      let left = try value(of: left)
      let right = try value(of: right)
      guard case .entity(let uid) = left else { throw .type(expected: "entity", found: left.kind) }
      return try isWithin(uid, right)
    case .less, .lessOrEqual, .greater, .greaterOrEqual:
      let order: (Int64, Int64)
      switch (try value(of: left), try value(of: right)) {
      case (.integer(let left), .integer(let right)), (.time(let left), .time(let right)),
        (.duration(let left), .duration(let right)):
        order = (left, right)
      case (.integer, let other), (.time, let other), (.duration, let other):
        throw .type(expected: "two values of a kind that has an order", found: other.kind)
      case (let other, _): throw .type(expected: "long, datetime or duration", found: other.kind)
      }
      switch comparison {
      case .less: return order.0 < order.1
      case .lessOrEqual: return order.0 <= order.1
      case .greater: return order.0 > order.1
      default: return order.0 >= order.1
      }
    }
  }

  private mutating func isWithin(_ uid: EntityUID, _ group: Value) throws(EvaluationError) -> Bool {
    switch group {
    case .entity(let group): return isWithin(uid, group)
    case .set(let members):
      var groups: [EntityUID] = []
      for member in members {
        guard case .entity(let group) = member else { throw .type(expected: "entity", found: member.kind) }
        groups.append(group)
      }
      return groups.contains { isWithin(uid, $0) }
    default: throw .type(expected: "entity or set of entities", found: group.kind)
    }
  }

  // MARK: Functions

  private func call(_ function: Expression.Function, _ text: ExactText) throws(EvaluationError) -> Value {
    guard let value = function.value(of: text.text) else { throw .noValue(function, text) }
    return value
  }

  private mutating func call(
    _ method: Expression.Method, _ holder: Expression, _ arguments: [Expression]
  ) throws(EvaluationError) -> Value {
    let first = arguments.first ?? holder
    switch method {
    case .contains: return .bool(try set(holder).contains(value(of: first)))
    case .containsAll:
      let whole = try set(holder)
      return .bool(try whole.isSuperset(of: set(first)))
    case .containsAny:
      let whole = try set(holder)
      return .bool(try !whole.isDisjoint(with: set(first)))
    case .isEmpty: return .bool(try set(holder).isEmpty)
    case .hasTag:
      let uid = try entity(holder)
      let name = try string(first)
      return .bool(entities.entity(uid)?.tags[name] != nil)
    case .getTag:
      let uid = try entity(holder)
      let name = try string(first)
      guard let entity = entities.entity(uid) else { throw .noEntity(uid) }
      guard let value = entity.tags[name] else { throw .noTag(name) }
      return value
    case .lessThan, .lessThanOrEqual, .greaterThan, .greaterThanOrEqual:
      let (left, right) = (try decimal(holder), try decimal(first))
      switch method {
      case .lessThan: return .bool(left < right)
      case .lessThanOrEqual: return .bool(left <= right)
      case .greaterThan: return .bool(left > right)
      default: return .bool(left >= right)
      }
    case .isIpv4: return .bool(try !address(holder).isVersion6)
    case .isIpv6: return .bool(try address(holder).isVersion6)
    case .isLoopback: return .bool(try address(holder).isLoopback)
    case .isMulticast: return .bool(try address(holder).isMulticast)
    case .isInRange:
      let range = try address(holder)
      return .bool(try range.isInside(address(first)))
    case .offset:
      let (sum, overflowed) = try time(holder).addingReportingOverflow(duration(first))
      guard !overflowed else { throw .overflow }
      return .time(sum)
    case .durationSince:
      let (difference, overflowed) = try time(holder).subtractingReportingOverflow(time(first))
      guard !overflowed else { throw .overflow }
      return .duration(difference)
    case .toDate:
      let time = try time(holder)
      let (date, overflowed) = time.subtractingReportingOverflow(Self.ofDay(time))
      guard !overflowed else { throw .overflow }
      return .time(date)
    case .toTime: return .duration(Self.ofDay(try time(holder)))
    case .toMilliseconds: return .integer(try duration(holder))
    case .toSeconds: return .integer(try duration(holder) / 1000)
    case .toMinutes: return .integer(try duration(holder) / 60_000)
    case .toHours: return .integer(try duration(holder) / 3_600_000)
    case .toDays: return .integer(try duration(holder) / TimeText.day)
    }
  }

  /// Milliseconds since midnight, before 1970 as well.
  private static func ofDay(_ time: Int64) -> Int64 {
    let rest = time % TimeText.day
    return rest < 0 ? rest + TimeText.day : rest
  }

  // MARK: Kinds

  mutating func bool(_ expression: Expression) throws(EvaluationError) -> Bool {
    let value = try value(of: expression)
    guard case .bool(let bool) = value else { throw .type(expected: "bool", found: value.kind) }
    return bool
  }

  private mutating func integer(_ expression: Expression) throws(EvaluationError) -> Int64 {
    let value = try value(of: expression)
    guard case .integer(let integer) = value else { throw .type(expected: "long", found: value.kind) }
    return integer
  }

  private mutating func string(_ expression: Expression) throws(EvaluationError) -> ExactText {
    let value = try value(of: expression)
    guard case .string(let string) = value else { throw .type(expected: "string", found: value.kind) }
    return string
  }

  private mutating func entity(_ expression: Expression) throws(EvaluationError) -> EntityUID {
    let value = try value(of: expression)
    guard case .entity(let uid) = value else { throw .type(expected: "entity", found: value.kind) }
    return uid
  }

  private mutating func set(_ expression: Expression) throws(EvaluationError) -> Set<Value> {
    let value = try value(of: expression)
    guard case .set(let set) = value else { throw .type(expected: "set", found: value.kind) }
    return set
  }

  private mutating func decimal(_ expression: Expression) throws(EvaluationError) -> Int64 {
    let value = try value(of: expression)
    guard case .decimal(let decimal) = value else { throw .type(expected: "decimal", found: value.kind) }
    return decimal
  }

  private mutating func address(_ expression: Expression) throws(EvaluationError) -> AddressRange {
    let value = try value(of: expression)
    guard case .address(let address) = value else { throw .type(expected: "ipaddr", found: value.kind) }
    return address
  }

  private mutating func time(_ expression: Expression) throws(EvaluationError) -> Int64 {
    let value = try value(of: expression)
    guard case .time(let time) = value else { throw .type(expected: "datetime", found: value.kind) }
    return time
  }

  private mutating func duration(_ expression: Expression) throws(EvaluationError) -> Int64 {
    let value = try value(of: expression)
    guard case .duration(let duration) = value else { throw .type(expected: "duration", found: value.kind) }
    return duration
  }
}

extension Expression.Function {
  /// - Returns: `nil` for a text that is no such value.
  func value(of text: String) -> Value? {
    switch self {
    case .decimal: DecimalText.value(text).map(Value.decimal)
    case .ip: AddressRange(text).map(Value.address)
    case .datetime: TimeText.instant(text).map(Value.time)
    case .duration: TimeText.duration(text).map(Value.duration)
    }
  }
}
