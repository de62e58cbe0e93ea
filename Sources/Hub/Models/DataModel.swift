import JSONSchema
import NGSI

/// What a tenant does with an entity that does not meet its data model.
public enum ValidationMode: String, Sendable, CaseIterable {
  /// It is refused, whole.
  case strict
  /// It is stored, counted, and the answer says what is wrong (`NGSILD-Warning`).
  case warn
  /// Nothing is looked at.
  case open
}

/// The data model of an entity type: a JSON Schema that its entities are to meet.
///
/// What is judged is the entity as a client reads it: in the key-values form (ETSI GS CIM 009 clause 4.5.4, for which
/// the schemas of Smart Data Models are written) or the normalized one, with names compacted by the model's context and
/// `type` naming the model's type alone; in key-values a JSON-LD typed value (`{"@type": "DateTime", "@value": …}`) is
/// judged by its value, as the schemas mean it. Where attributes have several instances (`datasetId`), the key-values form is
/// judged once for each place in the lists of instances, so that every instance is looked at.
public struct DataModel: Sendable {
  public enum Form: String, Sendable {
    case keyValues
    case normalized
  }

  /// Expanded type IRI; the model's identifier.
  public var type: String
  public var form: Form
  /// As it was given: `type`, `schema`, and where they were given `@context`, `form`, `title`, `source`, `version`.
  public var document: JSONObject
  public var modifiedAt: DateTime
  let schema: Schema
  let writer: EntityWriter

  init(
    _ document: JSONObject, type: String, context: Context, schemas: [String: JSON], at time: DateTime
  ) throws(Problem) {
    self.type = type
    self.document = document
    modifiedAt = time
    switch document["form"] {
    case nil: form = .keyValues
    case .string(let name)?:
      guard let form = Form(rawValue: name) else { fallthrough }
      self.form = form
    default: throw .badRequest("'form' is to be keyValues or normalized")
    }
    guard let schema = document["schema"] else { throw .badRequest("the model has no 'schema'") }
    do { self.schema = try Schema(schema, documents: schemas) } catch {
      throw .badRequest("the schema cannot be used: \(error)")
    }
    writer = EntityWriter(
      context: context, representation: Representation(form == .keyValues ? .simplified : .normalized))
  }

  /// Instances of one attribute that are looked at.
  static let mostInstances = 100

  /// What is wrong with an entity; nothing when it meets the model.
  func failures(of entity: Entity) -> [String] {
    var shown = entity
    shown.types = [type]
    guard form == .keyValues else { return failures(ofShown: shown) }
    let depth = min(entity.attributes.lazy.map(\.instances.count).max() ?? 1, Self.mostInstances)
    for index in 0..<max(1, depth) {
      for position in shown.attributes.indices {
        let instances = entity.attributes[position].instances
        guard var instance = index < instances.count ? instances[index] : instances.first else { continue }
        instance.datasetId = nil
        shown.attributes[position].instances = [instance]
      }
      let failures = failures(ofShown: shown)
      if !failures.isEmpty { return failures }
    }
    return []
  }

  private func failures(ofShown entity: Entity) -> [String] {
    var text = JSONWriter()
    writer.write(entity, to: &text)
    do {
      let shown = try JSONParser.parse(text.bytes)
      return try schema.validate(form == .keyValues ? shown.withoutTypedValues : shown).map(\.description)
    } catch {
      return ["it cannot be judged: \(error)"]
    }
  }
}

extension JSON {
  /// The value with `{"@type": …, "@value": v}` replaced by `v` (JSON-LD 1.1 section 4.2.1).
  fileprivate var withoutTypedValues: JSON {
    switch self {
    case .array(let items): return .array(items.map(\.withoutTypedValues))
    case .object(let object):
      if object.count == 2, object["@type"] != nil, let value = object["@value"] { return value }
      return .object(
        JSONObject(uniqueMembers: object.members.map { .init(key: $0.key, value: $0.value.withoutTypedValues) }))
    default: return self
    }
  }
}
