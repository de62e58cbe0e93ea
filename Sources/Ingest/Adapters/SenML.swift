import City
import NGSI

/// A resolved SenML record (RFC 8428 section 4.6): absolute time, no base fields.
public struct SenMLRecord: Sendable, Hashable {
  public enum Value: Sendable, Hashable {
    case number(JSON)
    case text(String)
    case flag(Bool)
    /// Base64 with the URL-safe alphabet, as it came.
    case data(String)
  }

  public var name: String
  public var unit: String?
  public var value: Value?
  public var sum: JSON?
  public var time: DateTime
}

/// SenML packs (RFC 8428, JSON).
public enum SenML {
  /// Times below this many seconds are relative to now (section 4.5.3).
  static let relativeBelow = 268_435_456.0
  /// Version of the standard that is read.
  static let version = 10.0

  private struct Base {
    var name = ""
    var time = 0.0
    var unit: String?
    var value: Double?
    var sum: Double?
    var version: Double?
  }

  /// Resolves a pack. Records that cannot be read are given apart, each with why; the others stand.
  ///
  /// - Throws: `BadRequestData` when it is no pack, or one of a later version, of which nothing may be read.
  public static func resolve(_ pack: JSON, at now: DateTime) throws(Problem) -> (
    records: [SenMLRecord], refused: [(record: JSON, why: String)]
  ) {
    guard let items = pack.array else { throw .badRequest("a SenML pack is an array of records") }
    guard items.count <= Adapter.mostParts else {
      throw Problem(.payloadTooLarge, "a SenML pack may have at most \(Adapter.mostParts) records")
    }
    var base = Base()
    var records: [SenMLRecord] = []
    var refused: [(record: JSON, why: String)] = []
    for item in items {
      guard let object = item.object else {
        refused.append((item, "a SenML record is an object"))
        continue
      }
      if let why = take(object, into: &base) {
        refused.append((item, why))
        continue
      }
      if let version = base.version, version > Self.version {
        throw .badRequest("SenML version \(version.shortText) is not known here; \(Int(Self.version)) is")
      }
      switch record(object, base, now) {
      case .record(let record)?: records.append(record)
      case .refused(let why)?: refused.append((item, why))
      case nil: continue
      }
    }
    return (records, refused)
  }

  /// Reads the base fields of a record, which hold for it and all after it; says what is wrong with them.
  private static func take(_ object: JSONObject, into base: inout Base) -> String? {
    var changed = base
    for member in object {
      switch (member.key, member.value) {
      case ("bn", .string(let name)): changed.name = name
      case ("bu", .string(let unit)): changed.unit = unit
      case ("bt", let value) where value.number != nil: changed.time = value.number ?? 0
      case ("bv", let value) where value.number != nil: changed.value = value.number
      case ("bs", let value) where value.number != nil: changed.sum = value.number
      case ("bver", let value) where value.number != nil:
        if let earlier = base.version, earlier != value.number { return "'bver' changes inside the pack" }
        changed.version = value.number
      case ("bn", _), ("bu", _), ("bt", _), ("bv", _), ("bs", _), ("bver", _):
        return "'\(member.key)' is of the wrong type"
      case (let name, _) where name.hasSuffix("_"):
        return "the field '\(name.prefix(40))' has to be understood, and is not known here"
      default: continue
      }
    }
    base = changed
    return nil
  }

  private enum Outcome {
    case record(SenMLRecord)
    case refused(String)
  }

  /// `nil` for a record of base fields alone.
  private static func record(_ object: JSONObject, _ base: Base, _ now: DateTime) -> Outcome? {
    let values = ["v", "vs", "vb", "vd"].filter { object.contains($0) }
    if values.isEmpty, !object.contains("s"), !object.contains("n") { return nil }
    guard object["n"] == nil || object["n"]?.string != nil else { return .refused("'n' is to be a text") }
    let name = base.name + (object["n"]?.string ?? "")
    guard isName(name) else { return .refused("'\(name.prefix(80))' is no SenML name") }
    guard values.count <= 1 else { return .refused("a record has one value, found \(values.joined(separator: ", "))") }
    guard object["u"] == nil || object["u"]?.string != nil else { return .refused("'u' is to be a text") }
    guard object["t"] == nil || object["t"]?.number != nil else { return .refused("'t' is to be a number") }
    var value: SenMLRecord.Value?
    switch values.first.map({ ($0, object[$0] ?? .null) }) {
    case ("v", let number)? where number.number != nil: value = .number(sum(number, base.value))
    case ("vs", .string(let text))?: value = .text(text)
    case ("vb", .bool(let flag))?: value = .flag(flag)
    case ("vd", .string(let data))?: value = .data(data)
    // A record that names a time or a name of its own has the base value where it has no other.
    case nil where base.value != nil && !object.contains("s"): value = base.value.map { .number(sum(.integer(0), $0)) }
    case nil: value = nil
    case (let name, _)?: return .refused("'\(name)' is of the wrong type")
    }
    guard object["s"] == nil || object["s"]?.number != nil else { return .refused("'s' is to be a number") }
    let total = object["s"].map { sum($0, base.sum) }
    guard value != nil || total != nil else { return .refused("a record has a value or a sum") }
    let seconds = base.time + (object["t"]?.number ?? 0)
    guard seconds.isFinite, abs(seconds) < 253_402_300_800 else { return .refused("the time is out of range") }
    let time =
      seconds < relativeBelow ? now.adding(seconds: seconds) : DateTime(secondsSince1970: seconds)
    return .record(
      SenMLRecord(name: name, unit: object["u"]?.string ?? base.unit, value: value, sum: total, time: time))
  }

