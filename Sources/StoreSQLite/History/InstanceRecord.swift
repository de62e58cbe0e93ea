import NGSI
import Store

/// An instance of a history as it is stored: names are numbers, times microseconds.
struct InstanceRecord: Equatable {
  /// What the kind's value member holds.
  enum Content: Equatable {
    case integer(Int64)
    case double(Double)
    case text(String)
    /// The whole instance in the form of ``ByteWriter/instance(_:number:)``.
    case body([UInt8])

    /// Doubles by their bits: -0 is not 0.
    static func == (left: Content, right: Content) -> Bool {
      switch (left, right) {
      case (.integer(let a), .integer(let b)): a == b
      case (.double(let a), .double(let b)): a.bitPattern == b.bitPattern
      case (.text(let a), .text(let b)): a.hasSameBytes(as: b)
      case (.body(let a), .body(let b)): a == b
      default: false
      }
    }
  }

  var key: InstanceKey
  var flags: InstanceFlags
  var content: Content
  /// 0 where the flags say that there is none.
  var created: Int64 = 0
  var modified: Int64 = 0
  /// Numbers of names.
  var unit: Int64 = 0
  var dataset: Int64 = 0
}

/// What an ``InstanceRecord`` has.
struct InstanceFlags: OptionSet {
  let rawValue: Int64

  /// Low four bits: the kind's number.
  static let kindMask: Int64 = 15
  /// The key's time is `observedAt`.
  static let observed = InstanceFlags(rawValue: 1 << 4)
  /// There is a `modifiedAt` that equals `createdAt`.
  static let unmodified = InstanceFlags(rawValue: 1 << 5)
  static let created = InstanceFlags(rawValue: 1 << 6)
  static let modified = InstanceFlags(rawValue: 1 << 7)
  static let unit = InstanceFlags(rawValue: 1 << 8)
  static let dataset = InstanceFlags(rawValue: 1 << 9)
  static let integer = InstanceFlags(rawValue: 1 << 10)
  static let double = InstanceFlags(rawValue: 1 << 11)
  static let text = InstanceFlags(rawValue: 1 << 12)
  static let body = InstanceFlags(rawValue: 1 << 13)
}

extension Attribute {
  /// Whether a record holds all of it without a body: a number or text with times, unit and dataset.
  fileprivate var isPlain: Bool {
    switch value {
    case .integer, .string: break
    case .double(let number): guard number.isFinite else { return false }
    default: return false
    }
    return instanceId == nil && subAttributes.isEmpty && deletedAt == nil && valueType == nil && objectType.isEmpty
      && expiresAt == nil && language == nil && previousValue == nil
  }

  /// The time that its record is ordered by.
  func keyTime(otherwise now: DateTime) -> Int64 {
    (observedAt ?? deletedAt ?? modifiedAt ?? createdAt ?? now).microseconds
  }
}

extension WriteSession {
  func record(_ instance: Attribute, key: InstanceKey, tenant: Int64) throws -> InstanceRecord {
    var flags = InstanceFlags(rawValue: Int64(instance.kind.number))
    if instance.observedAt != nil { flags.insert(.observed) }
    guard instance.isPlain else {
      flags.insert(.body)
      buffer.bytes.removeAll(keepingCapacity: true)
      try buffer.instance(instance) { try makeNumber(of: $0, in: tenant) }
      return InstanceRecord(key: key, flags: flags, content: .body(buffer.bytes))
    }
    var record = InstanceRecord(key: key, flags: flags, content: .integer(0))
    if let createdAt = instance.createdAt {
      flags.insert(.created)
      record.created = createdAt.microseconds
    }
    if let modifiedAt = instance.modifiedAt {
      if modifiedAt == instance.createdAt {
        flags.insert(.unmodified)
      } else {
        flags.insert(.modified)
        record.modified = modifiedAt.microseconds
      }
    }
    switch instance.value {
    case .integer(let value):
      flags.insert(.integer)
      record.content = .integer(value)
    case .double(let value):
      flags.insert(.double)
      record.content = .double(value)
    case .string(let value):
      flags.insert(.text)
      record.content = .text(value)
    default: throw ByteReader.damaged
    }
    if let unitCode = instance.unitCode {
      flags.insert(.unit)
      record.unit = try makeNumber(of: unitCode, in: tenant)
    }
    if let datasetId = instance.datasetId {
      flags.insert(.dataset)
      record.dataset = try makeNumber(of: datasetId, in: tenant)
    }
    record.flags = flags
    return record
  }
}

extension ReadSession {
  /// The instance of a record.
  /// - Parameter withId: gives it its `instanceId`.
  func instance(_ record: InstanceRecord, withId: Bool) throws(StoreError) -> Attribute {
    let flags = record.flags
    var instance = Attribute.blank
    switch record.content {
    case .body(let bytes):
      instance = try decodeInstance(bytes)
      if withId, instance.instanceId == nil { instance.instanceId = record.key.instanceId }
      return instance
    case .double(let value): instance.value = .double(value)
    case .integer(let value): instance.value = .integer(value)
    case .text(let value): instance.value = .string(value)
    }
    guard let kind = AttributeKind(number: UInt8(truncatingIfNeeded: flags.rawValue & InstanceFlags.kindMask)) else {
      throw ByteReader.damaged
    }
    instance.kind = kind
    if flags.contains(.observed) { instance.observedAt = DateTime(microseconds: record.key.time) }
    if flags.contains(.created) { instance.createdAt = DateTime(microseconds: record.created) }
    if flags.contains(.unmodified) {
      instance.modifiedAt = instance.createdAt
    } else if flags.contains(.modified) {
      instance.modifiedAt = DateTime(microseconds: record.modified)
    }
    if flags.contains(.unit) { instance.unitCode = try iri(record.unit) }
    if flags.contains(.dataset) { instance.datasetId = try iri(record.dataset) }
    if withId { instance.instanceId = record.key.instanceId }
    return instance
  }

  private func decodeInstance(_ bytes: [UInt8]) throws(StoreError) -> Attribute {
    let result: Result<Attribute, StoreError> = bytes.withUnsafeBytes { bytes in
      Result { () throws(StoreError) in
        var reader = ByteReader(bytes)
        return try reader.instance { number throws(StoreError) in try self.iri(number) }
      }
    }
    return try result.get()
  }
}
