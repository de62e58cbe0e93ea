import NGSI
import Store

/// Where an instance stands in its series.
struct InstanceKey: Hashable, Comparable {
  /// ``DateTime/microseconds`` of `observedAt`, or else of the latest time the instance has.
  var time: Int64
  /// Unique in the store.
  var number: Int64

  static func < (left: InstanceKey, right: InstanceKey) -> Bool {
    (left.time, left.number) < (right.time, right.number)
  }

  private static let prefix = "urn:ngsi-ld:instance:"

  /// The `instanceId` of an instance that was stored without one: `urn:ngsi-ld:instance:<number>-<time>`, both in
  /// hexadecimal. It costs no space, and leads straight to the row.
  var instanceId: String {
    let time = String(UInt64(bitPattern: self.time), radix: 16)
    let number = String(UInt64(bitPattern: self.number), radix: 16)
    return "\(Self.prefix)\(number)-\(time)"
  }

  init(time: Int64, number: Int64) {
    self.time = time
    self.number = number
  }

  init?(instanceId: String) {
    guard instanceId.hasPrefix(Self.prefix) else { return nil }
    let parts = instanceId.dropFirst(Self.prefix.count).split(separator: "-")
    guard parts.count == 2, let number = UInt64(parts[0], radix: 16), let time = UInt64(parts[1], radix: 16) else {
      return nil
    }
    self.init(time: Int64(bitPattern: time), number: Int64(bitPattern: number))
    guard self.instanceId == instanceId else { return nil }
  }
}

/// The `flags` column of an instance row.
struct InstanceFlags: OptionSet {
  let rawValue: Int64

  /// Low four bits: the kind's number.
  static let kindMask: Int64 = 15
  /// The key's time is `observedAt`.
  static let observed = InstanceFlags(rawValue: 16)
  /// There is a `createdAt` but no `modifiedAt`.
  static let withoutModified = InstanceFlags(rawValue: 32)
}

extension Attribute {
  /// Whether the columns of a row hold all of it: a number or text with times, unit and dataset.
  var isPlain: Bool {
    switch value {
    case .integer, .string: break
    case .double(let number): guard number.isFinite else { return false }
    default: return false
    }
    return instanceId == nil && subAttributes.isEmpty && deletedAt == nil && valueType == nil && objectType.isEmpty
      && expiresAt == nil && language == nil && previousValue == nil && (createdAt != nil || modifiedAt == nil)
  }

  /// The time that its row is ordered by.
  func keyTime(otherwise now: DateTime) -> Int64 {
    (observedAt ?? deletedAt ?? modifiedAt ?? createdAt ?? now).microseconds
  }
}

extension ReadSession {
  /// The instance in the row of ``SQL/instancesForward``, with its `instanceId`.
  func instance(_ row: Statement, withId: Bool) throws(StoreError) -> Attribute {
    let key = InstanceKey(time: row.integer(0), number: row.integer(1))
    guard row.isNull(8) else {
      var instance = try row.withBytes(8) { bytes throws(StoreError) in
        var reader = ByteReader(bytes)
        return try reader.instance { number throws(StoreError) in try self.iri(number) }
      }
      if instance.instanceId == nil, withId { instance.instanceId = key.instanceId }
      return instance
    }
    let flags = InstanceFlags(rawValue: row.integer(2))
    guard let kind = AttributeKind(number: UInt8(truncatingIfNeeded: flags.rawValue & InstanceFlags.kindMask)) else {
      throw ByteReader.damaged
    }
    var instance = Attribute(kind: kind, value: row.json(5))
    if flags.contains(.observed) { instance.observedAt = DateTime(microseconds: key.time) }
    if let created = row.optionalInteger(3) {
      instance.createdAt = DateTime(microseconds: created)
      if let modified = row.optionalInteger(4) {
        instance.modifiedAt = DateTime(microseconds: modified)
      } else if !flags.contains(.withoutModified) {
        instance.modifiedAt = instance.createdAt
      }
    }
    if let unit = row.optionalInteger(6) { instance.unitCode = try iri(unit) }
    if let dataset = row.optionalInteger(7) { instance.datasetId = try iri(dataset) }
    if withId { instance.instanceId = key.instanceId }
    return instance
  }
}
