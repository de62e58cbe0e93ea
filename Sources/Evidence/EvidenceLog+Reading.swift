import NGSI
import Store
import TransparencyLog

/// The log as one moment of the store has it.
public struct EvidenceView {
  let reader: any StoreReader
  let tree: GrowingTree
  /// The newest checkpoint that enough witnesses have seen.
  let proved: EvidenceLog.Published?

  init(_ reader: any StoreReader, tree: GrowingTree, proved: EvidenceLog.Published?) {
    self.reader = reader
    self.tree = tree
    self.proved = proved
  }

  /// The log of a store that this process does not run.
  public init(_ reader: any StoreReader) throws {
    let count = try reader.evidenceCount()
    var tree = try GrowingTree(tiles: reader, entries: count)
    try tree.grow(to: count, step: EvidenceLog.Limits().step, reader)
    self.init(reader, tree: tree, proved: try EvidenceLog.keptCheckpoint(reader))
  }

  public var count: UInt64 { tree.size }

  /// The proof that an entry stands in the log, under the newest checkpoint that enough witnesses have seen.
  ///
  /// - Throws: ``EvidenceError/notWitnessedYet(_:)``, ``EvidenceError/noEntry(_:)``.
  public func proof(of position: UInt64) throws -> InclusionFile {
    guard position < UInt64(Int64.max), let record = try reader.evidence(position..<(position + 1)).first else {
      throw EvidenceError.noEntry(position)
    }
    guard let proved, position < proved.size else { throw EvidenceError.notWitnessedYet(position) }
    var tiled = TiledTree(size: proved.size) { tile throws(LogError) in try bytes(of: tile) }
    return InclusionFile(
      extra: record.entry, index: position, path: try tiled.inclusion(of: position), checkpoint: proved.note)
  }

  /// The proof that the tree of the first `old` entries is the beginning of that of `size`.
  func consistency(from old: UInt64, to size: UInt64) throws -> [TreeHash] {
    var tiled = TiledTree(size: size) { tile throws(LogError) in try bytes(of: tile) }
    return try tiled.consistency(from: old)
  }

  /// The root of the first entries.
  func root(of size: UInt64) throws -> TreeHash {
    var tiled = TiledTree(size: size) { tile throws(LogError) in try bytes(of: tile) }
    return try tiled.root()
  }

  /// What is served of a tile; the beginning of a wider one where the tile asked for is not full.
  func content(_ content: Tile.Content, of tile: Tile) throws -> [UInt8] {
    guard content == .entries else { return try bytes(of: tile) }
    let first = tile.index << UInt64(Tile.height)
    return EntryBundle.bytes(of: try reader.evidence(first..<(first + UInt64(tile.width))).map(\.entry))
  }

  private func bytes(of tile: Tile) throws(LogError) -> [UInt8] {
    let length = tile.width * TreeHash.size
    if let hashes = tree.hashes(level: tile.level, index: tile.index) {
      guard hashes.count >= tile.width else { throw .damaged(tile) }
      return hashes.prefix(tile.width).flatMap(\.bytes)
    }
    let kept: [UInt8]?
    do { kept = try reader.evidenceTile(level: tile.level, index: tile.index) } catch { throw .failed("\(error)") }
    guard let kept, kept.count >= length else { throw .damaged(tile) }
    return Array(kept.prefix(length))
  }

  // MARK: Register

  /// Positions of what concerns a subject of a tenant, in order.
  public func positions(
    of subject: String, tenant: String? = nil, after position: UInt64? = nil, limit: Int
  ) throws -> [UInt64] {
    let name = RegisterName(.subject, subject, of: tenant)
    guard let key = try Register.existingKey(of: name, reader) else { return [] }
    return try reader.evidence(of: key.index, after: position, limit: limit)
  }

  /// Lines of the register from a position on, as far as their keys are still there.
  public func register(from position: UInt64, limit: Int) throws -> [RegisterLine] {
    let records = try reader.evidence(position..<(position + UInt64(max(0, limit))))
    return try records.enumerated().map { try Register.line($1, at: position + UInt64($0), reader) }
  }

  /// The first position whose entry was added at a time or later; the number of entries where there is none.
  public func position(at time: DateTime) throws -> UInt64 {
    var low: UInt64 = 0
    var high = tree.size
    while low < high {
      let middle = low + (high - low) / 2
      guard let record = try reader.evidence(middle..<(middle + 1)).first else { break }
      if record.time < time { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

extension EvidenceLog {
  /// Reads the log as it is now.
  public func read<Value>(_ body: (EvidenceView) throws -> Value) throws -> Value {
    let (tree, proved) = state.withLock { ($0.tree, $0.proved) }
    return try store.read { try body(EvidenceView($0, tree: tree, proved: proved)) }
  }

  /// The newest checkpoint that is published, as a signed note; `nil` before the first entry.
  public var checkpoint: String? { state.withLock { $0.published?.note.description } }

  /// What lies below the log's prefix at a path such as `tile/0/x001/234.p/17`; `nil` where there is nothing (yet).
  public func tile(path: String) throws -> [UInt8]? {
    guard let (tile, content) = Tile.parse(path: path) else { return nil }
    let size = state.withLock { $0.published?.size ?? 0 }
    let (full, partial) = Tile.extent(level: tile.level, size: size)
    guard tile.index < full || tile.index == full && tile.width <= partial else { return nil }
    return try read { try $0.content(content, of: tile) }
  }

  static let collection = "evidence"
  static let checkpointId = "checkpoint"

  /// The checkpoint that was published last with a quorum, as it is stored.
  static func keptCheckpoint(_ reader: any StoreReader) throws -> Published? {
    guard let text = try reader.document(checkpointId, collection: collection, in: .default)?.body.string else {
      return nil
    }
    do throws(NoteError) {
      let note = try SignedNote(parsing: Array(text.utf8))
      return Published(note: note, size: try Checkpoint(parsing: note.text).size)
    } catch { throw EvidenceError.damaged("the last checkpoint cannot be read: \(error)") }
  }
}
