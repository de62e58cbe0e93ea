/// What a log says of itself at a moment: how many entries it has and the root over all of them (C2SP tlog-checkpoint).
public struct Checkpoint: Sendable, Hashable {
  /// Name of the log.
  public var origin: String
  public var size: UInt64
  public var root: TreeHash
  /// Lines that the log adds; opaque to all others.
  public var extensions: [String]

  public init(origin: String, size: UInt64, root: TreeHash, extensions: [String] = []) {
    self.origin = origin
    self.size = size
    self.root = root
    self.extensions = extensions
  }

  /// Reads the text of a note.
  public init(parsing text: String) throws(NoteError) { try self.init(parsing: text, judgesRoot: true) }

  /// - Parameter judgesRoot: whether the root of a tree without entries has to be right.
  init(parsing text: String, judgesRoot: Bool) throws(NoteError) {
    let lines = text.octetLines.dropLast()
    guard text.utf8.last == 0x0A, lines.count >= 3, !lines.contains(where: \.isEmpty) else {
      throw .malformed("a checkpoint has an origin, a size and a root hash, each in a line")
    }
    guard let size = Decimal.number(lines[1]) else { throw .malformed("the size of a checkpoint is a decimal number") }
    guard let root = Base64.bytes(lines[2]).flatMap({ TreeHash($0) }) else {
      throw .malformed("the root hash of a checkpoint is 32 bytes in Base 64")
    }
    guard !judgesRoot || size > 0 || root == .empty else {
      throw .malformed("a tree without entries has the hash of nothing")
    }
    self.init(origin: String(lines[0]), size: size, root: root, extensions: lines.dropFirst(3).map(String.init))
  }

  /// The text that is signed.
  public var text: String {
    "\(origin)\n\(size)\n\(root)\n" + extensions.map { $0 + "\n" }.joined()
  }
}
