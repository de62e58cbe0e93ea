/// Decimal numbers with up to four digits after the point.
enum DecimalText {
  static let scale: Int64 = 10_000

  static func value(_ text: String) -> Int64? {
    var bytes = Array(text.utf8)[...]
    let isNegative = bytes.first == 0x2D
    if isNegative { bytes.removeFirst() }
    guard let point = bytes.firstIndex(of: 0x2E) else { return nil }
    let (whole, fraction) = (bytes[..<point], bytes[(point + 1)...])
    guard !whole.isEmpty, (1...4).contains(fraction.count),
      (whole + fraction).allSatisfy({ (0x30...0x39).contains($0) })
    else { return nil }
    var value: Int64 = 0
    for digit in whole + fraction + Array(repeating: 0x30, count: 4 - fraction.count) {
      let (times, overflowed) = value.multipliedReportingOverflow(by: 10)
      // Counted below zero, as the least number has no counterpart above.
      let (sum, over) = times.subtractingReportingOverflow(Int64(digit - 0x30))
      guard !overflowed, !over else { return nil }
      value = sum
    }
    if isNegative { return value }
    return value == .min ? nil : -value
  }
}

/// An address, or a range of them, of the internet protocol.
public struct AddressRange: Sendable, Hashable {
  /// The lower 32 bits of it for version 4.
  public let address: UInt128
  public let isVersion6: Bool
  /// Leading bits that a range has in common.
  public let prefix: Int

  private var width: Int { isVersion6 ? 128 : 32 }

  public init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard text.utf8.count <= 43, (1...2).contains(parts.count) else { return nil }
    if let address = Self.version4(parts[0]) {
      self.address = UInt128(address)
      isVersion6 = false
    } else if let address = Self.version6(parts[0]) {
      self.address = address
      isVersion6 = true
    } else {
      return nil
    }
    let width = isVersion6 ? 128 : 32
    guard parts.count == 2 else {
      prefix = width
      return
    }
    let digits = parts[1].utf8
    guard (1...(isVersion6 ? 3 : 2)).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }),
      digits.first != 0x30 || digits.count == 1, let prefix = Int(parts[1]), prefix <= width
    else { return nil }
    self.prefix = prefix
  }

  private static func version4(_ text: Substring) -> UInt32? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var address: UInt32 = 0
    for part in parts {
      guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
        part.utf8.first != 0x30 || part.utf8.count == 1, let byte = UInt8(part)
      else { return nil }
      address = address << 8 | UInt32(byte)
    }
    return address
  }

  /// Without the form that ends with an address of version 4.
  private static func version6(_ text: Substring) -> UInt128? {
    func groups(_ text: Substring) -> [UInt16]? {
      guard !text.isEmpty else { return [] }
      var groups: [UInt16] = []
      for part in text.split(separator: ":", omittingEmptySubsequences: false) {
        guard (1...4).contains(part.utf8.count), part.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
          let group = UInt16(part, radix: 16)
        else { return nil }
        groups.append(group)
      }
      return groups
    }
    guard text.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
    var all: [UInt16]
    if let gap = text.firstRange(of: "::") {
      guard let before = groups(text[..<gap.lowerBound]), let after = groups(text[gap.upperBound...]),
        before.count + after.count <= 7
      else { return nil }
      all = before + Array(repeating: 0, count: 8 - before.count - after.count) + after
    } else {
      guard let groups = groups(text), groups.count == 8 else { return nil }
      all = groups
    }
    return all.reduce(0) { $0 << 16 | UInt128($1) }
  }

  private func network(_ prefix: Int) -> UInt128 { prefix == 0 ? 0 : address >> UInt128(width - prefix) }

  public func isInside(_ other: AddressRange) -> Bool {
    isVersion6 == other.isVersion6 && prefix >= other.prefix && network(other.prefix) == other.network(other.prefix)
  }

  var isLoopback: Bool {
    isVersion6 ? address == 1 && prefix == 128 : prefix >= 8 && network(8) == 127
  }

  var isMulticast: Bool {
    isVersion6 ? prefix >= 8 && network(8) == 0xFF : prefix >= 4 && network(4) == 0xE
  }
}

