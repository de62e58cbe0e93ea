/// Texts of the log's formats are octets: `String` takes other spellings of the same letters for equal, and a break
/// with a combining mark after it for one character. Neither may decide what is proved.
extension StringProtocol {
  /// Whether both are the same bytes.
  func isSpelled(like other: some StringProtocol) -> Bool { utf8.elementsEqual(other.utf8) }
}

extension String {
  /// What lies between line breaks.
  var octetLines: [Substring] { self[...].octetLines }
}

extension Substring {
  var octetLines: [Substring] { octetSplit(at: 0x0A) }

  /// What lies between bytes of this value; empty parts too.
  func octetSplit(at byte: UInt8, maxSplits: Int = .max) -> [Substring] {
    utf8.split(separator: byte, maxSplits: maxSplits, omittingEmptySubsequences: false).map { Substring($0) }
  }

  /// What follows a beginning; `nil` where it begins otherwise.
  func after(octets prefix: String) -> Substring? {
    guard utf8.starts(with: prefix.utf8) else { return nil }
    return Substring(utf8.dropFirst(prefix.utf8.count))
  }
}

/// A name, compared byte by byte: other spellings that look alike are other names.
struct ExactName: Hashable {
  let bytes: [UInt8]

  init(_ name: some StringProtocol) { bytes = Array(name.utf8) }
}

/// Where a text and its head part: at an empty line.
enum EmptyLine {
  case first, last

  /// What stands before the line break that the empty line follows, and what stands after the empty line.
  func split(_ text: String) -> (head: Substring, rest: Substring)? {
    let bytes = text.utf8
    var found: String.Index?
    var previous: String.Index?
    for place in bytes.indices {
      if bytes[place] == 0x0A, let before = previous, bytes[before] == 0x0A {
        found = before
        if self == .first { break }
      }
      previous = place
    }
    guard let found else { return nil }
    return (text[..<found], text[bytes.index(found, offsetBy: 2)...])
  }
}
