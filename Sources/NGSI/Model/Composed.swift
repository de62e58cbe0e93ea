import Foundation

extension String {
  /// Whether it is in Unicode's Normalization Form C (UAX 15): of two texts that are, either all bytes are the same or
  /// they are different texts to Swift too.
  ///
  /// Names are kept so: the store and the rules of access tell them apart by their bytes, and what looked like another name
  /// to the one and the same name to the other would be a way around both. An IRI should be so anyway (RFC 3987 section 5.3.2.2).
  public var isComposed: Bool {
    utf8.allSatisfy { $0 < 0x80 } || precomposedStringWithCanonicalMapping.hasSameBytes(as: self)
  }
}