  /// The number itself where there is nothing to add, with all its digits.
  private static func sum(_ number: JSON, _ base: Double?) -> JSON {
    guard let base, base != 0 else { return number }
    let total = base + (number.number ?? 0)
    return total.rounded() == total && abs(total) < 9e15 ? .integer(Int64(total)) : .double(total)
  }

  /// Section 4.5.1: letters, digits and `- : . / _`, beginning with a letter or digit.
  private static func isName(_ name: String) -> Bool {
    guard (1...500).contains(name.utf8.count), let first = name.utf8.first, isWord(first) else { return false }
    let marks = Set("-:./_".utf8)
    return name.utf8.allSatisfy { isWord($0) || marks.contains($0) }
  }

  private static func isWord(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10 }

  /// UN/CEFACT Recommendation 20 codes of units in the SenML registry (RFC 8428 section 12.1).
  static let unitCodes = [
    "m": "MTR", "kg": "KGM", "g": "GRM", "s": "SEC", "A": "AMP", "K": "KEL", "cd": "CDL", "mol": "C34", "Hz": "HTZ",
    "rad": "C81", "N": "NEW", "Pa": "PAL", "J": "JOU", "W": "WTT", "C": "COU", "V": "VLT", "F": "FAR", "Ohm": "OHM",
    "S": "SIE", "Wb": "WEB", "T": "D33", "H": "81", "Cel": "CEL", "lm": "LUM", "lx": "LUX", "Bq": "BQL", "Gy": "A95",
    "Sv": "D13", "m2": "MTK", "m3": "MTQ", "l": "LTR", "m/s": "MTS", "m/s2": "MSK", "m3/s": "MQS", "l/s": "G51",
    "W/m2": "D54", "cd/m2": "A24", "bit": "A99", "dB": "2N", "%": "P1", "%RH": "P1", "%EL": "P1", "VA": "D46",
    "VAs": "VAS", "var": "D44", "kg/m3": "KMQ", "deg": "DD", "lat": "DD", "lon": "DD", "pH": "Q30", "count": "C62",
    "/": "C62", "min": "MIN", "h": "HUR", "MHz": "MHZ", "kW": "KWT", "kVA": "KVA", "kWh": "KWH", "mm": "MMT",
    "km/h": "KMH", "ppm": "59", "km": "KMT", "Wh": "WHR", "Ah": "AMH",
  ]
}

extension Double {
  fileprivate var shortText: String { rounded() == self && abs(self) < 1e15 ? String(Int(self)) : String(self) }
}

/// SenML as entities: `DEVICE:ATTRIBUTE` or `DEVICE/ATTRIBUTE`, the last mark tells them apart.
struct SenMLReader {
  let plan: Manifest.Adapter

  func read(_ message: JSON, at now: DateTime) throws(Problem) -> AdaptedInput {
    let (records, refused) = try SenML.resolve(message, at: now)
    var input = AdaptedInput()
    for entry in refused { input.refuse(entry.record, entry.why) }
    var order: [Reading] = []
    var attributes: [Reading: JSONObject] = [:]
    for record in records {
      guard let (device, name) = names(of: record.name) else {
        input.refuse(
          .string(record.name), "the SenML name '\(record.name.prefix(80))' has no attribute that the adapter knows")
        continue
      }
      let reading = Reading(id: plan.entityId(of: device), time: record.time)
      if attributes[reading] == nil { order.append(reading) }
      for (attribute, value) in values(of: record, named: name) {
        attributes[reading, default: JSONObject()][attribute] = value
      }
    }
    // The latest state is the one of the latest time, in whatever order a pack tells it.
    for reading in order.enumerated().sorted(by: { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }) {
      var entity: JSONObject = JSONObject()
      entity["id"] = .string(reading.element.id)
      entity["type"] = .string(plan.type ?? "Device")
      for member in attributes[reading.element] ?? JSONObject() { entity[member.key] = member.value }
      input.entities.append(.object(entity))
    }
    return input
  }

  private struct Reading: Hashable {
    var id: String
    var time: DateTime
  }

  /// The device and the attribute; `nil` where the plan names its attributes and this is none of them.
  private func names(of name: String) -> (device: String, attribute: String)? {
    let mark = name.lastIndex { $0 == ":" || $0 == "/" }
    var device = name
    var last = plan.only ?? "measurement"
    if plan.only == nil, let mark, mark != name.startIndex, name.index(after: mark) < name.endIndex {
      device = String(name[..<mark])
      last = String(name[name.index(after: mark)...])
    }
    if let named = plan.attributes { return named[last].map { (device, $0.name ?? last) } }
    return Adapter.attributeName(last).map { (device, $0) }
  }

  private func values(of record: SenMLRecord, named name: String) -> [(String, JSON)] {
    let unitCode =
      plan.attributes?.values.first { $0.name == name }?.unitCode ?? record.unit.flatMap { SenML.unitCodes[$0] }
    func property(_ value: JSON) -> JSON {
      var property = JSONObject()
      property["type"] = "Property"
      property["value"] = value
      property["observedAt"] = .string(record.time.description)
      property["unitCode"] = unitCode.map(JSON.string)
      if unitCode == nil, let unit = record.unit {
        property["senmlUnit"] = ["type": "Property", "value": .string(unit)]
      }
      return .object(property)
    }
    var values: [(String, JSON)] = []
    switch record.value {
    case .number(let number)?: values.append((name, property(number)))
    case .text(let text)?, .data(let text)?: values.append((name, property(.string(text))))
    case .flag(let flag)?: values.append((name, property(.bool(flag))))
    case nil: break
    }
    if let sum = record.sum { values.append((name + "Sum", property(sum))) }
    return values
  }
}
