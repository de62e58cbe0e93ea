import Foundation

/// What `/proc` tells (proc(5)).
enum ProcessFile {
  /// The whole text of a file; its announced size of 0 is not believed.
  static func text(_ path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16_384)
    while true {
      let count = fread(&chunk, 1, chunk.count, file)
      if count == 0 { break }
      bytes += chunk[..<count]
      if bytes.count > 16 << 20 { break }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The fields of `/proc/PID/stat` after the name, which may hold spaces: state, parent, …
  static func stat(_ pid: Int32) -> [Substring]? {
    guard let text = text("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else { return nil }
    return text[text.index(after: end)...].split(separator: " ")
  }

  static func name(_ pid: Int32) -> String? {
    text("/proc/\(pid)/comm")?.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// A process and those that it started.
  static func family(of parent: Int32) -> [Int32] {
    [parent] + all().filter { stat($0)?.dropFirst().first.flatMap { Int32($0) } == parent }
  }

  static func all() -> [Int32] {
    ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { Int32($0) }
  }

  /// A line of `/proc/PID/status` in bytes, such as `VmRSS`.
  static func memory(_ pid: Int32, _ key: String) -> Int? {
    let line = text("/proc/\(pid)/status")?.split(separator: "\n").first { $0.hasPrefix(key + ":") }
    return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
  }

  /// The process that listens on a TCP port of this machine, as far as this user may see.
  static func listener(port: Int) -> Int32? {
    let sockets = Set(["/proc/net/tcp", "/proc/net/tcp6"].flatMap { inodes(text($0) ?? "", port: port) })
    guard !sockets.isEmpty else { return nil }
    for pid in all() {
      let folder = "/proc/\(pid)/fd"
      for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
        let target = try? FileManager.default.destinationOfSymbolicLink(atPath: folder + "/" + name)
        if let target, sockets.contains(target) { return pid }
      }
    }
    return nil
  }

  /// The listening sockets of a port in a table like `/proc/net/tcp`, as links in `/proc/PID/fd` name them.
  static func inodes(_ table: String, port: Int) -> [String] {
    table.split(separator: "\n").dropFirst().compactMap { line in
      let fields = line.split(separator: " ")
      // local address, remote address, state (0A: listening), …, inode
      guard fields.count > 9, fields[3] == "0A", let colon = fields[1].lastIndex(of: ":"),
        Int(fields[1][fields[1].index(after: colon)...], radix: 16) == port
      else { return nil }
      return "socket:[\(fields[9])]"
    }
  }
}
