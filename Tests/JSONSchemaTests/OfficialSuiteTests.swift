import Foundation
import JSONSchema
import NGSI
import Oracles
import Testing

/// The JSON Schema organisation's own suite, where a copy of it is named by `MADANG_JSONSCHEMA_SUITE` (none of it is part
/// of this project). Figures of the last run are in `docs/data-models.md`.
@Suite("JSON Schema's official suite")
struct OfficialSuiteTests {
  /// What differs by intent, by what the name of a group has in it, and why.
  static let known = [
    "draft2020-12/format.json": "format is asserted in every draft: data models rely on it",
    "vocabulary.json schema that uses custom metaschema": "$vocabulary is not read",
  ]
  /// Formats that are not judged.
  static let unjudged = ["idn-hostname.json", "uri-template.json"]

  @Test("required parts of three drafts", arguments: ["draft7", "draft2019-09", "draft2020-12"])
  func required(draft: String) throws {
    guard let outcome = try run(draft, folder: "") else { return }
    print("suite: \(draft): \(outcome.passed) of \(outcome.total)")
    #expect(outcome.failed.isEmpty, "\(outcome.failed.joined(separator: "\n"))")
  }

  @Test("formats", arguments: ["draft7", "draft2019-09", "draft2020-12"])
  func formats(draft: String) throws {
    guard let outcome = try run(draft, folder: "optional/format") else { return }
    print("suite: formats of \(draft): \(outcome.passed) of \(outcome.total)")
    for failure in outcome.failed { print("  differs: \(failure)") }
    #expect(outcome.passed * 100 >= outcome.total * 90)
  }

  private struct Outcome {
    var passed = 0
    var total = 0
    var failed: [String] = []
  }

  private func run(_ draft: String, folder: String) throws -> Outcome? {
    guard let path = ProcessInfo.processInfo.environment["MADANG_JSONSCHEMA_SUITE"] else {
      print("skipped: JSON Schema's official suite, MADANG_JSONSCHEMA_SUITE names no copy of it")
      return nil
    }
    guard let meta = try Oracle.ask("jsonschema_oracle.py", ["metaschemas": true], for: "official suite")?.object else {
      return nil
    }
    var documents: [String: JSON] = [:]
    for member in meta { documents[member.key] = member.value }
    let suite = URL(filePath: path)
    try addRemotes(of: suite, to: &documents)
    let uri =
      [
        "draft7": "http://json-schema.org/draft-07/schema#",
        "draft2019-09": "https://json-schema.org/draft/2019-09/schema",
      ][draft] ?? "https://json-schema.org/draft/2020-12/schema"
    var outcome = Outcome()
    let tests = suite.appending(path: "tests/\(draft)/\(folder)")
    for file in try FileManager.default.contentsOfDirectory(atPath: tests.path).sorted() {
      guard file.hasSuffix(".json"), !Self.unjudged.contains(file) else { continue }
      let groups = try JSONParser.parse(Array(try Data(contentsOf: tests.appending(path: file)))).array ?? []
      for group in groups {
        let name = "\(draft)/\(file) \(group["description"]?.string ?? "")"
        // The suite names a metaschema only where it matters.
        var schema = group["schema"] ?? true
        if case .object(var object) = schema, !object.contains("$schema") {
          object["$schema"] = .string(uri)
          schema = .object(object)
        }
        for test in group["tests"]?.array ?? [] {
          outcome.total += 1
          let says: Bool?
          do { says = try Schema(schema, documents: documents).accepts(test["data"] ?? .null) } catch {
            outcome.failed.append("\(name): \(test["description"]?.string ?? ""): \(error)")
            continue
          }
          if says == test["valid"]?.bool {
            outcome.passed += 1
          } else if !Self.known.keys.contains(where: name.contains) {
            outcome.failed.append("\(name): \(test["description"]?.string ?? "")")
          }
        }
      }
    }
    #expect(outcome.total > 100)
    return outcome
  }

  private func addRemotes(of suite: URL, to documents: inout [String: JSON]) throws {
    let folder = suite.appending(path: "remotes")
    guard let files = FileManager.default.enumerator(atPath: folder.path) else { return }
    for case let file as String in files where file.hasSuffix(".json") {
      let bytes = Array(try Data(contentsOf: folder.appending(path: file)))
      documents["http://localhost:1234/" + file] = try JSONParser.parse(bytes)
    }
  }
}
