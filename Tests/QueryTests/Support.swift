import Fuzzing
import NGSI
import Query

/// Terms of a test context: `a` is `https://example.org/a`.
let example = "https://example.org/"

let context = Context(
  terms: ["Male": Context.Term(iri: "http://example.org/Male")], vocabulary: example, source: .null)

/// An entity as a client writes it.
func entity(_ text: String) throws -> Entity {
  try EntityReader(context: context, rules: .systemMembers).entity(try JSONParser.parse(text)).entity()
}

func matches(_ q: String, _ entity: Entity, expandValues: Set<String> = [], linked: [Entity] = []) throws -> Bool {
  try Filter(q: q, context: context, expandValues: expandValues).matches(entity) { id in
    linked.first { $0.id == id }
  }
}
