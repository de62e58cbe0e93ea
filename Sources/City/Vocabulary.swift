import NGSI

/// Names as the NGSI-LD core context expands them, for entities that the city makes itself.
public enum Vocabulary {
  /// The names we use that the core context defines; every other falls under its default vocabulary.
  private static let core = [
    "location": Core.location, "observationSpace": Core.observationSpace, "operationSpace": Core.operationSpace,
    "status": Core.namespace + "status", "description": "http://purl.org/dc/terms/description",
    "title": "http://purl.org/dc/terms/title",
  ]

  public static func iri(_ name: String) -> String { core[name] ?? Core.defaultVocabulary + name }

  /// Reads and writes entities under these names.
  public static let context = Context(terms: core.mapValues { Context.Term(iri: $0) }, source: .null)
}