/// Times and durations, both in milliseconds.
enum TimeText {
  static let day: Int64 = 86_400_000

  /// `YYYY-MM-DD`, or with a time of day, thousandths perhaps, and `Z` or an offset such as `+0900`.
  static func instant(_ text: String) -> Int64? {
    let bytes = Array(text.utf8)
    func number(_ range: Range<Int>) -> Int? {
      guard range.upperBound <= bytes.count, bytes[range].allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
      return bytes[range].reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }
    func isMark(_ mark: Character, _ place: Int) -> Bool { place < bytes.count && bytes[place] == mark.asciiValue }
    guard let year = number(0..<4), isMark("-", 4), let month = number(5..<7), isMark("-", 7), let day = number(8..<10),
      (1...12).contains(month), (1...days(year, month)).contains(day)
    else { return nil }
    let date = Int64(daysSince1970(year, month, day)) * Self.day
    if bytes.count == 10 { return date }
    guard isMark("T", 10), let hour = number(11..<13), isMark(":", 13), let minute = number(14..<16), isMark(":", 16),
      let second = number(17..<19), hour < 24, minute < 60, second < 60
    else { return nil }
    var place = 19
    var thousandths = 0
    if isMark(".", 19) {
      guard let digits = number(20..<23) else { return nil }
      thousandths = digits
      place = 23
    }
    let ofDay = Int64(((hour * 60 + minute) * 60 + second) * 1000 + thousandths)
    if isMark("Z", place), bytes.count == place + 1 { return date + ofDay }
    guard isMark("+", place) || isMark("-", place), bytes.count == place + 5,
      let hours = number((place + 1)..<(place + 3)), let minutes = number((place + 3)..<(place + 5)), hours < 24,
      minutes < 60
    else { return nil }
    let offset = Int64((hours * 60 + minutes) * 60_000)
    return date + ofDay - (isMark("+", place) ? offset : -offset)
  }

  private static func days(_ year: Int, _ month: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  private static func daysSince1970(_ year: Int, _ month: Int, _ day: Int) -> Int {
    // Years that begin in March have their leap day at the end.
    let years = month > 2 ? year : year - 1
    let era = (years >= 0 ? years : years - 399) / 400
    let ofEra = years - era * 400
    let ofYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
  }

  /// `1d2h3m4s5ms`, any of them left out but not all, in this order, perhaps below zero.
  static func duration(_ text: String) -> Int64? {
    var bytes = Array(text.utf8)[...]
    let isNegative = bytes.first == 0x2D
    if isNegative { bytes.removeFirst() }
    guard !bytes.isEmpty else { return nil }
    var total: Int64 = 0
    var units: [(name: [UInt8], milliseconds: Int64)] = [
      (Array("d".utf8), day), (Array("h".utf8), 3_600_000), (Array("m".utf8), 60_000), (Array("s".utf8), 1000),
      (Array("ms".utf8), 1),
    ]
    while !bytes.isEmpty {
      let digits = bytes.prefix { (0x30...0x39).contains($0) }
      bytes = bytes.dropFirst(digits.count)
      let name = Array(bytes.prefix { !(0x30...0x39).contains($0) })
      bytes = bytes.dropFirst(name.count)
      guard !digits.isEmpty, let unit = units.firstIndex(where: { $0.name == name }) else { return nil }
      var count: Int64 = 0
      for digit in digits {
        let (times, overflowed) = count.multipliedReportingOverflow(by: 10)
        let (sum, over) = times.subtractingReportingOverflow(Int64(digit - 0x30))
        guard !overflowed, !over else { return nil }
        count = sum
      }
      let (part, overflowed) = count.multipliedReportingOverflow(by: units[unit].milliseconds)
      let (sum, over) = total.addingReportingOverflow(part)
      guard !overflowed, !over else { return nil }
      total = sum
      units.removeFirst(unit + 1)
    }
    if isNegative { return total }
    return total == .min ? nil : -total
  }
}
