import Foundation
import NGSI
import Oracles
import Testing

@testable import City

enum Examples {
  static let folder = Oracle.root.appending(path: "Examples")

  static var paths: [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { $0.hasSuffix(".city.yaml") }.sorted().map { folder.appending(path: $0).path }
  }

  static func text(_ name: String) throws -> String {
    try String(contentsOf: folder.appending(path: name + ".city.yaml"), encoding: .utf8)
  }

  static func manifest(_ name: String) throws -> Manifest {
    try ManifestFile.read(path: folder.appending(path: name + ".city.yaml").path).manifest
  }
}

@Suite("Manifest")
struct ManifestTests {
  func problems(_ text: String) -> [FileProblem] {
    do {
      _ = try ManifestFile.read(text: text, path: "x.city.yaml")
      return []
    } catch { return error.problems }
  }

  @Test("every example is a valid manifest", arguments: Examples.paths)
  func examples(path: String) throws {
    let file = try ManifestFile.read(path: path)
    #expect(!file.manifest.fleets.isEmpty)
    #expect(file.manifest.mode == .simulated)
    // A laptop boots it.
    #expect(SimulatedCity(file.manifest).deviceCount < 5000)
    for fleet in file.manifest.fleets where fleet.planned != nil {
      let planned = try #require(fleet.planned)
      let sampled = Int((Double(planned) * file.manifest.sampling).rounded(.up))
      #expect(fleet.count == (planned <= 60 ? planned : max(60, sampled)), "\(path) \(fleet.id)")
    }
  }

  @Test("there are the four cases and the demo")
  func cases() { #expect(Examples.paths.count == 5) }

  @Test("all errors at once, each with line, key, found and expected")
  func allErrors() throws {
    let text = try Examples.text("demo")
      .replacing("kind: downtown-redevelopment", with: "kindd: downtown-redevelopment")
      .replacing("seed: 20191108", with: "seed: many")
      .replacing("timeZone: Asia/Seoul", with: "timeZone: Asia/Soul!")
      .replacing("people: 48000", with: "people: -1")
    let found = problems(text)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(found.map(\.key) == ["kind", "kindd", "seed", "site.timeZone", "population.people"])
    #expect(found[1].found == "the unknown key 'kindd'")
    #expect(found[1].expected == "'kind' (did you mean that?)")
    #expect(found[2].found == "the text 'many'")
    for problem in found.dropFirst() {
      let last = problem.key.split(separator: ".").last ?? ""
      #expect(lines[problem.line - 1].contains(last), "\(problem)")
    }
    #expect(found[2].description.hasPrefix("x.city.yaml:"))
  }

  @Test("rules between keys name the place")
  func rules() throws {
    let text = try Examples.text("demo")
      .replacing("centre: [129.06, 35.158]", with: "centre: [127.0, 35.158]")
      .replacing("- id: weather", with: "- id: air")
      .replacing("{watts: 80}", with: "{wats: 80}")
      .replacing("fleet: meters", with: "fleet: metres")
    let found = problems(text)
    #expect(found.map(\.key) == ["site.centre", "fleets[1].id", "fleets[4].model.wats", "acceptance[1].fleet"])
    #expect(found.allSatisfy { $0.line > 0 })
  }

  @Test("hostile YAML is refused, quickly")
  func hostile() throws {
    var bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for (from, to) in zip("abcdefgh", "bcdefghi") {
      bomb += "\(to): &\(to) [" + Array(repeating: "*\(from)", count: 10).joined(separator: ", ") + "]\n"
    }
    let started = ContinuousClock.now
    #expect(!problems(bomb).isEmpty)
    #expect(!problems("fleets: " + String(repeating: "[", count: 5000)).isEmpty)
    #expect(!problems(String(repeating: "x", count: 2 << 20)).isEmpty)
    #expect(!problems("").isEmpty)
    #expect(!problems("madang: 1\nmadang: 1\n").isEmpty)
    #expect(!problems("madang: 1\n---\nmadang: 1\n").isEmpty)
    #expect(!problems("a: !!binary x\n\u{0}").isEmpty)
    #expect(ContinuousClock.now - started < .seconds(5))
    let anchored = try Examples.text("demo").replacing("id: seomyeon", with: "id: &name seomyeon")
    #expect(problems(anchored).map(\.found) == ["an anchor or alias"])
    for text in ["a: *b", "- &x 1", "[a, *b]", "{a: &c 1}", "? *k", "a: 'x'\nb: \"y\"\nc: *d"] {
      #expect(AliasScan.firstLine(in: text) != nil, "\(text)")
    }
    for text in [
      "a: b & c", "a: 'it''s *b'", "a: \"x \\\" &y\"", "a: 3 * 4, *5", "# *x", "a: mean(A.b)*2", "a: city's &c",
    ] {
      #expect(AliasScan.firstLine(in: text) == nil, "\(text)")
    }
    let huge = try Examples.text("demo").replacing("count: 420", with: "count: 42000000")
    #expect(problems(huge).map(\.key) == ["fleets[11].count"])
  }

  @Test("the hash follows content, not spelling")
  func hash() throws {
    let text = try Examples.text("demo")
    let first = try ManifestFile.read(text: text, path: "a")
    let spelled = try ManifestFile.read(
      text: "# another comment\n"
        + text.replacing("area: 4.0", with: "area: 4").replacing("sampling: 0.01", with: "sampling: 1.0e-2"),
      path: "b")
    #expect(first.hash == spelled.hash)
    let changed = try ManifestFile.read(text: text.replacing("seed: 20191108", with: "seed: 20191109"), path: "c")
    #expect(first.hash != changed.hash)
    let lock = CityLock(first)
    #expect(CityLock(bytes: lock.bytes) == lock)
    #expect(CityLock(spelled).differences(from: lock) == [])
    #expect(CityLock(changed).differences(from: lock).count == 1)
    #expect(CityLock.path(forManifest: "x/demo.city.yaml") == "x/demo.city.lock")
  }

  @Test("the published schema is the reader's own")
  func publishedSchema() throws {
    let path = Oracle.root.appending(path: "docs/manifest.schema.json")
    let schema = SchemaText.text(Manifest.schema)
    if ProcessInfo.processInfo.environment["MADANG_WRITE_SCHEMA"] != nil {
      try schema.write(to: path, atomically: true, encoding: .utf8)
    }
    #expect(try String(contentsOf: path, encoding: .utf8) == schema)
  }
}

/// JSON with line breaks, for people.
enum SchemaText {
  static func text(_ value: JSON) -> String {
    var text = ""
    write(value, "", &text)
    return text + "\n"
  }

