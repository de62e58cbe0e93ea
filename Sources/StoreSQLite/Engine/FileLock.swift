import Foundation
import Store
import Synchronization

/// Keeps a second process away from the file: the writer remembers numbers of names that another one could give anew.
final class FileLock: Sendable {
  private let descriptor: Mutex<Int32?>

  init(_ path: String) throws(StoreError) {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .failed("cannot open \(path): \(String(cString: strerror(errno)))") }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      Foundation.close(descriptor)
      throw .failed("another process has the store open (\(path))")
    }
    self.descriptor = Mutex(descriptor)
  }

  deinit { release() }

  private init(held descriptor: Int32) { self.descriptor = Mutex(descriptor) }

  /// Keeps a city from starting while a file is read; `nil` when one holds the lock, or there is no lock file to hold.
  static func shared(_ path: String) -> FileLock? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    guard flock(descriptor, LOCK_SH | LOCK_NB) == 0 else {
      Foundation.close(descriptor)
      return nil
    }
    return FileLock(held: descriptor)
  }

  /// Whether a process holds the lock. No file is made, and none waits for the answer.
  static func isHeld(_ path: String) -> Bool {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { Foundation.close(descriptor) }
    return flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
  }

  func release() {
    descriptor.withLock { descriptor in
      if let open = descriptor {
        // By name: a child between fork and exec has the descriptor too, and closing ours alone would not let go.
        flock(open, LOCK_UN)
        Foundation.close(open)
      }
      descriptor = nil
    }
  }

  /// Bytes of a file; 0 when there is none.
  static func size(of path: String) -> Int {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : 0
  }
}
