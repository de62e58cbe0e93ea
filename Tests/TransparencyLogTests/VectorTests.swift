import Foundation
import Testing
import TransparencyLog

/// The published vectors of proofs (transparency-dev/merkle, `testdata`), which are not part of this repository:
/// `MADANG_MERKLE_VECTORS` names the folder.
@Suite struct VectorTests {
  struct Vector: Decodable {
    var leafIdx: UInt64?
    var treeSize: UInt64?
    var size1: UInt64?
    var size2: UInt64?
    var start: UInt64?
    var end: UInt64?
    var size: UInt64?
    var root: Data?
    var root1: Data?
    var root2: Data?
    var leafHash: Data?
    var proof: [Data]?
    var wantErr: Bool
  }

  @Test func publishedVectorsDecideAsStated() throws {
    guard let folder = ProcessInfo.processInfo.environment["MADANG_MERKLE_VECTORS"] else {
      print("skipped: publishedVectorsDecideAsStated, MADANG_MERKLE_VECTORS names no folder of vectors")
      return
    }
    let files = FileManager.default.enumerator(at: URL(filePath: folder), includingPropertiesForKeys: nil)
    var judged = 0
    while let file = files?.nextObject() as? URL {
      guard file.pathExtension == "json" else { continue }
      let vector = try JSONDecoder().decode(Vector.self, from: Data(contentsOf: file))
      let kind = file.path.dropFirst(URL(filePath: folder).path.count + 1).prefix { $0 != "/" }
      #expect(decide(vector, kind) == !vector.wantErr, "\(file.path)")
      judged += 1
    }
    #expect(judged == 518)
  }

  /// Some vectors have words instead of roots, where only their being the same matters; a hash stands for them here.
  private func decide(_ vector: Vector, _ kind: Substring) -> Bool {
    let path = (vector.proof ?? []).compactMap { TreeHash($0) }
    guard path.count == vector.proof?.count ?? 0 else { return false }
    func hash(_ data: Data?) -> TreeHash? { data.flatMap { $0.isEmpty ? nil : TreeHash($0) ?? .leaf(Array($0)) } }
    switch kind {
    case "inclusion":
      guard let root = hash(vector.root), let leaf = hash(vector.leafHash) else { return false }
      return MerkleProof.proves(leaf, at: vector.leafIdx ?? 0, in: root, size: vector.treeSize ?? 0, path: path)
    case "consistency":
      guard let old = hash(vector.root1), let new = hash(vector.root2) else { return false }
      return MerkleProof.proves(
        old, size: vector.size1 ?? 0, isBeginningOf: new, size: vector.size2 ?? 0, path: path)
    case "subtreeinclusion":
      guard let root = hash(vector.root), let leaf = hash(vector.leafHash), let leaves = range(vector) else {
        return false
      }
      return MerkleProof.proves(leaf, at: vector.leafIdx ?? 0, inSubtree: leaves, root: root, path: path)
    case "subtreeconsistency":
      guard let subtree = hash(vector.root1), let root = hash(vector.root2), let leaves = range(vector) else {
        return false
      }
      return MerkleProof.proves(subtree, ofSubtree: leaves, isPartOf: root, size: vector.size ?? 0, path: path)
    default:
      Issue.record("an unknown kind of vector: \(kind)")
      return false
    }
  }

  private func range(_ vector: Vector) -> Range<UInt64>? {
    let (start, end) = (vector.start ?? 0, vector.end ?? 0)
    return start <= end ? start..<end : nil
  }
}
