/// Turns client JSON (normalized, concise or simplified; ETSI GS CIM 009 clauses 4.5.1 to 4.5.24) into fragments
/// with expanded names.
///
/// Values are kept as they came, whatever characters they have (clause 4.6.4); names are checked. Members that only the
/// hub sets (`createdAt`, `instanceId`, `previousValue`, `entity` …) are taken from the store and from other hubs, and
/// read over when a client sends them.
public struct EntityReader: Sendable {
  public struct Rules: OptionSet, Sendable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// The NGSI-LD Null may stand for a removal, and an attribute may come without its value (patches).
    public static let null = Rules(rawValue: 1)
    /// `createdAt`, `modifiedAt`, `deletedAt`, `instanceId` are kept (store, federation); otherwise they are ignored.
    public static let systemMembers = Rules(rawValue: 2)
    /// An array may hold many instances with the same `datasetId`, and the scopes are an attribute, ``Core/scope``
    /// (temporal evolution, clause 4.5.6).
    public static let evolution = Rules(rawValue: 4)
    /// Attributes are bare values (simplified form, clause 4.5.4).
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
    var fragment = EntityFragment()
    fragment.attributes.reserveCapacity(min(object.count, Self.maxAttributes))
    var names = NameCheck(large: object.count)
    for member in object.members {
      switch EntityMember(member.key) {
      case .id: fragment.id = try uri(member.value, "id")
      case .type: fragment.types = try types(member.value)
      case .context: continue
      case .scope where rules.contains(.evolution):
        fragment.attributes.append(AttributeSetFragment(name: Core.scope, instances: try scopeHistory(member.value)))
      case .scope: fragment.scopes = try scopes(member.value)
      case .expiresAt: fragment.expiresAt = try time(member.value, "expiresAt")
      case .createdAt:
        guard rules.contains(.systemMembers) else { continue }
        fragment.createdAt = try time(member.value, "createdAt").value
      case .modifiedAt:
        guard rules.contains(.systemMembers) else { continue }
        fragment.modifiedAt = try time(member.value, "modifiedAt").value
      case .deletedAt:
        guard rules.contains(.systemMembers) else { continue }
        fragment.deletedAt = try time(member.value, "deletedAt").value
      case nil:
        let name = try attributeName(member.key)
        // A user's alias of a keyword.
        if name == "@id" {
          fragment.id = try uri(member.value, member.key)
          continue
        }
        if name == "@type" {
          fragment.types = try types(member.value)
          continue
        }
        if names.isTaken(name, among: fragment.attributes) {
          throw .badRequest("the attribute \(name) stands twice, the second time as '\(member.key)'")
        }
        guard fragment.attributes.count < Self.maxAttributes else {
          throw .badRequest("an entity may have at most \(Self.maxAttributes) attributes")
        }
        fragment.attributes.append(
          AttributeSetFragment(name: name, instances: try instances(member.value, name: member.key, depth: 0)))
      }
    }
    return fragment
  }

  /// The expanded name of an attribute.
  ///
  /// - Throws: for a name that no attribute can have (clause 4.6.2).
  public func name(ofAttribute name: String) throws(Problem) -> String {
    let iri = try attributeName(name)
    guard iri.utf8.first != UInt8(ascii: "@") else { throw .badRequest("'\(name)' cannot be the name of an attribute") }
    return iri
  }

  /// Reads the value of one attribute member: an instance or an array of instances.
  public func attribute(_ json: JSON, name: String) throws(Problem) -> [AttributeFragment] {
    try instances(json, name: name, depth: 0)
  }
}

/// Members of an entity that are no attributes.
private enum EntityMember {
  case id, type, context, scope, expiresAt, createdAt, modifiedAt, deletedAt

