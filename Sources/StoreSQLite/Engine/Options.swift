import Foundation
import NGSI

extension SQLiteStore {
  /// Bounds and budgets of the engine.
  public struct Options: Sendable {
    /// Read connections; as many reads run at once.
    ///
    /// Enough that a point read on an event loop finds one while every thread that may wait is busy with a long one.
    public var readers = 2 + 2 * min(16, ProcessInfo.processInfo.activeProcessorCount)
    /// Writes that may wait; more are refused with ``StoreError/busy``.
    public var queueBound = 10_000
    /// Most writes in one commit.
    public var groupLimit = 256
    /// Longest time that a commit collects writes, in seconds.
    public var groupTime = 0.005
    /// Most entities, or instances of a history, that one query may look at.
    public var maxScanned = 1_000_000
    /// Most entities that one query may sort.
    public var maxSorted = 100_000
    /// Changes of a history that are kept as they came, and their bytes, before they are sealed by attribute.
    public var arrivals = 64
    public var arrivalBytes = 32 << 10
    /// Page cache of the writer and of each reader, in KiB.
    public var writerCache = 24_576
    public var readerCache = 2_048
    /// Bytes of the file that readers may map into memory.
    public var mappedBytes = 24 << 20
    /// Growth of the write-ahead log after which it is copied into the file, in bytes. The more, the fewer pages are
    /// copied that change again; a start after a crash reads all of it.
    public var walStep = 16 << 20
    /// Size of the write-ahead log above which reads and writes wait until it can begin anew, in bytes.
    public var walBound = 64 << 20

    public init() {}
  }

  /// The machine's clock.
  public static let systemTime: @Sendable () -> DateTime = {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return DateTime(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
  }
}
