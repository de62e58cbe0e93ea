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
    // Written by hand: a long evolution needs tens of thousands of them.
    String(unsafeUninitializedCapacity: 56) { buffer in
      var end = 0
      for byte in Self.prefix.utf8 {
        buffer[end] = byte
        end += 1
      }
      func put(_ value: UInt64) {
        var shift = max(0, (63 - value.leadingZeroBitCount) / 4 * 4)
        while shift >= 0 {
          let digit = UInt8(truncatingIfNeeded: value >> UInt64(shift) & 15)
          buffer[end] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") - 10 + digit
          end += 1
          shift -= 4
        }
      }
      put(UInt64(bitPattern: number))
      buffer[end] = UInt8(ascii: "-")
      end += 1
      put(UInt64(bitPattern: time))
      return end
    }
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
  static let observed = InstanceFlags(rawValue: 1 << 4)
  /// There is a `modifiedAt` that equals `createdAt`.
  static let unmodified = InstanceFlags(rawValue: 1 << 5)
  // Which columns are filled: asking SQLite for each column's type would double the cost of reading a row.
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
  /// Whether the columns of a row hold all of it: a number or text with times, unit and dataset.
  var isPlain: Bool {
    switch value {
    case .integer, .string: break
    case .double(let number): guard number.isFinite else { return false }
    default: return false
    }
    return instanceId == nil && subAttributes.isEmpty && deletedAt == nil && valueType == nil && objectType.isEmpty
      && expiresAt == nil && language == nil && previousValue == nil
  }

  /// The time that its row is ordered by.
  func keyTime(otherwise now: DateTime) -> Int64 {
    (observedAt ?? deletedAt ?? modifiedAt ?? createdAt ?? now).microseconds
  }
}

extension ReadSession {
  /// The instance in the row of ``SQL/instancesForward``, with its `instanceId`.
  func instance(_ row: Statement, withId: Bool) throws(StoreError) -> Attribute {
    let key = InstanceKey(time: row.integer(0), number: withId ? row.integer(1) : 0)
    let flags = InstanceFlags(rawValue: row.integer(2))
    if flags.contains(.body) {
      var instance = try row.withBytes(8) { bytes throws(StoreError) in
        var reader = ByteReader(bytes)
        return try reader.instance { number throws(StoreError) in try self.iri(number) }
      }
      if withId, instance.instanceId == nil { instance.instanceId = key.instanceId }
      return instance
    }
    guard let kind = AttributeKind(number: UInt8(truncatingIfNeeded: flags.rawValue & InstanceFlags.kindMask)) else {
      throw ByteReader.damaged
    }
    var instance = Attribute.blank
    instance.kind = kind
    if flags.contains(.double) {
      instance.value = .double(row.double(5))
    } else if flags.contains(.integer) {
      instance.value = .integer(row.integer(5))
    } else {
      instance.value = .string(row.text(5))
    }
    if flags.contains(.observed) { instance.observedAt = DateTime(microseconds: key.time) }
    if flags.contains(.created) { instance.createdAt = DateTime(microseconds: row.integer(3)) }
    if flags.contains(.unmodified) {
      instance.modifiedAt = instance.createdAt
    } else if flags.contains(.modified) {
      instance.modifiedAt = DateTime(microseconds: row.integer(4))
    }
    if flags.contains(.unit) { instance.unitCode = try iri(row.integer(6)) }
    if flags.contains(.dataset) { instance.datasetId = try iri(row.integer(7)) }
    if withId { instance.instanceId = key.instanceId }
    return instance
  }
}

extension Attribute {
  /// To be filled: copying it is cheaper than an initializer of another module.
  static let blank = Attribute(kind: .property, value: .null)
}