  @inline(__always)
  init?(_ key: String) {
    switch key.utf8.count {
    case 2 where key == "id": self = .id
    case 3 where key == "@id": self = .id
    case 4 where key == "type": self = .type
    case 5 where key == "@type": self = .type
    case 5 where key == "scope": self = .scope
    case 8 where key == "@context": self = .context
    case 9:
      switch key {
      case "expiresAt": self = .expiresAt
      case "createdAt": self = .createdAt
      case "deletedAt": self = .deletedAt
      default: return nil
      }
    case 10 where key == "modifiedAt": self = .modifiedAt
    default: return nil
    }
  }
}

/// Whether a name has been seen: by looking through few names, by a set among many.
struct NameCheck {
  private var seen: Set<String>?

  init(large count: Int) { seen = count >= JSONObject.indexedFrom ? Set(minimumCapacity: count) : nil }

  mutating func isTaken(_ name: String, among sets: [AttributeSetFragment]) -> Bool {
    if seen != nil { return seen?.insert(name).inserted == false }
    return sets.contains { $0.name == name }
  }
}

// MARK: - Names

extension EntityReader {
  /// Members that the core context defines as plain members; they are no attribute names (clause 4.5.1).
  static let reserved: Set<String> = [
    "datasetId", "instanceId", "observedAt", "unitCode", "lang", "objectType", "valueType", "previousValue",
    "previousObject", "previousLanguageMap", "previousVocab", "previousJson", "previousValueList",
    "previousObjectList", "value", "object", "languageMap", "vocab", "json", "valueList", "objectList", "entity",
    "entityList", "createdAt", "modifiedAt", "deletedAt", "expiresAt",
  ]

  func attributeName(_ name: String) throws(Problem) -> String {
    if context.isIdentity { return name }
    guard !Self.reserved.contains(name) else { throw .badRequest("'\(name)' cannot be the name of an attribute") }
    let iri = try expandedName(name, "attribute")
    if iri.utf8.first == UInt8(ascii: "@"), iri != "@id", iri != "@type" {
      throw .badRequest("'\(name)' cannot be the name of an attribute")
    }
    return iri
  }

  /// The IRI of an attribute or type name, which may not have the characters that clause 4.6.4 lists, nor spaces.
  ///
  /// Clause 4.6.2 would only take letters, digits and underscores; `-`, `.` and whole IRIs are in use everywhere.
  func expandedName(_ name: String, _ what: StaticString) throws(Problem) -> String {
    guard !name.isEmpty, name.utf8.count <= IRI.maxLength else {
      throw .badRequest("the name of an \(what) must have 1 to \(IRI.maxLength) bytes")
    }
    for byte in name.utf8 where Self.isForbidden(byte) {
      throw .badRequest("the \(what) name '\(name)' has a character that a name may not have")
    }
    guard !context.isNull(name) else { throw .badRequest("the @context takes the meaning of '\(name)' away (null)") }
    return context.expand(name)
  }

  @inline(__always)
  private static func isForbidden(_ byte: UInt8) -> Bool {
    switch byte {
    case 0...0x20, 0x7F, UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""), UInt8(ascii: "'"),
      UInt8(ascii: "="), UInt8(ascii: ";"), UInt8(ascii: "("), UInt8(ascii: ")"):
      true
    default: false
    }
  }
}

// MARK: - Members of an entity

extension EntityReader {
  func uri(_ json: JSON, _ member: String) throws(Problem) -> String {
    guard case .string(let text) = json else { throw .badRequest("'\(member)' must be a string") }
    guard IRI.isAbsolute(text) else { throw .badRequest("'\(member)' must be a URI, found '\(text.prefix(100))'") }
    guard text != Core.null else { throw .badRequest("'\(member)' cannot be removed or be NGSI-LD Null") }
    return text
  }

  func types(_ json: JSON) throws(Problem) -> [String] {
    var types: [String] = []
    for item in json.items {
      guard case .string(let name) = item else { throw .badRequest("'type' must be a name or an array of names") }
      guard name != Core.null else { throw .badRequest("'type' cannot be removed") }
      let iri = try expandedName(name, "type")
      guard iri.utf8.first != UInt8(ascii: "@") else { throw .badRequest("'\(name)' cannot be a type") }
      if !types.contains(iri) { types.append(iri) }
    }
    guard !types.isEmpty else { throw .badRequest("'type' must have at least one name") }
    return types
  }

