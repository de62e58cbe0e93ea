import NGSI
import Query

/// How index values stand in the `value` column of `attribute_value`.
///
/// SQLite orders numbers before texts before blobs, so one column holds all three and each keeps its own order.
enum StoredValue {
  static let present: [UInt8] = []
  static let unlisted: [UInt8] = [0]
  static let several: [UInt8] = [0, 0]

  /// Positions in an entity's list of geometries that fit beside its key in one 64-bit id.
  static let geometryBits: Int64 = 20
  static let maxGeometries = 1 << geometryBits

  /// Eight bytes that compare as the times do.
  static func bytes(of time: DateTime) -> [UInt8] {
    withUnsafeBytes(of: (UInt64(bitPattern: time.microseconds) ^ 1 << 63).bigEndian) { Array($0) }
  }

  static let earliest = [UInt8](repeating: 0, count: 8)
  static let latest = [UInt8](repeating: 0xFF, count: 8)
}

extension Statement {
  @discardableResult
  func bind(_ position: Int32, _ value: IndexValue) -> Statement {
    switch value {
    case .number(let number): bind(position, number)
    case .text(let text): bind(position, text)
    case .time(let time): bind(position, StoredValue.bytes(of: time))
    case .none: bind(position, StoredValue.present)
    case .several: bind(position, StoredValue.several)
    case .unlisted: bind(position, StoredValue.unlisted)
    }
  }
}
