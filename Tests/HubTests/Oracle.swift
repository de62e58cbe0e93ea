import ChildProcess
import Foundation
import NGSI

/// A Python program in `Tests/oracles` that answers by a library we did not write.
enum Oracle {
  /// What the script prints for the input; `nil`, and a line in the output, where the environment is missing.
  static func ask(_ script: String, _ input: JSON, for test: String) throws -> JSON? {
    let folder = URL(filePath: #filePath).resolvingSymlinksInPath()
      .deletingLastPathComponent().deletingLastPathComponent().appending(path: "oracles")
    let python = folder.appending(path: ".venv/bin/python")
    guard FileManager.default.isExecutableFile(atPath: python.path) else {
      print("skipped: \(test), the oracle environment \(python.path) is absent (make setup)")
      return nil
    }
    let file = FileManager.default.temporaryDirectory.appending(path: "oracle-" + UUID().uuidString)
    try Data(JSONWriter.bytes(input)).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let process = ChildProcess()
    let answer = Pipe()
    process.executableURL = python
    process.arguments = [folder.appending(path: script).path]
    process.standardInput = try FileHandle(forReadingFrom: file)
    process.standardOutput = answer
    try process.run()
    let output = try answer.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return try JSONParser.parse(Array(output))
  }
}