  func scopes(_ json: JSON) throws(Problem) -> Change<[String]> {
    if rules.contains(.null), json == .string(Core.null) || json == [.string(Core.null)] { return .removed }
    return .set(try plainScopes(json))
  }

  private func plainScopes(_ json: JSON) throws(Problem) -> [String] {
    var scopes: [String] = []
    for item in json.items {
      guard case .string(let text) = item, Self.isScope(text) else {
        throw .badRequest("'scope' must be a scope such as '/Seoul/Mapo' or an array of scopes")
      }
      let scope = text.hasPrefix("/") ? text : "/" + text
      if !scopes.contains(scope) { scopes.append(scope) }
    }
    return scopes
  }

  /// The scopes of a temporal evolution: Property instances, or bare scopes that make one instance.
  private func scopeHistory(_ json: JSON) throws(Problem) -> [AttributeFragment] {
    let isReified = json.items.allSatisfy { $0.object != nil }
    var fragments: [AttributeFragment] = []
    for item in isReified ? json.items : [json] {
      var fragment = AttributeFragment()
      fragment.kind = .property
      if let object = item.object {
        guard object["type"].map({ $0 == "Property" }) ?? true, let value = object["value"] else {
          throw .badRequest("an instance of 'scope' must be a Property with a value")
        }
        // Other hubs show scopes that were taken away as an instance with the Null.
        let isDeletion = rules.contains(.systemMembers) && value == .string(Core.null)
        fragment.value = .set(isDeletion ? value : .scopes(try plainScopes(value)))
        if let observedAt = object["observedAt"] { fragment.observedAt = try time(observedAt, "observedAt") }
        if rules.contains(.systemMembers) {
          fragment.createdAt = try toldTime("createdAt", of: object)
          fragment.modifiedAt = try toldTime("modifiedAt", of: object)
          fragment.deletedAt = try toldTime("deletedAt", of: object)
          if let instanceId = object["instanceId"] { fragment.instanceId = try uri(instanceId, "instanceId") }
        }
      } else {
        fragment.value = .set(.scopes(try plainScopes(item)))
      }
      fragments.append(fragment)
    }
    return fragments
  }

  private func toldTime(_ member: StaticString, of object: JSONObject) throws(Problem) -> DateTime? {
    guard let json = object["\(member)"] else { return nil }
    return try time(json, member).value
  }

  /// Clause 4.18: levels of letters, digits and underscores (any script), separated by slashes; `-` is taken too.
  static func isScope(_ text: String) -> Bool {
    let levels = (text.hasPrefix("/") ? text.dropFirst() : text[...]).split(
      separator: "/", omittingEmptySubsequences: false)
    guard !levels.isEmpty, levels.count <= 32, text.utf8.count <= IRI.maxLength else { return false }
    return levels.allSatisfy { level in
      guard let first = level.first, first.isLetter else { return false }
      return level.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" }
    }
  }

  func time(_ json: JSON, _ member: StaticString) throws(Problem) -> Change<DateTime> {
    if case .string(let text) = json, let time = DateTime(text) { return .set(time) }
    if rules.contains(.null), json == .string(Core.null) { return .removed }
    guard let text = json["@value"]?.string, let time = DateTime(text) else {
      throw .badRequest("'\(member)' must be a UTC time such as 2026-11-22T09:30:00Z")
    }
    return .set(time)
  }
}

extension JSON {
  /// The value of a `scope` member: one scope by itself, several as an array (clause 4.18).
  public static func scopes(_ scopes: [String]) -> JSON {
    scopes.count == 1 ? .string(scopes[0]) : .array(scopes.map(JSON.string))
  }
}
