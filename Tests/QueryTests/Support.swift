import ChildProcess
import Foundation
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

/// A program that knows the answer without us.
enum Oracle {
  static let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// The answer, or `nil` with a printed line when the oracle or one of its modules is not there.
  static func ask(_ script: String, _ question: JSON, modules: [String], test: String) throws -> JSON? {
    let python =
      ProcessInfo.processInfo.environment["MADANG_ORACLE_PYTHON"]
      ?? root.appendingPathComponent("Tests/oracles/.venv/bin/python").path
    guard FileManager.default.isExecutableFile(atPath: python),
      try run(python, ["-c", "import " + modules.joined(separator: ", ")], input: Data()).status == 0
    else {
      print("skipped: \(test) (needs Python with \(modules.joined(separator: ", ")) in Tests/oracles/.venv)")
      return nil
    }
    let path = root.appendingPathComponent("Tests/oracles/\(script)").path
    let (status, output) = try run(python, [path], input: Data(JSONWriter.text(question).utf8))
    guard status == 0 else { throw OracleFailure(script: script, status: status) }
    return try JSONParser.parse([UInt8](output))
  }

  struct OracleFailure: Error {
    let script: String
    let status: Int32
  }

  private static func run(_ program: String, _ arguments: [String], input: Data) throws -> (status: Int32, output: Data)
  {
    let process = ChildProcess()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    // Files, not pipes: neither side can wait for the other.
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("madang-oracle-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (inputFile, outputFile) = (folder.appendingPathComponent("in"), folder.appendingPathComponent("out"))
    try input.write(to: inputFile)
    FileManager.default.createFile(atPath: outputFile.path, contents: nil)
    process.standardInput = try FileHandle(forReadingFrom: inputFile)
    process.standardOutput = try FileHandle(forWritingTo: outputFile)
    if arguments.first == "-c" { process.standardError = FileHandle.nullDevice }
    try process.run()
    process.waitUntilExit()
    return (process.terminationStatus, try Data(contentsOf: outputFile))
  }
}