  private static func write(_ value: JSON, _ indent: String, _ text: inout String) {
    guard let object = value.object, !object.isEmpty, JSONWriter.text(value).count + indent.count > 100 else {
      text += JSONWriter.text(value)
      return
    }
    text += "{\n"
    for (index, member) in object.members.enumerated() {
      text += indent + "  " + JSONWriter.text(.string(member.key)) + ": "
      write(member.value, indent + "  ", &text)
      text += index + 1 < object.count ? ",\n" : "\n"
    }
    text += indent + "}"
  }
}

@Suite("Adapters of a manifest")
struct ManifestAdapterTests {
  private func problems(_ entry: String) throws -> [FileProblem] {
    let text = try Examples.text("demo") + "\nadapters:\n- \(entry)\n"
    do {
      _ = try ManifestFile.read(text: text, path: "x.city.yaml")
      return []
    } catch { return error.problems }
  }

  @Test(
    "those that fetch and listen",
    arguments: [
      "{id: air, format: csv, mapping: air.yaml, pull: {url: 'https://data.example/air.csv', every: 10m}}",
      "{id: air, format: json, mapping: a.yaml, pull: {url: 'http://data.example/a?x=1', at: '15 6 * * mon-fri', timeZone: Asia/Seoul}}",
      "{id: air, format: senml, pull: {url: 'http://d.example', every: 1h, credentials: [{header: Authorization, prefix: 'Bearer ', secret: {env: KEY}}]}}",
      "{id: t, format: value, mqtt: {broker: 'mqtt://b.example', topics: [{topic: 'c/{d}/{a}', entity: 'urn:x:{d}', type: T, attribute: '{a}'}]}}",
      "{id: t, format: json, mqtt: {broker: 'mqtts://b.example:8883', qos: 2, user: {file: u}, topics: [{topic: 'c/{d}', mapping: m.yaml}]}}",
    ])
  func sound(_ entry: String) throws { #expect(try problems(entry) == []) }

  @Test(
    "what does not hold together is told by its key",
    arguments: [
      ("{id: a, format: csv, mapping: m.yaml}", "adapters[0].format"),
      ("{id: a, format: csv, pull: {url: 'http://d.example', every: 1h}}", "adapters[0].mapping"),
      ("{id: a, format: senml, pull: {url: 'http://d.example'}}", "adapters[0].pull"),
      ("{id: a, format: senml, pull: {url: 'http://d.example', at: '61 * * * *'}}", "adapters[0].pull.at"),
      ("{id: a, format: senml, pull: {url: 'http://u:p@d.example', every: 1h}}", "adapters[0].pull.url"),
      (
        "{id: a, format: senml, pull: {url: 'http://d.example', every: 1h, headers: {Authorization: x}}}",
        "adapters[0].pull.headers.Authorization"
      ),
      (
        "{id: a, format: senml, pull: {url: 'http://d.example', every: 1h, credentials: [{header: A, secret: {}}]}}",
        "adapters[0].pull.credentials[0].secret"
      ),
      ("{id: a, format: value}", "adapters[0].format"),
      (
        "{id: a, format: value, mqtt: {broker: 'mqtt://b', topics: [{topic: 'a/#/b', entity: 'urn:x:1', type: T, attribute: a}]}}",
        "adapters[0].mqtt.topics[0].topic"
      ),
      (
        "{id: a, format: value, mqtt: {broker: 'mqtt://b', topics: [{topic: 'a/{b}', entity: 'urn:x:{c}', type: T, attribute: a}]}}",
        "adapters[0].mqtt.topics[0].entity"
      ),
      (
        "{id: a, format: value, mqtt: {broker: 'mqtt://b', topics: [{topic: 'a/{b}', type: T, attribute: a}]}}",
        "adapters[0].mqtt.topics[0]"
      ),
      ("{id: a, format: senml, mqtt: {broker: 'mqtt://u:p@b', topics: [{topic: a}]}}", "adapters[0].mqtt.broker"),
    ])
  func unsound(_ entry: String, _ key: String) throws { #expect(try problems(entry).map(\.key) == [key]) }
}
