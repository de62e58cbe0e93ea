/// Turns client JSON (normalized, concise or simplified; ETSI GS CIM 009 clauses 4.5.1 to 4.5.24) into fragments
/// with expanded names.
public struct EntityReader: Sendable {
  public struct Rules: OptionSet, Sendable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// The NGSI-LD Null may stand for a removal (patches).
    public static let null = Rules(rawValue: 1)
    /// `createdAt`, `modifiedAt`, `deletedAt`, `instanceId` are kept (store, federation); otherwise they are ignored.
    public static let systemMembers = Rules(rawValue: 2)
    /// An array may hold many instances with the same `datasetId` (temporal evolution, clause 4.5.6).
    public static let evolution = Rules(rawValue: 4)
    /// Every attribute value is taken as it stands (simplified form, clause 4.5.4).
    public static let simplified = Rules(rawValue: 8)
    /// The NGSI-LD Null may stand inside a value (Merge Entity, clause 5.5.12).
    public static let nestedNull = Rules(rawValue: 16)
  }

  /// Most attributes that one entity may have.
  public static let maxAttributes = 10_000

  let context: Context
  let rules: Rules

  public init(context: Context, rules: Rules = []) {
    self.context = context
    self.rules = rules
  }

  /// Reads an entity or a part of one.
  public func entity(_ json: JSON) throws(Problem) -> EntityFragment {
    guard case .object(let object) = json else { throw .badRequest("an entity must be a JSON object") }
    guard object.count <= Self.maxAttributes else {
      throw .badRequest("an entity may have at most \(Self.maxAttributes) attributes")
    }
    var fragment = EntityFragment()
    fragment.attributes.reserveCapacity(object.count)
    for member in object.members {
      switch member.key {
      case "id", "@id": fragment.id = try uri(member.value, "id")
      case "type", "@type": fragment.types = try types(member.value)
      case "@context": continue
      case "scope": fragment.scopes = try scopes(member.value)
      case "expiresAt": fragment.expiresAt = try time(member.value, "expiresAt")
      case "createdAt", "modifiedAt", "deletedAt":
        guard rules.contains(.systemMembers) else { continue }
        let time = try time(member.value, member.key).value
        if member.key == "createdAt" { fragment.createdAt = time }
        if member.key == "modifiedAt" { fragment.modifiedAt = time }
        if member.key == "deletedAt" { fragment.deletedAt = time }
      default:
        let name = try attributeName(member.key)
        if let position = fragment.attributes.firstIndex(where: { $0.name == name }), fragment.attributes.count > 0 {
          throw .badRequest(
            "the attribute \(name) stands twice, as '\(member.key)' and as '\(context.compact(fragment.attributes[position].name))'"
          )
        }
        fragment.attributes.append(
          AttributeSetFragment(name: name, instances: try instances(member.value, name: member.key, depth: 0)))
      }
    }
    return fragment
  }

  /// Reads the value of one attribute member: an instance or an array of instances.
  public func attribute(_ json: JSON, name: String) throws(Problem) -> [AttributeFragment] {
    try instances(json, name: name, depth: 0)
  }

  /// Members that the core context defines as plain members; they are no attribute names (clause 4.5.1).
  static let reserved: Set<String> = [
    "datasetId", "instanceId", "observedAt", "unitCode", "lang", "objectType", "valueType", "previousValue",
    "previousObject", "previousLanguageMap", "previousVocab", "previousJson", "previousValueList",
    "previousObjectList", "value", "object", "languageMap", "vocab", "json", "valueList", "objectList", "entity",
    "entityList", "entityIdSealed", "entityTypeSealed",
  ]

  func attributeName(_ name: String) throws(Problem) -> String {
    guard !name.isEmpty, name.utf8.count <= IRI.maxLength else {
      throw .badRequest("an attribute name must have 1 to \(IRI.maxLength) bytes")
    }
    if context.isIdentity { return name }
    guard !Self.reserved.contains(name) else { throw .badRequest("'\(name)' cannot be the name of an attribute") }
    for byte in name.utf8 {
      switch byte {
      case 0...0x20, UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "="),
        UInt8(ascii: ";"), UInt8(ascii: "("), UInt8(ascii: ")"):
        throw .badRequest("the attribute name '\(name)' has a character that a name may not have")
      default: continue
      }
    }
    return context.expand(name)
  }
}

// MARK: - Members of an entity

extension EntityReader {
  func uri(_ json: JSON, _ member: String) throws(Problem) -> String {
    guard case .string(let text) = json else { throw .badRequest("'\(member)' must be a string") }
    guard IRI.isAbsolute(text) else { throw .badRequest("'\(member)' must be a URI, found '\(text.prefix(100))'") }
    return text
  }

  func types(_ json: JSON) throws(Problem) -> [String] {
    var types: [String] = []
    for item in json.items {
      guard case .string(let name) = item, !name.isEmpty else {
        throw .badRequest("'type' must be a name or an array of names")
      }
      guard name != Core.null else { throw .badRequest("'type' cannot be removed") }
      let iri = context.expand(name)
      if !types.contains(iri) { types.append(iri) }
    }
    guard !types.isEmpty else { throw .badRequest("'type' must have at least one name") }
    return types
  }

  func scopes(_ json: JSON) throws(Problem) -> Change<[String]> {
    if rules.contains(.null), json == .string(Core.null) { return .removed }
    var scopes: [String] = []
    // A temporal representation carries scope as a Property; its value counts.
    let plain = json["value"] ?? json
    for item in plain.items {
      guard case .string(let text) = item, Self.isScope(text) else {
        throw .badRequest("'scope' must be a scope such as '/Seoul/Mapo' or an array of scopes")
      }
      let scope = text.hasPrefix("/") ? text : "/" + text
      if !scopes.contains(scope) { scopes.append(scope) }
    }
    return .set(scopes)
  }

  /// Clause 4.18: levels of letters, digits and underscores (any script), separated by slashes.
  static func isScope(_ text: String) -> Bool {
    let levels = (text.hasPrefix("/") ? text.dropFirst() : text[...]).split(
      separator: "/", omittingEmptySubsequences: false)
    guard !levels.isEmpty, levels.count <= 32, text.utf8.count <= IRI.maxLength else { return false }
    return levels.allSatisfy { level in
      guard let first = level.first, first.isLetter else { return false }
      return level.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" }
    }
  }

  func time(_ json: JSON, _ member: String) throws(Problem) -> Change<DateTime> {
    if rules.contains(.null), json == .string(Core.null) { return .removed }
    guard let text = json.string ?? json["@value"]?.string, let time = DateTime(text) else {
      throw .badRequest("'\(member)' must be a UTC time such as 2026-11-22T09:30:00Z")
    }
    return .set(time)
  }
}
