/// Text that is compared byte by byte: spellings that only look alike are other names and other values.
public struct ExactText: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
  public let text: String

  public init(_ text: String) { self.text = text }

  public init(stringLiteral text: String) { self.text = text }

  public var description: String { text }

  public static func == (left: ExactText, right: ExactText) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

  public func hash(into hasher: inout Hasher) {
    var text = text
    text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }
}

/// Who or what a rule speaks of: a type such as `Madang::Person` and a name within it.
public struct EntityUID: Sendable, Hashable, CustomStringConvertible {
  public var type: ExactText
  public var id: ExactText

  public init(_ type: ExactText, _ id: ExactText) {
    self.type = type
    self.id = id
  }

  /// As policies write it.
  public var description: String { "\(type)::\(Quoted.text(id.text))" }
}

/// A value of the policy language.
public enum Value: Sendable, Hashable {
  case bool(Bool)
  case integer(Int64)
  case string(ExactText)
  case entity(EntityUID)
  case set(Set<Value>)
  case record([ExactText: Value])
  /// In ten-thousandths.
  case decimal(Int64)
  case address(AddressRange)
  /// Milliseconds since 1970.
  case time(Int64)
  /// Milliseconds.
  case duration(Int64)

  /// What its kind is called in errors.
  var kind: String {
    switch self {
    case .bool: "bool"
    case .integer: "long"
    case .string: "string"
    case .entity(let uid): uid.type.text
    case .set: "set"
    case .record: "record"
    case .decimal: "decimal"
    case .address: "ipaddr"
    case .time: "datetime"
    case .duration: "duration"
    }
  }
}

/// What is known of an entity: its attributes, its tags and the groups it is directly in.
public struct PolicyEntity: Sendable, Hashable {
  public var attributes: [ExactText: Value]
  public var tags: [ExactText: Value]
  public var parents: [EntityUID]

  public init(attributes: [ExactText: Value] = [:], tags: [ExactText: Value] = [:], parents: [EntityUID] = []) {
    self.attributes = attributes
    self.tags = tags
    self.parents = parents
  }
}

/// What is asked: may this principal do this to that, under these circumstances?
public struct AccessRequest: Sendable, Hashable {
  public var principal: EntityUID
  public var action: EntityUID
  public var resource: EntityUID
  public var context: [ExactText: Value]

  public init(
    principal: EntityUID, action: EntityUID, resource: EntityUID, context: [ExactText: Value] = [:]
  ) {
    self.principal = principal
    self.action = action
    self.resource = resource
    self.context = context
  }
}

/// Gives what is known of entities while a request is decided.
public protocol EntitySource {
  /// - Returns: `nil` for an entity that nothing is known of.
  func entity(_ uid: EntityUID) -> PolicyEntity?
}

extension [EntityUID: PolicyEntity]: EntitySource {
  public func entity(_ uid: EntityUID) -> PolicyEntity? { self[uid] }
}
