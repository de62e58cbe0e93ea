import NGSI
import Store

// Records in a row, each told by how it differs from the one before: a series that comes in even steps takes two or
// three bytes an instance and what its value needs. There is no count: the bytes end where the records do.

/// What the next record is told against. The first is told against nothing.
struct RecordState {
  fileprivate var time: Int64 = 0
  fileprivate var step: Int64 = 0
  fileprivate var number: Int64 = 0
  fileprivate var flags: Int64 = 0
  fileprivate var created: Int64 = 0
  fileprivate var unit: Int64 = 0
  fileprivate var dataset: Int64 = 0
  fileprivate(set) var content = InstanceRecord.Content.integer(0)

  init() {}

  /// Of the record that was read last.
  var lastKey: InstanceKey { InstanceKey(time: time, number: number) }
  var lastFlags: InstanceFlags { InstanceFlags(rawValue: flags) }

  fileprivate mutating func advance(to record: InstanceRecord) {
    step = record.key.time &- time
    time = record.key.time
    number = record.key.number
    flags = record.flags.rawValue
    if record.flags.contains(.created) { created = record.created }
    if record.flags.contains(.unit) { unit = record.unit }
    if record.flags.contains(.dataset) { dataset = record.dataset }
    content = record.content
  }
}

/// The first byte of a record: what follows because it is not as expected.
private struct Differences: OptionSet {
  let rawValue: UInt8

  static let flags = Differences(rawValue: 1)
  /// The time is not one step further.
  static let step = Differences(rawValue: 2)
  /// The number is not the next.
  static let number = Differences(rawValue: 4)
  static let created = Differences(rawValue: 8)
  static let unit = Differences(rawValue: 16)
  static let dataset = Differences(rawValue: 32)
  static let content = Differences(rawValue: 64)
  /// The content is a double, told as a whole number and the power of ten that divides it.
  static let decimal = Differences(rawValue: 128)
}

extension ByteWriter {
  mutating func record(_ record: InstanceRecord, after state: inout RecordState) {
    let start = bytes.count
    byte(0)
    var differences: Differences = []
    let flags = record.flags
    if flags.rawValue != state.flags {
      differences.insert(.flags)
      unsigned(UInt64(bitPattern: flags.rawValue))
    }
    let step = record.key.time &- state.time
    if step != state.step {
      differences.insert(.step)
      signed(step)
    }
    if record.key.number != state.number &+ 1 {
      differences.insert(.number)
      signed(record.key.number &- state.number)
    }
    if flags.contains(.created), record.created != state.created {
      differences.insert(.created)
      signed(record.created &- state.created)
    }
    if flags.contains(.modified) { signed(record.modified &- record.created) }
    if flags.contains(.unit), record.unit != state.unit {
      differences.insert(.unit)
      signed(record.unit)
    }
    if flags.contains(.dataset), record.dataset != state.dataset {
      differences.insert(.dataset)
      signed(record.dataset)
    }
    if record.content != state.content {
      differences.insert(.content)
      switch record.content {
      case .integer(let value): signed(value)
      case .double(let value):
        if let (digits, power) = Decimal.parts(of: value) {
          differences.insert(.decimal)
          byte(power)
          signed(digits)
        } else {
          fixed(value.bitPattern)
        }
      case .text(let value): text(value)
      case .body(let body):
        unsigned(UInt64(body.count))
        bytes.append(contentsOf: body)
      }
    }
    bytes[start] = differences.rawValue
    state.advance(to: record)
  }
}

extension ByteReader {
  mutating func record(after state: inout RecordState) throws(StoreError) -> InstanceRecord {
    let modified = try advance(&state)
    let flags = state.lastFlags
    var record = InstanceRecord(key: state.lastKey, flags: flags, content: state.content)
    if flags.contains(.created) { record.created = state.created }
    if flags.contains(.modified) { record.modified = record.created &+ modified }
    if flags.contains(.unit) { record.unit = state.unit }
    if flags.contains(.dataset) { record.dataset = state.dataset }
    return record
  }

  /// Reads a record into the state alone: for who needs its key, flags and content, half of the work.
  ///
  /// - Returns: how long after its creation it was changed, where the flags say that it was.
  @discardableResult
  mutating func advance(_ state: inout RecordState) throws(StoreError) -> Int64 {
    let differences = Differences(rawValue: try byte())
    if differences.contains(.flags) { state.flags = Int64(bitPattern: try unsigned()) }
    let flags = state.lastFlags
    if differences.contains(.step) { state.step = try signed() }
    state.time &+= state.step
    state.number &+= differences.contains(.number) ? try signed() : 1
    if flags.contains(.created), differences.contains(.created) { state.created &+= try signed() }
    let modified = flags.contains(.modified) ? try signed() : 0
    if flags.contains(.unit), differences.contains(.unit) { state.unit = try signed() }
    if flags.contains(.dataset), differences.contains(.dataset) { state.dataset = try signed() }
    guard differences.contains(.content) else { return modified }
    if flags.contains(.double) {
      state.content = .double(
        differences.contains(.decimal)
          ? try Decimal.value(power: byte(), digits: signed()) : Double(bitPattern: try fixed()))
    } else if flags.contains(.integer) {
      state.content = .integer(try signed())
    } else if flags.contains(.text) {
      state.content = .text(try text())
    } else {
      state.content = .body(try block())
    }
    return modified
  }
}

/// Doubles that are short decimal fractions, as measured values most often are.
private enum Decimal {
  private static let powers: [Double] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000]
  /// Larger ones would not be shorter than the double itself.
  private static let mostDigits = 4_398_046_511_104.0

  /// `nil` when no such fraction has exactly the bits of the value.
  static func parts(of value: Double) -> (digits: Int64, power: UInt8)? {
    for power in powers.indices {
      let scaled = (value * powers[power]).rounded()
      guard abs(scaled) < mostDigits else { return nil }
      if (scaled / powers[power]).bitPattern == value.bitPattern, !(scaled == 0 && value.sign == .minus) {
        return (Int64(scaled), UInt8(power))
      }
    }
    return nil
  }

  static func value(power: UInt8, digits: Int64) throws(StoreError) -> Double {
    guard power < powers.count else { throw ByteReader.damaged }
    return Double(digits) / powers[Int(power)]
  }
}
