import Testing
import TestSupport

@testable import NGSI

// Clauses: 4.4, 5.5.7
@Suite("Contexts")
struct ContextTests {
  private func read(_ source: JSON, _ documents: [String: JSON] = [:]) throws(Problem) -> Context {
    try ContextProcessor.context(source, documents: documents)
  }

  @Test("names on random contexts expand and compact as pyld does")
  func oracle() throws {
    let core = CoreContext.current.reduce(into: JSONObject()) { object, entry in
      var definition: JSON = ["@id": .string(entry.value.iri)]
      if entry.value.iri.hasPrefix("@") || entry.value.isPrefix { definition = .string(entry.value.iri) }
      object[entry.key] = definition
    }
    var withVocabulary = core
    withVocabulary["@vocab"] = .string(Core.defaultVocabulary)
    let answer = try Oracle.ask(
      "context_oracle.py", ["core": .object(withVocabulary), "seed": 9, "cases": 400], for: "names against pyld")
    guard let cases = answer?.array else { return }
    #expect(cases.count == 400)
    var errors = 0
    for one in cases {
      let source = try #require(one["context"])
      guard one["error"] == .bool(false) else {
        errors += 1
        #expect(throws: Problem.self, "\(JSONWriter.text(source))") { try read(source) }
        continue
      }
      let context = try read(source)
      for member in try #require(one["expanded"]?.object) {
        let text = "\(member.key) in \(JSONWriter.text(source))"
        if let iri = member.value.string {
          #expect(context.expand(member.key) == iri, "\(text)")
        } else {
          #expect(context.isNull(member.key), "\(text)")
        }
      }
      for member in try #require(one["compacted"]?.object) {
        #expect(context.compact(member.key) == member.value.string, "\(member.key) in \(JSONWriter.text(source))")
      }
    }
    #expect(errors > 0 && errors < 300)
  }

  @Test("a term with a colon stands before none", arguments: [":", "a:b"])
  func colons(_ term: String) throws {
    var terms = JSONObject()
    terms["a"] = "https://a.example/"
    terms[term] = "https://a.example/b"
    let context = try read([.object(terms), .string(CoreContext.url)])
    for iri in ["https://a.example/b", "https://a.example/b/U", "https://a.example/bU"] {
      #expect(context.expand(context.compact(iri)) == iri)
    }
    terms[term] = "https://e.example/"
    let other = try? read([.object(terms), .string(CoreContext.url)])
    if let other { #expect(other.expand(other.compact("https://e.example/U")) == "https://e.example/U") }
    #expect(other != nil || term != ":")
  }

  @Test("the core context has the last word")
  func precedence() throws {
    let context = try read([
      ["location": "https://evil.example/location", "type": "https://evil.example/type", "ok": "https://a.example/ok"],
      .string(CoreContext.url), ["observedAt": "https://evil.example/t"],
    ])
    #expect(context.expand("location") == Core.location)
    #expect(context.expand("type") == "@type")
    #expect(context.expand("observedAt") == "https://uri.etsi.org/ngsi-ld/observedAt")
    #expect(context.expand("ok") == "https://a.example/ok")
    #expect(context.compact("https://a.example/ok") == "ok")
    #expect(context.expand("other") == Core.defaultVocabulary + "other")
  }

  @Test("an older core context adds the terms that 1.9 dropped, and changes none")
  func olderCore() throws {
    let context = try read("https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.7.jsonld")
    #expect(context.expand("VocabularyProperty") == "https://uri.etsi.org/ngsi-ld/VocabularyProperty")
    #expect(context.expand("ordering") == "https://uri.etsi.org/ngsi-ld/ordering")
  }

  @Test(
    "malformed inline contexts are bad requests",
    arguments: [
      42, true, ["a": 1], ["a": ["@id": 7]], ["a": "b:c", "b": "a:d"], ["@vocab": 3],
      ["a": ["@id": "x:y", "@type": 3]], ["a": ["@id": "x:y", "@container": "@bag"]], ["": "x:y"], ["a/b": "x:y"],
      ["@version": 1.2], ["a": ["@id": "x:y", "@context": ["c": "d:e"]]], ["x:a": "y:b"],
    ] as [JSON])
  func malformed(source: JSON) {
    let problem = #expect(throws: Problem.self, "\(JSONWriter.text(source))") { try read(source) }
    #expect(problem?.kind == .badRequestData)
  }

  @Test("long chains of definitions and of arrays end in a problem, not in a crash")
  func chains() {
    var chain = JSONObject()
    for step in 0..<10_000 { chain["t\(step)"] = ["@id": .string("t\(step + 1):x")] }
    #expect(throws: Problem.self) { try read(.object(chain)) }
    let many = JSONObject(uniqueMembers: (0...20_000).map { JSONObject.Member(key: "t\($0)", value: "a:b") })
    #expect(throws: Problem.self) { try read(.object(many)) }
    var nested: JSON = [:]
    for _ in 0..<50 { nested = [nested] }
    #expect(throws: Problem.self) { try read(nested) }
  }

  @Test("@import is merged, and what it imports may not import again")
  func imported() throws {
    let documents: [String: JSON] = ["https://a.example/c": ["x": "https://a.example/x", "y": "https://a.example/y"]]
    let context = try read(["@import": "https://a.example/c", "y": "https://b.example/y"], documents)
    #expect(context.expand("x") == "https://a.example/x")
    #expect(context.expand("y") == "https://b.example/y")
  }

  @Test("the core context ends what is embedded in answers")
  func embedded() throws {
    #expect(try read("https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.6.jsonld").embedded.array == nil)
    #expect(try read(["a": "b:c"]).embedded == [["a": "b:c"], .string(CoreContext.url)])
  }
}
