import CMalloc
import ServiceLifecycle

/// Gives memory that lies idle back to the system. The C library keeps what was freed between blocks in use: after 64
/// clients with bodies of 100 KB half of the heap was free and none of it given back.
struct IdleMemory: Service {
  /// Bytes that may lie idle beside what the last time left: less is not worth the page faults of taking it anew.
  static let bound = 16 << 20

  func run() async throws {
    await cancelWhenGracefulShutdown {
      // What lies between blocks in use stays, however often one asks.
      var left = 0
      while !Task.isCancelled {
        try? await Task.sleep(for: .seconds(2))
        guard Self.bytes > left + Self.bound else { continue }
        Self.giveBack()
        left = Self.bytes
      }
    }
  }

  /// Bytes of the heap that hold nothing.
  static var bytes: Int { Int(mallinfo2().fordblks) }

  /// Takes about a millisecond for each 10 MB.
  static func giveBack() { _ = malloc_trim(0) }
}
