import Glibc

/// The processor time that some processes have used, all their threads together.
///
/// The kernel's clock of a process (`clock_getcpuclockid`, POSIX.1-2017) counts the same time as `utime` and `stime`
/// of `/proc/PID/stat` (proc(5)), in nanoseconds instead of ticks of 10 ms; the ticks serve where it is refused.
struct ProcessClock: Sendable {
  let pids: [Int32]

  /// - Throws: when one of the processes cannot be looked at.
  init(pids: [Int32]) throws(BenchError) {
    self.pids = pids
    guard !pids.isEmpty, nanoseconds() != nil else {
      throw BenchError("the processor time of process \(pids.map(String.init).joined(separator: ", ")) cannot be read")
    }
  }

  /// Since the processes started; `nil` when one has ended.
  func nanoseconds() -> Int64? {
    var sum: Int64 = 0
    for pid in pids {
      guard let time = Self.clock(pid) ?? Self.ticks(pid) else { return nil }
      sum += time
    }
    return sum
  }

  static func clock(_ pid: Int32) -> Int64? {
    // A clock's number holds the process number in 29 bits; Linux numbers processes up to 2^22.
    guard (1...1 << 22).contains(pid) else { return nil }
    var id = clockid_t()
    var time = timespec()
    guard clock_getcpuclockid(pid, &id) == 0, clock_gettime(id, &time) == 0 else { return nil }
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  static func ticks(_ pid: Int32) -> Int64? {
    guard let stat = ProcessFile.stat(pid), stat.count > 12, let user = Int64(stat[11]), let system = Int64(stat[12])
    else { return nil }
    let perSecond = Int64(sysconf(Int32(_SC_CLK_TCK)))
    return (user + system) * 1_000_000_000 / max(1, perSecond)
  }

  /// Processor time of the calling thread, in nanoseconds.
  static func thisThread() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
