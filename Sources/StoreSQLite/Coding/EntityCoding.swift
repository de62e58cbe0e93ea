import NGSI
import Store

/// Which optional members of an instance are written.
struct MemberFlags: OptionSet {
  let rawValue: UInt16

  static let datasetId = MemberFlags(rawValue: 1)
  static let observedAt = MemberFlags(rawValue: 2)
  static let unitCode = MemberFlags(rawValue: 4)
  static let valueType = MemberFlags(rawValue: 8)
  static let objectType = MemberFlags(rawValue: 16)
  static let expiresAt = MemberFlags(rawValue: 32)
  static let createdAt = MemberFlags(rawValue: 64)
  static let modifiedAt = MemberFlags(rawValue: 128)
  static let deletedAt = MemberFlags(rawValue: 256)
  static let instanceId = MemberFlags(rawValue: 512)
  static let language = MemberFlags(rawValue: 1024)
  static let previousValue = MemberFlags(rawValue: 2048)
  static let subAttributes = MemberFlags(rawValue: 4096)
  /// `modifiedAt` is there and equals `createdAt`.
  static let unmodified = MemberFlags(rawValue: 8192)
}

extension AttributeKind {
  /// Stored number, 1 to 8; never to be changed.
  var number: UInt8 {
    switch self {
    case .property: 1
    case .geoProperty: 2
    case .relationship: 3
    case .languageProperty: 4
    case .vocabProperty: 5
    case .jsonProperty: 6
    case .listProperty: 7
    case .listRelationship: 8
    }
  }

  init?(number: UInt8) {
    switch number {
    case 1: self = .property
    case 2: self = .geoProperty
    case 3: self = .relationship
    case 4: self = .languageProperty
    case 5: self = .vocabProperty
    case 6: self = .jsonProperty
    case 7: self = .listProperty
    case 8: self = .listRelationship
    default: return nil
    }
  }
}

// MARK: - Writing

extension ByteWriter {
  private static let form: UInt8 = 1

  /// - Parameter number: gives the number of a name.
  mutating func entity(_ entity: Entity, number: (String) throws -> Int64) throws {
    byte(Self.form)
    text(entity.id)
    try names(entity.types, number: number)
    unsigned(UInt64(entity.scopes.count))
    for scope in entity.scopes { text(scope) }
    let times = [entity.createdAt, entity.modifiedAt, entity.deletedAt, entity.expiresAt]
    byte(times.enumerated().reduce(0) { $1.element == nil ? $0 : $0 | 1 << UInt8($1.offset) })
    for time in times { if let time { self.time(time) } }
    try sets(entity.attributes, number: number)
  }

  mutating func sets(_ sets: [AttributeSet], number: (String) throws -> Int64) throws {
    unsigned(UInt64(sets.count))
    for set in sets {
      unsigned(UInt64(try number(set.name)))
      unsigned(UInt64(set.instances.count))
      for instance in set.instances { try self.instance(instance, number: number) }
    }
  }

  mutating func instance(_ instance: Attribute, number: (String) throws -> Int64) throws {
    let flags = MemberFlags(of: instance)
    byte(instance.kind.number)
    unsigned(UInt64(flags.rawValue))
    json(instance.value)
    if let datasetId = instance.datasetId { text(datasetId) }
    if let observedAt = instance.observedAt { time(observedAt) }
    if let unitCode = instance.unitCode { text(unitCode) }
    if let valueType = instance.valueType { unsigned(UInt64(try number(valueType))) }
    if !instance.objectType.isEmpty { try names(instance.objectType, number: number) }
    if let expiresAt = instance.expiresAt { time(expiresAt) }
    if let createdAt = instance.createdAt { time(createdAt) }
    if let modifiedAt = instance.modifiedAt, !flags.contains(.unmodified) { time(modifiedAt) }
    if let deletedAt = instance.deletedAt { time(deletedAt) }
    if let instanceId = instance.instanceId { text(instanceId) }
    if let language = instance.language { text(language) }
    if let previousValue = instance.previousValue { json(previousValue) }
    if !instance.subAttributes.isEmpty { try sets(instance.subAttributes, number: number) }
  }

