import Dispatch
import Foundation

/// The processor time that the body takes on this thread: unlike the clock's, it says nothing about what else the
/// machine does.
public func processorTime(_ body: () throws -> Void) rethrows -> Duration {
  func now() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
  let begin = now()
  try body()
  return now() - begin
}

/// Runs the tasks that prefer it on a thread of its own, so that other tests, which have all the shared threads for a
/// while, do not count in what is measured.
public final class OwnThread: TaskExecutor {
  private let queue = DispatchQueue(label: "test")

  public init() {}

  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
