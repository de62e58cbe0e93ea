import Foundation
import Synchronization
import Vision

/// Looks at many cameras with few threads: always at the picture that waits longest. What comes faster than it can be looked at is
/// missed (``CameraStream/Status/missed``); before that, the detector is asked less often, and people are followed in
/// between.
public final class CameraPool: Sendable {
  public struct Camera: Sendable {
    public var id: String
    public var stream: CameraStream
    public var zones: [Zone]

    public init(id: String, stream: CameraStream, zones: [Zone] = []) {
      self.id = id
      self.stream = stream
      self.zones = zones
    }
  }

  public struct Settings: Sendable {
    /// Threads that look; each has a detector of its own.
    public var workers = 2
    /// Seconds from a picture's coming to its being looked at beyond which the detector is asked less often.
    public var lateness = 0.15
    /// Seconds between two uses of the detector at one camera, at most.
    public var longestGap = 1.5
    public var watch = CameraWatch.Settings()

    /// Many cameras see somewhat less of each than one alone: motion and people are looked at smaller, quiet parts
    /// less often.
    public init() {
      watch.motion.longSide = 256
      watch.regions.personHeight = 84
      watch.regions.room = (across: 0.2, down: 0.12)
      watch.sweep = 150
    }
  }

  /// What came of it so far.
  public struct Figures: Sendable, Hashable {
    public var pictures = 0
    /// Pictures at which the detector was asked.
    public var detected = 0
    /// Seconds that threads worked, by part.
    public var times = CameraWatch.Times()
    /// The longest and the summed seconds from a picture's coming to its having been looked at.
    public var longestWait = 0.0
    public var waits = 0.0
    public var failures = 0
  }

  /// What a camera's picture showed.
  public typealias Report =
    @Sendable (_ camera: String, _ moment: CameraStream.Moment, _ seen: CameraWatch.Seen) -> Void

  /// The state of a camera, used by one worker at a time: whoever sets `isBusy` under the pool's lock.
  private final class Post: @unchecked Sendable {
    let camera: Camera
    let watch: CameraWatch
    var isBusy = false
    var lastDetection = -Double.infinity

    init(_ camera: Camera, _ watch: CameraWatch) {
      self.camera = camera
      self.watch = watch
    }
  }

  private struct Shared {
    var figures = Figures()
    var isStopped = false
    /// Seconds between two uses of the detector at one camera, now.
    var gap = 0.0
    var running = 0
  }

  private let posts: [Post]
  private let settings: Settings
  private let makeDetector: @Sendable () throws(DetectorError) -> any PersonDetector
  private let report: Report
  private let shared = Mutex(Shared())

  public init(
    _ cameras: [Camera], settings: Settings = Settings(),
    detector: @escaping @Sendable () throws(DetectorError) -> any PersonDetector, report: @escaping Report
  ) throws(DetectorError) {
    var posts: [Post] = []
    for camera in cameras {
      posts.append(Post(camera, try CameraWatch(zones: camera.zones, settings: settings.watch)))
    }
    self.posts = posts
    self.settings = settings
    makeDetector = detector
    self.report = report
  }

  public var figures: Figures { shared.withLock { $0.figures } }

  /// Starts the streams and the threads.
  /// - Throws: ``DetectorError`` where the detector cannot be had.
  public func start() throws(DetectorError) {
    // With a thread for each worker, OpenCV's own would only be in the way.
    VisionThreads.limit(to: 1)
    var detectors: [any PersonDetector] = []
    for _ in 0..<max(1, settings.workers) { detectors.append(try makeDetector()) }
    for post in posts { post.camera.stream.start() }
    for detector in detectors {
      shared.withLock { $0.running += 1 }
      // It goes to one thread, and nobody else has it.
      nonisolated(unsafe) let detector = detector
      let thread = Thread { [self] in
        work(detector)
        shared.withLock { $0.running -= 1 }
      }
      thread.stackSize = 8 << 20
      thread.start()
    }
  }

  /// Stops the streams and waits for the threads.
  public func stop() {
    shared.withLock { $0.isStopped = true }
    for post in posts { post.camera.stream.stop() }
    while shared.withLock({ $0.running > 0 }) { Thread.sleep(forTimeInterval: 0.01) }
  }

  private func work(_ detector: any PersonDetector) {
    while !shared.withLock({ $0.isStopped }) {
      guard let post = next() else {
        Thread.sleep(forTimeInterval: 0.002)
        continue
      }
      look(post, detector)
      shared.withLock { _ in post.isBusy = false }
    }
  }

  /// The camera whose picture waits longest, taken for this thread.
  private func next() -> Post? {
    shared.withLock { _ in
      var best: (post: Post, waited: Double)?
      for post in posts where !post.isBusy {
        guard let since = post.camera.stream.waitingSince else { continue }
        let waited = post.camera.stream.now - since
        if waited > best?.waited ?? -1 { best = (post, waited) }
      }
      best?.post.isBusy = true
      return best?.post
    }
  }

  private func look(_ post: Post, _ detector: any PersonDetector) {
    guard let moment = post.camera.stream.take() else { return }
    let isDue = moment.time - post.lastDetection >= shared.withLock { $0.gap } - 0.01
    if isDue { post.lastDetection = moment.time }
    let seen = Result { () throws(DetectorError) in
      try post.watch.next(moment.picture, at: moment.time, detector: detector, isDetecting: isDue)
    }
    let wait = post.camera.stream.now - moment.time
    shared.withLock { shared in
      shared.figures.pictures += 1
      shared.figures.waits += wait
      shared.figures.longestWait = max(shared.figures.longestWait, wait)
      shared.gap = (shared.gap + (wait > settings.lateness ? 0.03 : -0.003)).clamped(to: 0...settings.longestGap)
      guard case .success(let seen) = seen else {
        shared.figures.failures += 1
        return
      }
      if isDue { shared.figures.detected += 1 }
      shared.figures.times.motion += seen.times.motion
      shared.figures.times.detection += seen.times.detection
      shared.figures.times.tracking += seen.times.tracking
      shared.figures.times.rules += seen.times.rules
    }
    if case .success(let seen) = seen { report(post.camera.id, moment, seen) }
  }
}
