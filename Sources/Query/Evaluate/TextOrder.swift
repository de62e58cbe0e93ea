import Glibc

/// Texts compared byte for byte in UTF-8, which is the order of their code points (RFC 8259 section 8.3).
///
/// Swift's own `==` takes canonically equivalent texts for equal, which no index on bytes does.
enum TextOrder {
  static func equal(_ left: String, _ right: String) -> Bool {
    left.utf8.count == right.utf8.count && compare(left, right) == 0
  }

  /// Below zero, zero or above.
  static func compare(_ left: String, _ right: String) -> Int {
    let fast: Int?? = left.utf8.withContiguousStorageIfAvailable { a in
      right.utf8.withContiguousStorageIfAvailable { b in compare(a, b) }
    }
    if let fast, let order = fast { return order }
    return Array(left.utf8).withUnsafeBufferPointer { a in Array(right.utf8).withUnsafeBufferPointer { compare(a, $0) }
    }
  }

  private static func compare(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Int {
    let shared = min(a.count, b.count)
    if shared > 0, let left = a.baseAddress, let right = b.baseAddress {
      let order = memcmp(left, right, shared)
      if order != 0 { return Int(order) }
    }
    return a.count - b.count
  }
}
