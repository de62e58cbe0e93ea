/// A version of the NGSI-LD specification, as `ngsi-ld=1.5` asks for it (ETSI GS CIM 009 clause 4.3.6.8).
public struct SpecificationVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
  public let major: Int
  public let minor: Int

  public init(_ major: Int, _ minor: Int) {
    self.major = major
    self.minor = minor
  }

  /// Reads `major.minor`; `nil` for anything else.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, text.utf8.count <= 7,
      parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { $0 &- UInt8(ascii: "0") < 10 } }),
      let major = Int(parts[0]), let minor = Int(parts[1]), major >= 1
    else { return nil }
    self.init(major, minor)
  }

  /// The one that this program knows best.
  public static let current = SpecificationVersion(1, 9)

  public static func < (left: SpecificationVersion, right: SpecificationVersion) -> Bool {
    (left.major, left.minor) < (right.major, right.minor)
  }

  public var description: String { "\(major).\(minor)" }

  /// The version that an answer to who asks for this one conforms to: none later than the one known here.
  public var conformant: SpecificationVersion { min(self, .current) }
}

// What came with which version (tables 4.3.6.8-1 to 4.3.6.8-3).
extension SpecificationVersion {
  /// `expiresAt` of entities and attributes, `valueType`.
  var hasExpiry: Bool { self >= SpecificationVersion(1, 9) }
  /// VocabProperty, JsonProperty, ListProperty, ListRelationship, `objectType`.
  var hasListsAndVocabularies: Bool { self >= SpecificationVersion(1, 8) }
  /// LanguageProperty, `scope`.
  var hasLanguagesAndScopes: Bool { self >= SpecificationVersion(1, 4) }
  /// Several types, several instances by `datasetId`, `observedAt`, `unitCode`.
  var hasDatasets: Bool { self >= SpecificationVersion(1, 3) }

  /// What an attribute of a kind falls back to.
  func fallback(of kind: AttributeKind) -> AttributeKind {
    switch kind {
    case .property, .geoProperty, .relationship: kind
    case .languageProperty: hasLanguagesAndScopes ? kind : .property
    case .vocabProperty, .jsonProperty, .listProperty: hasListsAndVocabularies ? kind : .property
    case .listRelationship: hasListsAndVocabularies ? kind : .relationship
    }
  }
}
