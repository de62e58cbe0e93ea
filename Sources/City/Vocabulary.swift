import NGSI

/// Names as the NGSI-LD core context expands them, for entities that the city makes itself.
public enum Vocabulary {
  public static func iri(_ name: String) -> String { Context.core.expand(name) }

  /// The last part of an expanded name, which is how manifests name types and attributes.
  public static func short(_ iri: String) -> String {
    iri.lastIndex { $0 == "/" || $0 == "#" }.map { String(iri[iri.index(after: $0)...]) } ?? iri
  }
}
