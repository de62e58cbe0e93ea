import ChildProcess
import Foundation
import Glibc

/// A real broker of its own for a test: Debian's mosquitto on a free port of loopback.
final class Mosquitto {
  let port: Int
  private let folder: URL
  private var process: ChildProcess?

  private static let program = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  /// Prints why a test is skipped where there is no broker.
  static func isThere(_ test: String = #function) -> Bool {
    if program == nil { print("skipped: \(test): no mosquitto; make setup fetches it") }
    return program != nil
  }

  init() throws {
    port = Self.freePort()
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("mosquitto-" + UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let settings = "listener \(port) 127.0.0.1\nallow_anonymous true\npersistence false\nuser root\n"
    try Data(settings.utf8).write(to: folder.appendingPathComponent("mosquitto.conf"))
    try start()
  }

  deinit {
    stop()
    try? FileManager.default.removeItem(at: folder)
  }

  func start() throws {
    let process = ChildProcess()
    process.executableURL = URL(fileURLWithPath: Self.program ?? "")
    process.arguments = ["-c", folder.appendingPathComponent("mosquitto.conf").path]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    self.process = process
    for _ in 0..<200 where !Self.answers(port) { usleep(25_000) }
  }

  func stop() {
    guard let process else { return }
    // A child inherits the signals that Swift's threads block: it would not hear a polite one.
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    self.process = nil
  }

  private static func answers(_ port: Int) -> Bool {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    return withAddress(port) { connect(socket, $0, $1) } == 0
  }

  static func freePort() -> Int {
    let (socket, port) = listener()
    close(socket)
    return port
  }

  /// A socket that listens on loopback and never says a word.
  static func listener() -> (socket: Int32, port: Int) {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    _ = withAddress(0) { bind(socket, $0, $1) }
    listen(socket, 16)
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &length) }
    }
    return (socket, Int(UInt16(bigEndian: address.sin_port)))
  }

  private static func withAddress(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
  }
}
