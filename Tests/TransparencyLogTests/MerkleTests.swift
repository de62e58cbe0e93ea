import Foundation
import Testing

@testable import TransparencyLog

@Suite struct MerkleTests {
  /// The tree over these entries has these roots in RFC 6962's reference implementation, for sizes 1 to 8.
  @Test func rootsAreThoseOfTheReferenceImplementation() throws {
    let entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    let roots = [
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
      "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
      "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
      "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
      "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
      "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]
    var range = CompactRange()
    #expect(range.root == TreeHash(bytes("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")))
    for (entry, root) in zip(entries, roots) {
      range.append(.leaf(bytes(entry)))
      #expect(range.root == TreeHash(bytes(root)))
    }
  }

  @Test func everyProofOfASmallTreeHoldsAndNoOther() throws {
    let log = Log(size: 70)
    for size in 1...70 {
      var tree = log.tree(size)
      let root = try tree.root()
      for index in 0..<size {
        let path = try tree.inclusion(of: UInt64(index))
        let leaf = TreeHash.leaf(log.entries[index])
        #expect(MerkleProof.proves(leaf, at: UInt64(index), in: root, size: UInt64(size), path: path))
        for other in 0..<size where other != index {
          #expect(!MerkleProof.proves(leaf, at: UInt64(other), in: root, size: UInt64(size), path: path))
        }
      }
      for old in 1...size {
        var before = log.tree(old)
        let path = try tree.consistency(from: UInt64(old))
        let oldRoot = try before.root()
        #expect(
          MerkleProof.proves(oldRoot, size: UInt64(old), isBeginningOf: root, size: UInt64(size), path: path))
        for other in 1...size where other != old {
          #expect(
            !MerkleProof.proves(oldRoot, size: UInt64(other), isBeginningOf: root, size: UInt64(size), path: path))
        }
      }
    }
  }

  @Test func proofsComeFromTilesOfManyLevels() throws {
    let size = 70_000
    let log = Log(size: size)
    var tree = log.tree(size)
    let root = try tree.root()
    var range = CompactRange()
    for entry in log.entries { range.append(.leaf(entry)) }
    #expect(range.root == root)
    #expect(try tree.compactRange() == range)
    for index in [0, 1, 255, 256, 65_535, 65_536, 69_631, 69_632, 69_999] {
      let path = try tree.inclusion(of: UInt64(index))
      #expect(
        MerkleProof.proves(.leaf(log.entries[index]), at: UInt64(index), in: root, size: UInt64(size), path: path))
    }
    for old in [1, 2, 255, 256, 257, 65_535, 65_536, 65_537, 69_999] {
      var before = log.tree(old)
      let path = try tree.consistency(from: UInt64(old))
      #expect(
        MerkleProof.proves(try before.root(), size: UInt64(old), isBeginningOf: root, size: UInt64(size), path: path))
    }
  }

  /// One bit, one hash more or less, another place, another size: nothing of it may pass.
  @Test func noMutatedProofIsAccepted() throws {
    let million = ProcessInfo.processInfo.environment["MADANG_MUTATIONS"].flatMap(Int.init) ?? 20_000
    let log = Log(size: 1000)
    var random = SystemRandomNumberGenerator()
    var refused = 0
    while refused < million {
      let size = Int.random(in: 2...1000, using: &random)
      var tree = log.tree(size)
      let root = try tree.root()
      for _ in 0..<10 {
        let index = UInt64.random(in: 0..<UInt64(size), using: &random)
        let path = try tree.inclusion(of: index)
        for _ in 0..<200 {
          var mutant = (
            leaf: TreeHash.leaf(log.entries[Int(index)]), index: index, size: UInt64(size), root: root, path
          )
          switch Int.random(in: 0..<7, using: &random) {
          case 0: mutant.leaf = flipped(mutant.leaf, &random)
          case 1: mutant.root = flipped(mutant.root, &random)
          case 2:
            let place = Int.random(in: mutant.4.indices, using: &random)
            mutant.4[place] = flipped(mutant.4[place], &random)
          case 3: mutant.4.remove(at: Int.random(in: mutant.4.indices, using: &random))
          case 4: mutant.4.insert(root, at: Int.random(in: 0...mutant.4.count, using: &random))
          case 5: mutant.index = otherThan(index, below: UInt64(size), &random)
          default:
            // A size that gives the same path to the leaf is no other proof; whatever the path must differ for is.
            let other = UInt64.random(in: 1...2000, using: &random)
            guard !hasSamePath(index, UInt64(size), other) else { continue }
            mutant.size = other
          }
          // Asked outside of the macro, which would take far longer than the answer.
          let isProved = MerkleProof.proves(
            mutant.leaf, at: mutant.index, in: mutant.root, size: mutant.size, path: mutant.4)
          if isProved { Issue.record("accepted: entry \(mutant.index) of \(mutant.size)") }
          refused += 1
        }
      }
    }
    print("\(refused) mutated proofs, none accepted")
  }

  /// Whether a proof of `index` has as many hashes on the same sides in trees of both sizes: an inclusion proof binds
  /// root and place, and the size only so far; the checkpoint binds root and size.
  private func hasSamePath(_ index: UInt64, _ size: UInt64, _ other: UInt64) -> Bool {
    func sides(_ size: UInt64) -> [Bool]? {
      guard index < size else { return nil }
      var (node, last, sides) = (index, size - 1, [Bool]())
      while last > 0 {
        if node & 1 == 1 { sides.append(true) } else if node < last { sides.append(false) }
        node >>= 1
        last >>= 1
      }
      return sides
    }
    return sides(size) == sides(other)
  }

  private func flipped(_ hash: TreeHash, _ random: inout some RandomNumberGenerator) -> TreeHash {
    var bytes = hash.bytes
    bytes[Int.random(in: 0..<32, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    return TreeHash(bytes) ?? .empty
  }

  private func otherThan(_ index: UInt64, below size: UInt64, _ random: inout some RandomNumberGenerator) -> UInt64 {
    (index + UInt64.random(in: 1..<size, using: &random)) % size
  }

  private func bytes(_ hex: String) -> [UInt8] {
    stride(from: 0, to: hex.count, by: 2).compactMap {
      UInt8(Array(hex)[$0...($0 + 1)].map(String.init).joined(), radix: 16)
    }
  }

  // MARK: Tiles

  @Test(arguments: [
    (Tile(level: 0, index: 0), "tile/0/000"), (Tile(level: 0, index: 273, width: 112), "tile/0/273.p/112"),
    (Tile(level: 1, index: 1_234_067), "tile/1/x001/x234/067"), (Tile(level: 2, index: 0, width: 1), "tile/2/000.p/1"),
    (Tile(level: 0, index: 1000), "tile/0/x001/000"),
  ])
  func tilesHaveOnePath(_ tile: Tile, _ path: String) throws {
    #expect(tile.path() == path)
    let read = try #require(Tile.parse(path: path))
    #expect(read.tile == tile)
    #expect(read.content == .hashes)
  }

  @Test(arguments: [
    "tile/0/0", "tile/0/0000", "tile/00/000", "tile/64/000", "tile/-1/000", "tile/0/x000/000", "tile/0/001/000",
    "tile/0/x01/000", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p", "tile/0/000.p/1/2",
    "tile/0/", "tile/0", "tile", "", "tile/0/000/", "/tile/0/000", "tile/entry/000", "tile/0/x9999/000",
    "tile/0/x999/x999/x999/x999/x999/x999/x999/x999/999", "tile/0/٠٠٠",
  ])
  func otherPathsAreNoTiles(_ path: String) { #expect(Tile.parse(path: path) == nil) }

  @Test func bundlesHoldEntries() throws {
    let entries: [[UInt8]] = [[], [1], Array(repeating: 7, count: 65_535), Array("가".utf8)]
    #expect(EntryBundle.entries(of: EntryBundle.bytes(of: entries)) == entries)
    #expect(EntryBundle.entries(of: [0, 2, 1]) == nil)
    #expect(EntryBundle.entries(of: [0]) == nil)
    #expect(EntryBundle.entries(of: EntryBundle.bytes(of: Array(repeating: [], count: 257))) == nil)
  }
}
