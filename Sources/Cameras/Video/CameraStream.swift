import Foundation
import Synchronization
import Vision

/// A camera's video, for as long as the camera is there: opened, read, opened again when it is lost. Only the newest picture is
/// kept; who is too slow misses some, which are counted. A thread of its own, and a process of its own that decodes: what a stream does
/// harms no other.
public final class CameraStream: Sendable {
  /// A picture and when it came, in seconds since the stream was started.
  public struct Moment: Sendable {
    public var picture: Picture
    public var time: Double

    public init(picture: Picture, time: Double) {
      self.picture = picture
      self.time = time
    }
  }

  public struct Status: Sendable, Hashable {
    public var state: StreamHealth.State
    /// Seconds since the stream was started.
    public var since: Double
    public var retryAt: Double?
    /// Pictures that came, and those of them that nobody took.
    public var pictures = 0
    public var missed = 0
    /// Size of the camera's own pictures, and what they are coded in.
    public var size: PictureSize?
    public var codec: String?
    /// What went wrong last, for people.
    public var reason: String?
  }

  public struct Options: Sendable {
    /// The size that pictures are brought to; their own where there is none.
    public var size: PictureSize?
    /// Pictures a second that are taken; all where there is none.
    public var rate: Double?
    /// A file comes as fast as it was recorded, again and again.
    public var isPaced = false
    public var health = StreamHealth.Settings()

    public init() {}
  }

  private struct Shared {
    var status: Status
    var newest: Moment?
    var isStopped = false
    var isStarted = false
  }

  private let source: VideoSource
  private let options: Options
  private let begin = ContinuousClock.now
  private let shared: Mutex<Shared>

  public init(_ source: VideoSource, options: Options = Options()) {
    self.source = source
    self.options = options
    shared = Mutex(Shared(status: Status(state: .connecting, since: 0)))
  }

  public var status: Status { shared.withLock { $0.status } }

  /// Seconds since the stream was made.
  public var now: Double { (ContinuousClock.now - begin) / .seconds(1) }

  /// The newest picture, once; `nil` while no new one came.
  public func take() -> Moment? {
    shared.withLock { shared in
      defer { shared.newest = nil }
      return shared.newest
    }
  }

  /// When the picture came that ``take()`` would give.
  public var waitingSince: Double? { shared.withLock { $0.newest?.time } }

  /// Starts to read. A stream starts once.
  public func start() {
    let isFirst = shared.withLock { shared in
      defer { shared.isStarted = true }
      return !shared.isStarted
    }
    guard isFirst else { return }
    let thread = Thread { [self] in run() }
    thread.stackSize = 4 << 20
    thread.start()
  }

  /// Ends reading within about a second. What was read last can still be taken.
  public func stop() { shared.withLock { $0.isStopped = true } }

  private var isStopped: Bool { shared.withLock { $0.isStopped } }

  private func run() {
    var health = StreamHealth(at: now, settings: options.health)
    while !isStopped {
      health.open(at: now)
      publish(health, reason: nil)
      read(&health)
      while !isStopped, now < health.retryAt ?? 0 { Thread.sleep(forTimeInterval: 0.05) }
    }
  }

  /// Reads until the stream is lost, refused or stopped.
  private func read(_ health: inout StreamHealth) {
    do throws(VideoError) {
      let probe = try VideoProbe(source, patience: options.health.silence)
      shared.withLock { ($0.status.size, $0.status.codec) = (probe.size, probe.codec) }
      let reader = try VideoReader(
        source, probe: probe, scaledTo: options.size, rate: options.rate, isPaced: options.isPaced)
      defer { reader.stop() }
      var last: Picture?
      while !isStopped {
        switch reader.next(patience: min(0.5, options.health.silence)) {
        case .picture(let picture):
          health.picture(isSame: last?.isSame(as: picture) ?? false, at: now)
          last = picture
          put(picture)
          guard !reader.wasResized else {
            health.lose(.resized, at: now, jitter: .random(in: 0...1))
            return publish(health, reason: "pictures are no longer \(probe.size)")
          }
        case .silent:
          if health.check(at: now) { return publish(health, reason: "nothing came") }
        case .end:
          if reader.count == 0 { throw .undecodable(reader.lastWords) }
          health.lose(.ended, at: now, jitter: .random(in: 0...1))
          return publish(health, reason: "it ended")
        }
        publish(health, reason: nil)
      }
    } catch {
      let jitter = Double.random(in: 0...1)
      switch error {
      case .address: health.refuse(.address, at: now, jitter: jitter)
      case .unauthorized: health.refuse(.unauthorized, at: now, jitter: jitter)
      case .undecodable: health.refuse(.undecodable, at: now, jitter: jitter)
      case .tooLarge: health.refuse(.tooLarge, at: now, jitter: jitter)
      case .unreachable, .program: health.lose(.unreachable, at: now, jitter: jitter)
      }
      publish(health, reason: error.description)
    }
  }

  private func put(_ picture: Picture) {
    let time = now
    shared.withLock { shared in
      shared.status.pictures += 1
      if shared.newest != nil { shared.status.missed += 1 }
      shared.newest = Moment(picture: picture, time: time)
    }
  }

  private func publish(_ health: StreamHealth, reason: String?) {
    shared.withLock { shared in
      shared.status.state = health.state
      shared.status.since = health.since
      shared.status.retryAt = health.retryAt
      shared.status.reason = reason
    }
  }
}
