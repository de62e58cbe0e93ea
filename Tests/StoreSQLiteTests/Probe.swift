import ChildProcess
import Foundation
import Testing

/// A program built beside the tests.
struct Probe {
  static let store = Probe(name: "StoreProbe")
  static let powerCut = Probe(name: "PowerCut")

  let name: String

  func executable() throws -> URL {
    let tests = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    let candidates =
      [tests.deletingLastPathComponent(), Bundle.main.bundleURL, Bundle.main.bundleURL.deletingLastPathComponent()]
      + Bundle.allBundles.map { $0.bundleURL.deletingLastPathComponent() }
    let found = candidates.map { $0.appending(path: name) }
      .first { FileManager.default.isExecutableFile(atPath: $0.path) }
    return try #require(found, "\(name) is not built beside the tests")
  }

  /// Starts it; the pipe gives what it prints.
  func start(_ arguments: [String], through launcher: [String] = []) throws -> (process: ChildProcess, output: Pipe) {
    let command = launcher + [try executable().path] + arguments
    let process = ChildProcess()
    process.executableURL = URL(filePath: command[0])
    process.arguments = Array(command.dropFirst())
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    return (process, output)
  }

  /// Runs it to its end; gives its lines.
  func run(_ arguments: [String], through launcher: [String] = [], expecting status: Int32 = 0) throws -> [String] {
    let (process, output) = try start(arguments, through: launcher)
    let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    #expect(
      process.terminationStatus == status, "\(name) ended with \(process.terminationStatus): \(text.suffix(2000))")
    return text.split(separator: "\n").map(String.init)
  }
}
