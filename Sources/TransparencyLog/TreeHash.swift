import Crypto

/// A hash of a Merkle tree over SHA-256: 32 bytes (RFC 6962, section 2.1; RFC 9162, section 2.1.1).
///
/// Leaves and nodes are hashed with different first bytes, so that no node can be passed off as an entry.
public struct TreeHash: Sendable, Hashable {
  /// Bytes of a hash.
  public static let size = 32

  private var words: SIMD4<UInt64>

  /// - Returns: `nil` unless there are 32 bytes.
  public init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == Self.size else { return nil }
    words = .zero
    withUnsafeMutableBytes(of: &words) { $0.copyBytes(from: bytes) }
  }

  private init(_ digest: SHA256.Digest) {
    words = .zero
    digest.withUnsafeBytes { bytes in withUnsafeMutableBytes(of: &words) { $0.copyMemory(from: bytes) } }
  }

  public var bytes: [UInt8] { withUnsafeBytes { Array($0) } }

  public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try Swift.withUnsafeBytes(of: words, body)
  }

  /// The root of a tree without leaves: the hash of nothing.
  public static let empty = TreeHash(SHA256().finalize())

  public static func leaf(_ entry: [UInt8]) -> TreeHash {
    var hasher = SHA256()
    Swift.withUnsafeBytes(of: UInt8(0)) { hasher.update(bufferPointer: $0) }
    entry.withUnsafeBytes { hasher.update(bufferPointer: $0) }
    return TreeHash(hasher.finalize())
  }

  public static func node(_ left: TreeHash, _ right: TreeHash) -> TreeHash {
    withUnsafeTemporaryAllocation(byteCount: 1 + 2 * size, alignment: 1) { input in
      input[0] = 1
      left.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: input[1...size]).copyMemory(from: $0) }
      right.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: input[(1 + size)...]).copyMemory(from: $0) }
      var hasher = SHA256()
      hasher.update(bufferPointer: UnsafeRawBufferPointer(input))
      return TreeHash(hasher.finalize())
    }
  }
}

extension TreeHash: CustomStringConvertible {
  /// Base 64, as notes and proofs write it.
  public var description: String { Base64.text(bytes) }
}
