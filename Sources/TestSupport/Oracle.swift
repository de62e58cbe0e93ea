import ChildProcess
import Foundation
import NGSI

/// Python programs that answer by a library we did not write. They live in `Tests/oracles` with a pinned environment
/// that `make setup` makes; where it is missing, a test says so and is skipped.
public enum Oracle {
  /// The repository.
  public static let root = URL(filePath: #filePath).resolvingSymlinksInPath()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// The files of `MADANG_DATA`; `nil`, and a line in the output, when they are absent.
  public static func data(_ path: String, for test: String) -> URL? {
    let base =
      ProcessInfo.processInfo.environment["MADANG_DATA"].map { URL(filePath: $0) }
      ?? root.appending(path: "../shared/data").standardized
    let url = base.appending(path: path)
    if FileManager.default.fileExists(atPath: url.path) { return url }
    print("skipped: \(test), \(url.path) is absent")
    return nil
  }

  /// What a script in `Tests/oracles` prints for an input, as JSON; `nil`, and a line in the output, without oracles.
  public static func ask(_ script: String, _ input: JSON, for test: String) throws -> JSON? {
    let folder = root.appending(path: "Tests/oracles")
    let python = folder.appending(path: ".venv/bin/python")
    guard FileManager.default.isExecutableFile(atPath: python.path) else {
      print("skipped: \(test), the oracle environment \(python.path) is absent (make setup)")
      return nil
    }
    let file = FileManager.default.temporaryDirectory.appending(path: "oracle-" + UUID().uuidString)
    try Data(JSONWriter.bytes(input)).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let process = ChildProcess()
    process.executableURL = python
    process.arguments = [folder.appending(path: script).path]
    let answer = Pipe()
    process.standardInput = try FileHandle(forReadingFrom: file)
    process.standardOutput = answer
    try process.run()
    let output = try answer.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw OracleFailure(script: script, status: process.terminationStatus) }
    return try JSONParser.parse(Array(output))
  }
}

public struct OracleFailure: Error {
  public let script: String
  public let status: Int32
}
