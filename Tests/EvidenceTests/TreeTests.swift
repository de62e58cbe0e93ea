import Foundation
import NGSI
import Store
import StoreSQLite
import Testing
import TransparencyLog

@testable import Evidence

/// A store in a folder of its own.
final class StoreBox {
  let folder = NSTemporaryDirectory() + "evidence-" + UUID().uuidString
  private(set) var store: SQLiteStore

  init() throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    store = try SQLiteStore(path: folder + "/city.sqlite")
  }

  /// Closes the store and opens it again.
  func reopen() async throws {
    await store.close()
    store = try SQLiteStore(path: folder + "/city.sqlite")
  }

  func end() async {
    await store.close()
    try? FileManager.default.removeItem(atPath: folder)
  }
}

@Suite struct TreeTests {
  static func entry(_ number: Int) -> [UInt8] { Array("{\"entry\":\(number)}".utf8) }

  /// The root as RFC 9162 section 2.1.1 defines it, by recursion.
  static func root(_ leaves: ArraySlice<TreeHash>) -> TreeHash {
    guard leaves.count > 1 else { return leaves.first ?? .empty }
    var half = 1
    while half * 2 < leaves.count { half *= 2 }
    let middle = leaves.startIndex + half
    return .node(root(leaves[..<middle]), root(leaves[middle...]))
  }

  @Test(arguments: [0, 1, 255, 256, 257, 511, 1000, 65_535, 65_536, 65_537, 66_000])
  func aTreeThatIsTakenUpIsTheTreeThatGrew(count: Int) async throws {
    let box = try StoreBox()
    let entries = (0..<count).map(Self.entry)
    var tree = GrowingTree()
    for entry in entries { tree.append(entry) }
    let root = Self.root(entries.map(TreeHash.leaf)[...])
    #expect(tree.root == root)
    let kept = tree.unkept
    _ = try await box.store.write { writer in
      _ = try writer.appendEvidence(entries.map { EvidenceRecord(entry: $0, time: DateTime(microseconds: 1)) })
      for (tile, hashes) in kept {
        try writer.putEvidenceTile(hashes.flatMap(\.bytes), level: tile.level, index: tile.index)
      }
    }
    try box.store.read { reader in
      let view = try EvidenceView(reader)
      #expect(view.count == UInt64(count))
      #expect(view.tree.root == root)
      // Each proof holds under the root, for the places where tiles and subtrees begin and end.
      for size in Set([1, count / 2, count - 1, count]) where (1...max(1, count)).contains(size) && count > 0 {
        let part = try view.root(of: UInt64(size))
        #expect(part == Self.root(entries.prefix(size).map(TreeHash.leaf)[...]))
        let path = try view.consistency(from: UInt64(size), to: UInt64(count))
        #expect(
          MerkleProof.proves(part, size: UInt64(size), isBeginningOf: root, size: UInt64(count), path: path))
      }
    }
    await box.end()
  }

  /// Tiles that were lost before they were kept are made anew from the entries.
  @Test func tilesFollowFromEntries() async throws {
    let box = try StoreBox()
    let entries = (0..<1000).map(Self.entry)
    var tree = GrowingTree()
    for entry in entries { tree.append(entry) }
    _ = try await box.store.write { writer in
      try writer.appendEvidence(entries.map { EvidenceRecord(entry: $0, time: DateTime(microseconds: 1)) })
    }
    let root = try box.store.read { try EvidenceView($0).tree.root }
    #expect(root == tree.root)
    await box.end()
  }
}
