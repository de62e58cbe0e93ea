import Foundation

/// The machine that was measured on.
public struct Machine: Codable, Sendable {
  public var cores: Int
  public var processor: String
  public var memoryBytes: UInt64
  public var kernel: String
  /// Processes that ran or waited to run, averaged over a minute, when the run began and when it ended.
  public var loadAtBegin: Double
  public var loadAtEnd: Double

  static func here() -> Machine {
    let processor = ProcessFile.text("/proc/cpuinfo")?.split(separator: "\n").first { $0.hasPrefix("model name") }
    return Machine(
      cores: ProcessInfo.processInfo.activeProcessorCount,
      processor: processor?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown",
      memoryBytes: ProcessInfo.processInfo.physicalMemory,
      kernel: ProcessFile.text("/proc/sys/kernel/osrelease")?.trimmingCharacters(in: .whitespacesAndNewlines)
        ?? "unknown",
      loadAtBegin: load(), loadAtEnd: 0)
  }

  static func load() -> Double {
    ProcessFile.text("/proc/loadavg")?.split(separator: " ").first.flatMap { Double($0) } ?? 0
  }
}
