import ChildProcess
import Foundation
import Glibc

/// A run of ffmpeg or ffprobe, whose output is read as it comes. Not for several threads at once.
///
/// A program that reads video of others may crash or hang: it is a process of its own, is never waited for without a bound, and
/// is ended when this is given up.
final class MediaProgram {
  enum Read {
    case bytes
    case end
    /// Nothing came in time.
    case silent
  }

  static let maxWords = 16 << 10

  private let process = ChildProcess()
  private let output = Pipe()
  private let messages = Pipe()
  /// The end of what it says on its error output.
  private(set) var words: [UInt8] = []
  private var hasEnded = false
  private var messagesEnded = false
  /// Given every piece of the error output.
  var onWords: ((String) -> Void)?

  /// - Parameter input: what it reads on its standard input; nothing where there is none.
  init(_ name: String, _ arguments: [String], input: Pipe? = nil) throws(VideoError) {
    guard let path = Self.path(of: name) else { throw .program(name) }
    process.executableURL = URL(filePath: path)
    process.arguments = arguments
    process.standardInput = input ?? FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = messages
    do { try process.run() } catch { throw .program(name) }
    let descriptor = messages.fileHandleForReading.fileDescriptor
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
  }

  deinit { stop() }

  static func path(of name: String) -> String? {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
    return folders.lazy.map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  /// Reads until a buffer is full.
  ///
  /// - Parameters:
  ///   - filled: how much of it is; goes on after a silence.
  ///   - patience: seconds without any byte after which it is silent.
  func read(into buffer: UnsafeMutableRawBufferPointer, filled: inout Int, patience: Double) -> Read {
    let descriptor = output.fileHandleForReading.fileDescriptor
    var left = patience
    while filled < buffer.count {
      var polled = [
        pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
        pollfd(
          fd: messagesEnded ? -1 : messages.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0),
      ]
      let begin = ContinuousClock.now
      let count = poll(&polled, 2, Int32(max(0, min(left, 3_600)) * 1_000))
      left -= (ContinuousClock.now - begin) / .seconds(1)
      if count < 0 && errno != EINTR { return .end }
      if polled[1].revents != 0 { readWords() }
      guard polled[0].revents != 0 else {
        if left <= 0 { return .silent }
        continue
      }
      let got = Glibc.read(descriptor, buffer.baseAddress?.advanced(by: filled), buffer.count - filled)
      if got < 0 && errno == EINTR { continue }
      guard got > 0 else {
        readWords()
        return .end
      }
      filled += got
      left = patience
    }
    return .bytes
  }

  /// All that it writes, at most `maxBytes`; `nil` when that is more, or takes longer than `patience` seconds.
  func all(maxBytes: Int, patience: Double) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: maxBytes)
    var filled = 0
    let result = bytes.withUnsafeMutableBytes { read(into: $0, filled: &filled, patience: patience) }
    guard case .end = result else { return nil }
    return Array(bytes.prefix(filled))
  }

  private func readWords() {
    var piece = [UInt8](repeating: 0, count: 4_096)
    while true {
      let got = Glibc.read(messages.fileHandleForReading.fileDescriptor, &piece, piece.count)
      if got == 0 { messagesEnded = true }
      guard got > 0 else { return }
      words.append(contentsOf: piece.prefix(got))
      if words.count > Self.maxWords { words.removeFirst(words.count - Self.maxWords) }
      onWords?(String(decoding: piece.prefix(got), as: UTF8.self))
    }
  }

  /// The last line it said, for people.
  var lastWords: String {
    let lines = String(decoding: words, as: UTF8.self).split(whereSeparator: \.isNewline)
    let last = lines.last { !$0.contains("showinfo") && !$0.hasPrefix("frame=") && !$0.hasPrefix("video:") }
    return last.map { String($0.prefix(200)) } ?? "nothing was said"
  }

  /// What it said last, once more is read.
  func said() -> String {
    readWords()
    return lastWords
  }

  /// Waits for its end, with a bound; the code that it ended with, `nil` when it had to be ended.
  @discardableResult func wait(atMost seconds: Double) -> Int32? {
    var nothing = 0
    var byte: UInt8 = 0
    let begin = ContinuousClock.now
    // Its output ends when it does.
    while true {
      let left = seconds - (ContinuousClock.now - begin) / .seconds(1)
      guard left > 0 else {
        stop()
        return nil
      }
      nothing = 0
      let result = withUnsafeMutableBytes(of: &byte) { read(into: $0, filled: &nothing, patience: left) }
      if case .end = result { return wait() }
    }
  }

  /// Waits for its end; the code that it ended with.
  func wait() -> Int32 {
    guard !hasEnded else { return process.terminationStatus }
    process.waitUntilExit()
    hasEnded = true
    return process.terminationStatus
  }

  func stop() {
    guard !hasEnded else { return }
    kill(process.processIdentifier, SIGKILL)
    _ = wait()
  }
}
