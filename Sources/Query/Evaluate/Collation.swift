import CICU
import NGSI
import Synchronization

/// An order of texts that ICU knows by a BCP 47 tag: `und`, `de-u-co-phonebk`, `ko` (RFC 6067).
public final class Collation: Sendable {
  /// A collator that one thread uses at a time.
  // Sendable under the Mutex that holds it: the pointer does not leave it.
  private struct Collator: ~Copyable, @unchecked Sendable {
    let pointer: OpaquePointer
    deinit { madang_collator_close(pointer) }
  }

  private let collator: Mutex<Collator>

  /// - Throws: ``Problem`` `BadRequestData` for a text that is no language tag.
  public init(_ tag: String) throws(Problem) {
    guard tag.utf8.count <= 100, !tag.isEmpty, !tag.utf8.contains(0),
      let pointer = madang_collator_open(tag, Int32(tag.utf8.count))
    else {
      throw .badRequest("collation: expected a language tag such as und or de-u-co-phonebk, found '\(tag.prefix(60))'")
    }
    collator = Mutex(Collator(pointer: pointer))
  }

  /// -1, 0 or 1.
  func compare(_ left: String, _ right: String) -> Int {
    collator.withLock { collator in
      Int(madang_collator_compare(collator.pointer, left, Int32(left.utf8.count), right, Int32(right.utf8.count)))
    }
  }
}
