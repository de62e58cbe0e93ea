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
