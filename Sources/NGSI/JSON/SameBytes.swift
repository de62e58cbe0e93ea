import Glibc

extension String {
  /// Equal byte for byte in UTF-8. Swift's own `==` also takes canonically equivalent texts for equal.
  @inline(__always)
  public func hasSameBytes(as other: String) -> Bool {
    guard utf8.count == other.utf8.count else { return false }
    let same: Bool?? = utf8.withContiguousStorageIfAvailable { left in
      other.utf8.withContiguousStorageIfAvailable { right in
        guard let a = left.baseAddress, let b = right.baseAddress else { return true }
        return memcmp(a, b, left.count) == 0
      }
    }
    if let same, let same { return same }
    return utf8.elementsEqual(other.utf8)
  }
}
