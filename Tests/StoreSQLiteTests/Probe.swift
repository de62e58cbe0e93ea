import Foundation
import Testing

/// The `StoreProbe` program, built beside the tests.
struct Probe {
  static func executable() throws -> URL {
    let tests = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    let candidates =
      [tests.deletingLastPathComponent(), Bundle.main.bundleURL, Bundle.main.bundleURL.deletingLastPathComponent()]
      + Bundle.allBundles.map { $0.bundleURL.deletingLastPathComponent() }
    let found = candidates.map { $0.appending(path: "StoreProbe") }
      .first { FileManager.default.isExecutableFile(atPath: $0.path) }
    return try #require(found, "StoreProbe is not built beside the tests")
  }

  /// Starts it; the pipe gives what it prints.
  static func start(_ arguments: [String], through launcher: [String] = []) throws -> (process: Process, output: Pipe) {
    let command = launcher + [try executable().path] + arguments
    let process = Process()
    process.executableURL = URL(filePath: command[0])
    process.arguments = Array(command.dropFirst())
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    return (process, output)
  }

  /// Runs it to its end; gives its lines.
  static func run(_ arguments: [String], through launcher: [String] = []) throws -> [String] {
    let (process, output) = try start(arguments, through: launcher)
    let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "the probe ended with \(process.terminationStatus)")
    return text.split(separator: "\n").map(String.init)
  }
}
