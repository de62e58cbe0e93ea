import NGSI

/// A number as its digits times a power of ten, so that 0.0075 is a multiple of 0.0001.
struct ExactNumber: Sendable, Hashable {
  private var digits: Int128
  private var exponent: Int

  /// Digits that are kept; a number with more is taken by the value of its `Double`.
  private static let mostDigits = 36

  init?(_ value: JSON) {
    switch value {
    case .integer(let number): self.init(text: String(number))
    case .double(let number): self.init(text: "\(number)")
    case .decimal(let text):
      if let exact = ExactNumber(text: text) {
        self = exact
      } else if let number = Double(text), number.isFinite {
        self.init(text: "\(number)")
      } else {
        return nil
      }
    default: return nil
    }
  }

  private init?(text: String) {
    var digits: Int128 = 0
    var exponent = 0
    var count = 0
    var isNegative = false
    var isFraction = false
    var rest = Substring(text)
    if rest.first == "-" {
      isNegative = true
      rest.removeFirst()
    }
    while let character = rest.first {
      rest.removeFirst()
      switch character {
      case "0"..."9":
        if count > 0 || character != "0" { count += 1 }
        guard count <= Self.mostDigits, let digit = character.wholeNumberValue else { return nil }
        digits = digits * 10 + Int128(digit)
        if isFraction { exponent -= 1 }
      case ".": isFraction = true
      case "e", "E":
        guard let power = Int(rest.first == "+" ? rest.dropFirst() : rest), abs(power) < 100_000 else { return nil }
        exponent += power
        rest = ""
      default: return nil
      }
    }
    while digits != 0, digits % 10 == 0 {
      digits /= 10
      exponent += 1
    }
    self.digits = isNegative ? -digits : digits
    self.exponent = digits == 0 ? 0 : exponent
  }

  var isWhole: Bool { exponent >= 0 }
  var isPositive: Bool { digits > 0 }

  func isMultiple(of other: ExactNumber) -> Bool {
    guard digits != 0 else { return true }
    guard other.digits != 0 else { return false }
    // digits × 10^shift over other.digits, one power of ten at a time so that nothing overflows.
    let shift = exponent - other.exponent
    guard shift >= 0 else {
      // The divisor has fewer decimal places than the number, whose last digit is not 0.
      var divisor = other.digits
      for _ in 0..<(-shift) {
        let (product, overflows) = divisor.multipliedReportingOverflow(by: 10)
        if overflows { return false }
        divisor = product
      }
      return digits % divisor == 0
    }
    var remainder = digits % other.digits
    for _ in 0..<shift where remainder != 0 {
      let (product, overflows) = remainder.multipliedReportingOverflow(by: 10)
      guard !overflows else { return false }
      remainder = product % other.digits
    }
    return remainder == 0
  }
}
