/// The entries under a tile of level 0: each with its length in two bytes, big end first (C2SP tlog-tiles).
public enum EntryBundle {
  /// Bytes of an entry at most.
  public static let maxEntry = Int(UInt16.max)

  /// - Precondition: no entry is longer than ``maxEntry``.
  public static func bytes(of entries: some Collection<[UInt8]>) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(entries.reduce(0) { $0 + $1.count + 2 })
    for entry in entries {
      precondition(entry.count <= maxEntry)
      bytes += [UInt8(entry.count >> 8), UInt8(entry.count & 255)]
      bytes += entry
    }
    return bytes
  }

  /// - Returns: `nil` when the last entry is cut off or there are more than 256.
  public static func entries(of bytes: [UInt8]) -> [[UInt8]]? {
    var entries: [[UInt8]] = []
    var start = 0
    while start < bytes.count {
      guard start + 2 <= bytes.count, entries.count < Tile.fullWidth else { return nil }
      let end = start + 2 + Int(bytes[start]) << 8 + Int(bytes[start + 1])
      guard end <= bytes.count else { return nil }
      entries.append(Array(bytes[(start + 2)..<end]))
      start = end
    }
    return entries
  }
}
