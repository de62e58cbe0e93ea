import Foundation

/// Chance without state: every draw is a function of the stream's key and an index.
///
/// Readings can so be computed in any order, at any speed, one or all, and come out the same. Mixing function:
/// SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
public struct RandomStream: Sendable, Hashable {
  let key: UInt64

  public init(seed: UInt64) { key = Self.mix(seed &+ 0x9E37_79B9_7F4A_7C15) }

  /// A stream of its own for a name (FNV-1a of its bytes).
  public func named(_ name: String) -> RandomStream {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return RandomStream(seed: key ^ hash)
  }

  public func numbered(_ number: Int) -> RandomStream {
    RandomStream(seed: key &+ UInt64(bitPattern: Int64(number)) &* 0xD134_2543_DE82_EF95)
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  public func bits(_ index: Int64, _ salt: UInt64 = 0) -> UInt64 {
    Self.mix(Self.mix(key ^ salt &* 0x9E37_79B9_7F4A_7C15) &+ UInt64(bitPattern: index) &* 0x9E37_79B9_7F4A_7C15)
  }

  /// Evenly in 0 ..< 1.
  public func unit(_ index: Int64, _ salt: UInt64 = 0) -> Double { Double(bits(index, salt) >> 11) * 0x1p-53 }

  /// About normal, mean 0, deviation 1, within ±3 (sum of twelve 5-bit uniforms; Irwin–Hall).
  public func bell(_ index: Int64, _ salt: UInt64 = 0) -> Double {
    var rest = bits(index, salt)
    var sum = 0.0
    for _ in 0..<12 {
      sum += (Double(rest & 31) + 0.5) / 32
      rest >>= 5
    }
    return (sum - 6).clamped(-3...3)
  }

  /// A smooth curve over time within ±1: a new random height every period, joined by half cosines.
  public func smooth(_ seconds: Double, period: Double, _ salt: UInt64 = 0) -> Double {
    let position = seconds / period
    let knot = position.rounded(.down)
    let index = Int64(knot)
    let a = unit(index, salt) * 2 - 1
    let b = unit(index + 1, salt) * 2 - 1
    let share = (1 - cos((position - knot) * .pi)) / 2
    return a + (b - a) * share
  }
}
