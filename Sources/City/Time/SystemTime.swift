import Foundation

/// The one place of this module that reads the machine's clock.
enum SystemTime {
  /// Microseconds since 1970-01-01T00:00:00Z.
  static var sinceEpoch: Int64 { Int64((Date().timeIntervalSince1970 * 1_000_000).rounded()) }
}