  mutating func names(_ names: [String], number: (String) throws -> Int64) throws {
    unsigned(UInt64(names.count))
    for name in names { unsigned(UInt64(try number(name))) }
  }
}

extension MemberFlags {
  init(of instance: Attribute) {
    self = []
    if instance.datasetId != nil { insert(.datasetId) }
    if instance.observedAt != nil { insert(.observedAt) }
    if instance.unitCode != nil { insert(.unitCode) }
    if instance.valueType != nil { insert(.valueType) }
    if !instance.objectType.isEmpty { insert(.objectType) }
    if instance.expiresAt != nil { insert(.expiresAt) }
    if instance.createdAt != nil { insert(.createdAt) }
    if instance.modifiedAt != nil {
      insert(instance.modifiedAt == instance.createdAt ? .unmodified : .modifiedAt)
    }
    if instance.deletedAt != nil { insert(.deletedAt) }
    if instance.instanceId != nil { insert(.instanceId) }
    if instance.language != nil { insert(.language) }
    if instance.previousValue != nil { insert(.previousValue) }
    if !instance.subAttributes.isEmpty { insert(.subAttributes) }
  }
}

// MARK: - Reading

extension ByteReader {
  /// - Parameter iri: gives the name of a number.
  mutating func entity(iri: (Int64) throws(StoreError) -> String) throws(StoreError) -> Entity {
    var entity = try head(iri: iri)
    entity.attributes = try sets(iri: iri)
    return entity
  }

  /// The entity with no other attributes than these.
  mutating func entity(
    with numbers: [Int64], iri: (Int64) throws(StoreError) -> String
  ) throws(StoreError) -> Entity {
    var entity = try head(iri: iri)
    guard !numbers.isEmpty else { return entity }
    try descend()
    var left = numbers.count
    for _ in 0..<(try count()) {
      let number = Int64(truncatingIfNeeded: try unsigned())
      guard numbers.contains(number) else {
        try skipInstances()
        continue
      }
      entity.attributes.append(AttributeSet(name: try iri(number), instances: try instances(iri: iri)))
      left -= 1
      if left == 0 { break }
    }
    ascend()
    return entity
  }

  /// The entity up to its attributes.
  mutating func head(iri: (Int64) throws(StoreError) -> String) throws(StoreError) -> Entity {
    guard try byte() == 1 else { throw ByteReader.damaged }
    var entity = Entity(id: try text(), types: try names(iri: iri))
    let scopes = try count()
    for _ in 0..<scopes { entity.scopes.append(try text()) }
    let times = try byte()
    if times & 1 != 0 { entity.createdAt = try time() }
    if times & 2 != 0 { entity.modifiedAt = try time() }
    if times & 4 != 0 { entity.deletedAt = try time() }
    if times & 8 != 0 { entity.expiresAt = try time() }
    return entity
  }

  mutating func sets(iri: (Int64) throws(StoreError) -> String) throws(StoreError) -> [AttributeSet] {
    try descend()
    let count = try count()
    var sets: [AttributeSet] = []
    sets.reserveCapacity(count)
    for _ in 0..<count {
      let name = try iri(Int64(truncatingIfNeeded: try unsigned()))
      sets.append(AttributeSet(name: name, instances: try instances(iri: iri)))
    }
    ascend()
    return sets
  }

  mutating func instances(iri: (Int64) throws(StoreError) -> String) throws(StoreError) -> [Attribute] {
    let count = try count()
    if count == 1 { return [try instance(iri: iri)] }
    var instances: [Attribute] = []
    instances.reserveCapacity(count)
    for _ in 0..<count { instances.append(try instance(iri: iri)) }
    return instances
  }

  mutating func instance(iri: (Int64) throws(StoreError) -> String) throws(StoreError) -> Attribute {
    let (kind, flags) = try instanceHead()
    let value = try json()
    var instance = try members(of: kind, flags, iri: iri)
    instance.value = value
    if flags.contains(.subAttributes) { instance.subAttributes = try sets(iri: iri) }
    return instance
  }

