/// A tile of a log: up to 256 neighbouring hashes of one level, which is what static files hold of a tree (C2SP
/// tlog-tiles). Level 0 has the leaves; a hash of the level above stands for a full tile.
public struct Tile: Sendable, Hashable {
  /// Hashes of a full tile.
  public static let fullWidth = 256
  /// Levels of the binary tree that one level of tiles spans.
  public static let height = 8

  /// From 0.
  public var level: Int
  /// Position among the tiles of its level.
  public var index: UInt64
  /// Hashes that it has, from 1 to 256.
  public var width: Int

  public init(level: Int, index: UInt64, width: Int = fullWidth) {
    self.level = level
    self.index = index
    self.width = width
  }

  /// The tiles of a tree of `size` leaves at a level: how many are full, and how wide the partial one after them is.
  public static func extent(level: Int, size: UInt64) -> (full: UInt64, partial: Int) {
    let hashes = level * height < 64 ? size >> UInt64(level * height) : 0
    return (hashes >> 8, Int(hashes & 255))
  }

  /// The tile of a tree of `size` leaves that holds a perfect subtree, or the hashes under it: the widest there is.
  ///
  /// - Returns: `nil` when the tree has no such subtree.
  static func holding(height: Int, index: UInt64, size: UInt64) -> (tile: Tile, hashes: Range<Int>)? {
    let level = height / Self.height
    let rise = UInt64(height % Self.height)
    let first = index << rise
    let tile = first >> 8
    let extent = extent(level: level, size: size)
    let width = tile < extent.full ? fullWidth : tile == extent.full ? extent.partial : 0
    let begin = Int(first & 255)
    let end = begin + 1 << rise
    guard end <= width else { return nil }
    return (Tile(level: level, index: tile, width: width), begin..<end)
  }
}

// MARK: - Path

extension Tile {
  /// What is fetched: hashes, or the entries under a tile of level 0.
  public enum Content: Sendable, Hashable {
    case hashes
    case entries
  }

  /// Path below the log's prefix, e.g. `tile/0/x001/234.p/17`.
  public func path(_ content: Content = .hashes) -> String {
    var text = Self.digits(Int(index % 1000))
    var rest = index / 1000
    while rest > 0 {
      text = "x\(Self.digits(Int(rest % 1000)))/\(text)"
      rest /= 1000
    }
    let level = content == .entries ? "entries" : String(level)
    return "tile/\(level)/\(text)" + (width < Self.fullWidth ? ".p/\(width)" : "")
  }

  /// Reads such a path; only the one spelling of each tile is taken.
  public static func parse(path: String) -> (tile: Tile, content: Content)? {
    var parts = path.split(separator: "/", omittingEmptySubsequences: false)
    guard (3...11).contains(parts.count), parts.removeFirst() == "tile" else { return nil }
    let name = parts.removeFirst()
    let content: Content = name == "entries" ? .entries : .hashes
    guard let level = name == "entries" ? 0 : Decimal.number(name).map(Int.init), level < 64 else { return nil }
    var width = fullWidth
    if parts.count >= 2, parts[parts.count - 2].hasSuffix(".p") {
      guard let partial = Decimal.number(parts.removeLast()), (1..<UInt64(fullWidth)).contains(partial) else {
        return nil
      }
      width = Int(partial)
      parts[parts.count - 1] = parts[parts.count - 1].dropLast(2)
    }
    // Six elements of three digits are what 63 bits hold.
    guard parts.count <= 6 else { return nil }
    var index: UInt64 = 0
    for (position, part) in parts.enumerated() {
      let isLast = position == parts.count - 1
      guard isLast || part.first == "x" else { return nil }
      let digits = isLast ? part : part.dropFirst()
      guard digits.utf8.count == 3, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = UInt64(digits)
      else { return nil }
      index = index * 1000 + value
    }
    let tile = Tile(level: level, index: index, width: width)
    return tile.path(content) == path ? (tile, content) : nil
  }

  private static func digits(_ number: Int) -> String {
    String(repeating: "0", count: 3 - String(number).utf8.count) + String(number)
  }
}
