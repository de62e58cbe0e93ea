import Foundation
import Oracles
import Testing

@testable import NGSI

// Clauses: B
@Suite("Core contexts")
struct CoreContextTests {
  /// ETSI's published texts, read by a simple reading of their own: prefix and name.
  @Test("the term tables agree with the published texts", arguments: CoreContext.versions)
  func tables(version: Int) throws {
    let path = "ngsi/core-contexts/ngsi-ld-core-context-v1.\(version).jsonld"
    guard let url = Oracle.data(path, for: "core context 1.\(version) against the published text") else { return }
    let published = try #require(try JSONParser.parse(Array(Data(contentsOf: url)))["@context"]?.object)
    let vocabulary = try #require(published["@vocab"]?.string)
    #expect(vocabulary == Core.defaultVocabulary)
    func iri(_ text: String) -> String {
      let parts = text.split(separator: ":", maxSplits: 1)
      if parts.count == 2, let prefix = published[String(parts[0])]?.string { return prefix + parts[1] }
      return parts.count == 2 || text.hasPrefix("@") ? text : vocabulary + text
    }
    let table = CoreContext.terms(version: version)
    var expected = Set<String>()
    for member in published.members where !member.key.hasPrefix("@") {
      expected.insert(member.key)
      let term = try #require(table[member.key], "\(member.key) is missing")
      let definition = member.value.object
      #expect(term.iri == iri(try #require(member.value.string ?? definition?["@id"]?.string)), "\(member.key)")
      let type = definition?["@type"]?.string
      let coercion = type.map { $0.hasPrefix("@") ? $0 : iri(published[$0]?.string ?? $0) }
      #expect(term.coercion == coercion, "\(member.key)")
      #expect(term.container == definition?["@container"]?.string, "\(member.key)")
    }
    #expect(Set(table.keys) == expected)
  }

  @Test("addresses of core contexts of every version are known")
  func addresses() {
    for version in CoreContext.versions {
      let url = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.\(version).jsonld"
      #expect(CoreContext.version(of: url) == version)
    }
    #expect(CoreContext.version(of: "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld") == 9)
    #expect(CoreContext.version(of: "http://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.3.jsonld") == 3)
    #expect(CoreContext.version(of: "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.99.jsonld") == nil)
    #expect(CoreContext.version(of: "https://example.org/ngsi-ld-core-context-v1.3.jsonld") == nil)
  }
}