  /// An instance up to its value.
  @inline(__always)
  mutating func instanceHead() throws(StoreError) -> (AttributeKind, MemberFlags) {
    guard let kind = AttributeKind(number: try byte()) else { throw ByteReader.damaged }
    return (kind, MemberFlags(rawValue: UInt16(truncatingIfNeeded: try unsigned())))
  }

  /// What stands between the value of an instance and its sub-attributes.
  @inline(__always)
  mutating func members(
    of kind: AttributeKind, _ flags: MemberFlags, iri: (Int64) throws(StoreError) -> String
  ) throws(StoreError) -> Attribute {
    var instance = Attribute.blank
    instance.kind = kind
    if flags.contains(.datasetId) { instance.datasetId = try text() }
    if flags.contains(.observedAt) { instance.observedAt = try time() }
    if flags.contains(.unitCode) { instance.unitCode = try text() }
    if flags.contains(.valueType) { instance.valueType = try iri(Int64(truncatingIfNeeded: try unsigned())) }
    if flags.contains(.objectType) { instance.objectType = try names(iri: iri) }
    if flags.contains(.expiresAt) { instance.expiresAt = try time() }
    if flags.contains(.createdAt) { instance.createdAt = try time() }
    if flags.contains(.modifiedAt) { instance.modifiedAt = try time() }
    if flags.contains(.unmodified) { instance.modifiedAt = instance.createdAt }
    if flags.contains(.deletedAt) { instance.deletedAt = try time() }
    if flags.contains(.instanceId) { instance.instanceId = try text() }
    if flags.contains(.language) { instance.language = try text() }
    if flags.contains(.previousValue) { instance.previousValue = try json() }
    return instance
  }

  mutating func names(iri: (Int64) throws(StoreError) -> String) throws(StoreError) -> [String] {
    let count = try count()
    var names: [String] = []
    names.reserveCapacity(count)
    for _ in 0..<count { names.append(try iri(Int64(truncatingIfNeeded: try unsigned()))) }
    return names
  }
}

// MARK: - Skipping

extension ByteReader {
  /// Goes behind the instances of an attribute whose name has been read.
  mutating func skipInstances() throws(StoreError) {
    for _ in 0..<(try count()) {
      let (_, flags) = try instanceHead()
      try skipJSON()
      if flags.contains(.datasetId) { _ = try slice() }
      if flags.contains(.observedAt) { _ = try fixed() }
      if flags.contains(.unitCode) { _ = try slice() }
      if flags.contains(.valueType) { _ = try unsigned() }
      if flags.contains(.objectType) { for _ in 0..<(try count()) { _ = try unsigned() } }
      if flags.contains(.expiresAt) { _ = try fixed() }
      if flags.contains(.createdAt) { _ = try fixed() }
      if flags.contains(.modifiedAt) { _ = try fixed() }
      if flags.contains(.deletedAt) { _ = try fixed() }
      if flags.contains(.instanceId) { _ = try slice() }
      if flags.contains(.language) { _ = try slice() }
      if flags.contains(.previousValue) { try skipJSON() }
      if flags.contains(.subAttributes) {
        try descend()
        for _ in 0..<(try count()) {
          _ = try unsigned()
          try skipInstances()
        }
        ascend()
      }
    }
  }

  private mutating func skipJSON() throws(StoreError) {
    switch try byte() {
    case 0, 1, 2: break
    case 3: _ = try unsigned()
    case 4: _ = try fixed()
    case 5, 6: _ = try slice()
    case 7:
      try descend()
      for _ in 0..<(try count()) { try skipJSON() }
      ascend()
    case 8:
      try descend()
      for _ in 0..<(try count()) {
        _ = try slice()
        try skipJSON()
      }
      ascend()
    default: throw ByteReader.damaged
    }
  }
}

extension Attribute {
  /// To be filled: copying it is cheaper than an initializer of another module.
  static let blank = Attribute(kind: .property, value: .null)
}
