/// Reads the form the store keeps straight into an ``Entity``, without a JSON tree in between.
///
/// This is the hot way of every read. It takes exactly what ``EntityWriter/storedBytes(_:)`` writes: normalized members
/// with expanded names and no spaces between tokens; values may be any JSON.
struct StoredEntityReader {
  private var parser: JSONParser
  /// The time read last and where it stands: most times of an entity are the same.
  private var lastTime: (text: UnsafeBufferPointer<UInt8>, time: DateTime)?

  private init(parser: JSONParser) { self.parser = parser }

  static func entity(_ bytes: UnsafeBufferPointer<UInt8>) throws(JSONError) -> Entity {
    var reader = StoredEntityReader(parser: JSONParser(bytes: bytes, maxDepth: JSONParser.defaultDepth))
    let entity = try reader.entity()
    guard reader.parser.position == bytes.count else { throw reader.parser.error(.trailingBytes) }
    return entity
  }

  private mutating func entity() throws(JSONError) -> Entity {
    var entity = Entity(id: "", types: [])
    try expect(UInt8(ascii: "{"))
    repeat {
      let key = try key()
      if key == "id" {
        entity.id = try string()
      } else if key == "type" {
        entity.types = try strings()
      } else if key == "scope" {
        entity.scopes = try strings()
      } else if key == "createdAt" {
        entity.createdAt = try time()
      } else if key == "modifiedAt" {
        entity.modifiedAt = try time()
      } else if key == "deletedAt" {
        entity.deletedAt = try time()
      } else if key == "expiresAt" {
        entity.expiresAt = try time()
      } else {
        entity.attributes.append(try attributeSet(key))
      }
    } while try parser.take(UInt8(ascii: ","))
    try expect(UInt8(ascii: "}"))
    guard !entity.id.isEmpty, !entity.types.isEmpty else { throw parser.error(.unexpectedByte) }
    return entity
  }

  private mutating func attributeSet(_ key: Key) throws(JSONError) -> AttributeSet {
    var set = AttributeSet(name: key.text, instances: [])
    guard parser.position < parser.bytes.count else { throw parser.error(.unexpectedEnd) }
    switch parser.bytes[parser.position] {
    case UInt8(ascii: "{"): set.instances = [try attribute()]
    case UInt8(ascii: "[") where parser.bytes.dropFirst(parser.position + 1).first == UInt8(ascii: "{"):
      try expect(UInt8(ascii: "["))
      repeat { set.instances.append(try attribute()) } while try parser.take(UInt8(ascii: ","))
      try expect(UInt8(ascii: "]"))
    default:
      // A member of `ngsildproof` that is no attribute: a text, or an array of texts.
      set.instances = [Attribute(kind: .property, value: try parser.value())]
    }
    return set
  }

  private mutating func attribute() throws(JSONError) -> Attribute {
    var attribute = Attribute(kind: .property, value: .null)
    try expect(UInt8(ascii: "{"))
    repeat {
      let key = try key()
      // Ordered by how often they come; the kind stands first and decides the value member.
      if key == "type" {
        guard let kind = AttributeKind(rawValue: try string()) else { throw parser.error(.unexpectedByte) }
        attribute.kind = kind
      } else if key == attribute.kind.valueMemberKey {
        attribute.value = try parser.value()
      } else if key == "createdAt" {
        attribute.createdAt = try time()
      } else if key == "modifiedAt" {
        attribute.modifiedAt = try time()
      } else if key == "observedAt" {
        attribute.observedAt = try time()
      } else if key == "unitCode" {
        attribute.unitCode = try string()
      } else if key == "datasetId" {
        attribute.datasetId = try string()
      } else if key == "expiresAt" {
        attribute.expiresAt = try time()
      } else if key == "deletedAt" {
        attribute.deletedAt = try time()
      } else if key == "instanceId" {
        attribute.instanceId = try string()
      } else if key == "objectType" {
        attribute.objectType = try strings()
      } else if key == "valueType" {
        attribute.valueType = try string()
      } else if key == "lang" {
        attribute.language = try string()
      } else if key.hasPrefix("previous") {
        attribute.previousValue = try parser.value()
      } else {
        attribute.subAttributes.append(try attributeSet(key))
      }
    } while try parser.take(UInt8(ascii: ","))
    try expect(UInt8(ascii: "}"))
    return attribute
  }
}

// MARK: - Tokens

extension StoredEntityReader {
  /// A member's name as it stands in the text, so that known ones need no string.
  private struct Key {
    let bytes: UnsafeBufferPointer<UInt8>
    /// The name, when it has escapes.
    let unescaped: String?

    var text: String { unescaped ?? String(decoding: bytes, as: UTF8.self) }

    @inline(__always)
    static func == (key: Key, name: StaticString) -> Bool {
      key.bytes.count == name.utf8CodeUnitCount && key.hasPrefix(name)
    }

    @inline(__always)
    func hasPrefix(_ name: StaticString) -> Bool {
      guard bytes.count >= name.utf8CodeUnitCount else { return false }
      for offset in 0..<name.utf8CodeUnitCount where bytes[offset] != name.utf8Start[offset] { return false }
      return true
    }
  }

  /// Reads `"name":`.
  private mutating func key() throws(JSONError) -> Key {
    let opening = parser.position
    try expect(UInt8(ascii: "\""))
    let start = parser.position
    var unescaped: String?
    if try !parser.skipPlainCharacters() {
      parser.position = opening
      unescaped = try parser.string()
      parser.position -= 1
    }
    let name = UnsafeBufferPointer(rebasing: parser.bytes[start..<parser.position])
    parser.position += 1
    try expect(UInt8(ascii: ":"))
    return Key(bytes: name, unescaped: unescaped)
  }

  private mutating func expect(_ byte: UInt8) throws(JSONError) {
    guard try parser.take(byte) else { throw parser.error(.unexpectedByte) }
  }

  private mutating func string() throws(JSONError) -> String {
    guard parser.position < parser.bytes.count, parser.bytes[parser.position] == UInt8(ascii: "\"") else {
      throw parser.error(.unexpectedByte)
    }
    return try parser.string()
  }

  /// One string, or an array of strings.
  private mutating func strings() throws(JSONError) -> [String] {
    guard try parser.take(UInt8(ascii: "[")) else { return [try string()] }
    var strings: [String] = []
    repeat { strings.append(try string()) } while try parser.take(UInt8(ascii: ","))
    try expect(UInt8(ascii: "]"))
    return strings
  }

  private mutating func time() throws(JSONError) -> DateTime {
    try expect(UInt8(ascii: "\""))
    let rest = UnsafeBufferPointer(rebasing: parser.bytes[parser.position...])
    if let (text, time) = lastTime, rest.count > text.count, rest[text.count] == UInt8(ascii: "\""),
      text.elementsEqual(rest.prefix(text.count))
    {
      parser.position += text.count + 1
      return time
    }
    guard let end = rest.firstIndex(of: UInt8(ascii: "\"")) else { throw parser.error(.unexpectedEnd) }
    let text = UnsafeBufferPointer(rebasing: rest[..<end])
    guard let time = DateTime(utf8: text) else { throw parser.error(.unexpectedByte) }
    lastTime = (text, time)
    parser.position += end + 1
    return time
  }
}

extension AttributeKind {
  fileprivate var valueMemberKey: StaticString {
    switch self {
    case .property, .geoProperty: "value"
    case .relationship: "object"
    case .languageProperty: "languageMap"
    case .vocabProperty: "vocab"
    case .jsonProperty: "json"
    case .listProperty: "valueList"
    case .listRelationship: "objectList"
    }
  }
}
