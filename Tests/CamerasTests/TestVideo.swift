import ChildProcess
import Foundation
import TestSupport
import Vision

/// Videos for tests, made by ffmpeg or taken from Debian; a line in the output where they cannot be had.
enum TestVideo {
  static let people = "/usr/share/doc/opencv-doc/examples/data/vtest.avi"

  /// The video of people that Debian's `opencv-doc` has.
  static func people(for test: String) -> String? {
    if FileManager.default.fileExists(atPath: people) { return people }
    print("skipped: \(test), \(people) is absent (Debian package opencv-doc)")
    return nil
  }

  /// A folder that is gone after the body.
  static func folder<T>(_ body: (URL) throws -> T) throws -> T {
    let folder = FileManager.default.temporaryDirectory.appending(path: "cameras-" + UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
  }

  struct Failed: Error { var words: String }

  /// Runs ffmpeg or ffprobe; what it printed. `nil` where it is not installed.
  static func run(_ name: String = "ffmpeg", _ arguments: [String], for test: String) throws -> String? {
    let program = "/usr/bin/" + name
    guard FileManager.default.isExecutableFile(atPath: program) else {
      print("skipped: \(test), \(program) is absent")
      return nil
    }
    let process = ChildProcess()
    let output = Pipe()
    process.executableURL = URL(filePath: program)
    process.arguments = (name == "ffmpeg" ? ["-nostdin", "-y"] : []) + ["-loglevel", "error"] + arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    try process.run()
    let words = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Failed(words: words) }
    return words
  }

  /// A moving test picture.
  static func make(_ file: URL, size: String = "160x120", seconds: Double, for test: String) throws -> Bool {
    try run(
      [
        "-f", "lavfi", "-i", "testsrc=size=\(size):rate=10:duration=\(seconds)", "-c:v", "mpeg4", "-q:v", "3",
        file.path,
      ],
      for: test) != nil
  }

  static func run(_ arguments: [String], for test: String) throws -> String? { try run("ffmpeg", arguments, for: test) }

  /// A picture of one colour.
  static func plain(_ width: Int, _ height: Int, _ blue: UInt8, _ green: UInt8, _ red: UInt8) -> Picture? {
    Picture(
      size: PictureSize(width: width, height: height),
      pixels: Array([Array](repeating: [blue, green, red], count: width * height).joined()))
  }
}
