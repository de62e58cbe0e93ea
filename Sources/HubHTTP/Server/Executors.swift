import NIOCore
import NIOPosix

/// Runs a task's jobs on one event loop.
final class EventLoopExecutor: TaskExecutor {
  private let loop: any EventLoop

  init(_ loop: any EventLoop) { self.loop = loop }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}

/// Runs the tasks of long requests on threads of their own.
///
/// One such request may work for tenths of a second on end (decision 5). Neither an event loop nor the threads that
/// all other tasks share, the console's pages among them, stand still meanwhile.
final class LongRequestExecutor: TaskExecutor {
  static let shared = LongRequestExecutor()

  private let threads: NIOThreadPool

  private init() {
    threads = NIOThreadPool(numberOfThreads: max(2, System.coreCount))
    threads.start()
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    threads.submit { _ in job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
