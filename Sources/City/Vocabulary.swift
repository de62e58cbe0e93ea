import NGSI

/// Names as the NGSI-LD core context expands them, for entities that the city makes itself.
public enum Vocabulary {
  public static func iri(_ name: String) -> String { Context.core.expand(name) }
}
