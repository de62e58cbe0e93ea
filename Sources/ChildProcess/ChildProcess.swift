import Foundation
import Glibc

/// Runs another program, with the part of Foundation's `Process` that is needed here, on `posix_spawn`.
///
/// Foundation's own watches its children through a socket and `select()`, which writes beyond its set when a descriptor
/// is above 1023: with a thousand connections or stores open in the same process it dies.
public final class ChildProcess {
  public struct Failure: Error {
    public let program: String
    public let reason: String
  }

  public var executableURL: URL?
  public var arguments: [String] = []
  /// A `Pipe` or `FileHandle`; the parent's own where there is none.
  public var standardInput: Any?
  public var standardOutput: Any?
  public var standardError: Any?
  public private(set) var processIdentifier: pid_t = 0
  /// What it ended with, or the signal that ended it.
  public private(set) var terminationStatus: Int32 = 0
  private var hasEnded = false

  public init() {}

  /// - Throws: ``Failure`` when it cannot be started.
  public func run() throws {
    let program = executableURL?.path ?? ""
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (number, stream) in [(Int32(0), standardInput), (1, standardOutput), (2, standardError)] {
      if let handle = Self.childEnd(stream, isInput: number == 0) {
        posix_spawn_file_actions_adddup2(&actions, handle.fileDescriptor, number)
      } else if stream != nil {
        posix_spawn_file_actions_addopen(&actions, number, "/dev/null", O_RDWR, 0)
      }
    }
    try Self.closeOthers(&actions)
    // Swift's threads block signals that a child is to hear.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var texts: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
    defer { for text in texts { free(text) } }
    let code = posix_spawn(&processIdentifier, program, &actions, &attributes, &texts, environ)
    guard code == 0 else { throw Failure(program: program, reason: String(cString: strerror(code))) }
    // The parent keeps its own ends only: the other side's end is then seen.
    if let pipe = standardInput as? Pipe { try? pipe.fileHandleForReading.close() }
    for stream in [standardOutput, standardError] { try? (stream as? Pipe)?.fileHandleForWriting.close() }
  }

  /// No child may hold the end of another's pipe. Glibc has the call since 2.34, and its header shows it to C only.
  private static func closeOthers(_ actions: inout posix_spawn_file_actions_t) throws {
    typealias Call = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32
    guard let symbol = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np") else {
      throw Failure(program: "", reason: "the C library is older than glibc 2.34")
    }
    _ = unsafeBitCast(symbol, to: Call.self)(&actions, 3)
  }

  /// The handle that the child gets; `nil` for the null device.
  private static func childEnd(_ stream: Any?, isInput: Bool) -> FileHandle? {
    if let pipe = stream as? Pipe { return isInput ? pipe.fileHandleForReading : pipe.fileHandleForWriting }
    guard let handle = stream as? FileHandle, handle !== FileHandle.nullDevice else { return nil }
    return handle
  }

  public func waitUntilExit() {
    guard !hasEnded, processIdentifier > 0 else { return }
    var status: Int32 = 0
    while waitpid(processIdentifier, &status, 0) < 0 {
      guard errno == EINTR else { return }
    }
    hasEnded = true
    let signal = status & 0x7F
    terminationStatus = signal == 0 ? (status >> 8) & 0xFF : signal
  }
}
