import Foundation
import Synchronization
import Vision

/// What a camera shows and keeps: each picture is made fit to be seen, goes into the live video, and from there into clips of events.
/// Begins with the first picture, begins anew when pictures get another size or the encoder dies.
///
/// Pictures come from one thread at a time (``CameraPool`` sees to that); everything else may come from any.
public final class CameraRecorder: Sendable {
  public struct Options: Sendable {
    public var live = LiveOutput.Settings()
    public var clips = ClipQueue()
    /// Seconds between attempts to begin anew.
    public var retry = 5.0

    public init() {}
  }

  /// Told when a clip is there, or why it is not.
  public typealias ClipReport = @Sendable (_ clip: ClipRequest, _ result: Result<URL, ClipCutter.Failure>) -> Void

  private struct State {
    var output: LiveOutput?
    var filter: PrivacyFilter
    var queue: ClipQueue
    /// When the live video began: by the clock, and in seconds of the camera's stream.
    var begin: (date: Date, time: Double)?
    var size: PictureSize?
    var retryAt = -Double.infinity
    var isStopped = false
    var failure: LiveOutput.Failure?
  }

  /// Where browsers find the live video, once a picture came.
  public let playlist: URL
  private let folder, clipFolder: URL
  private let options: Options
  private let report: ClipReport
  private let state: Mutex<State>

  /// - Parameters:
  ///   - folder: of the live video, for this camera alone.
  ///   - clipFolder: of clips; retention is the caller's (``RetentionSweep``).
  public init(
    folder: URL, clipFolder: URL, privacy: PrivacyPlan, options: Options = Options(), report: @escaping ClipReport
  ) {
    self.folder = folder
    self.clipFolder = clipFolder
    self.options = options
    self.report = report
    playlist = folder.appending(path: LiveOutput.playlistName)
    state = Mutex(State(filter: PrivacyFilter(privacy), queue: options.clips))
  }

  /// Why there is no live video; `nil` while there is, or nothing came yet.
  public var failure: LiveOutput.Failure? { state.withLock { $0.failure } }

  /// Shows and keeps a picture. What goes wrong is told by ``failure``; the camera is watched all the same.
  public func show(_ moment: CameraStream.Moment, known: PrivacyPlan.Known) {
    let due = state.withLock { state -> [ClipRequest] in
      guard !state.isStopped, let picture = state.filter.filtered(moment.picture, known: known) else { return [] }
      if state.size != picture.size { stop(&state) }
      do throws(LiveOutput.Failure) {
        if state.output == nil {
          guard moment.time >= state.retryAt else { return [] }
          state.retryAt = moment.time + options.retry
          state.output = try LiveOutput(folder: folder, size: picture.size, settings: options.live)
          state.size = picture.size
          state.begin = (Date(), moment.time)
        }
        try state.output?.write(picture, at: moment.time)
        state.failure = nil
      } catch {
        stop(&state)
        state.failure = error
      }
      guard let now = Self.date(moment.time, state) else { return [] }
      // The encoder and the last segment take their time.
      return state.queue.due(at: now.addingTimeInterval(-2 * options.live.segment))
    }
    for clip in due { cut(clip) }
  }

  /// An event began; a clip of it will be cut.
  ///
  /// - Parameters:
  ///   - name: of the clip's file, without extension: letters, digits, `-` and `_`.
  ///   - time: seconds of the camera's stream.
  /// - Returns: the name of the clip that will show it; `nil` where nothing is recorded, or the name is no such name.
  public func keep(_ name: String, at time: Double) -> String? {
    let isName =
      !name.isEmpty && name.utf8.count <= 100
      && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
    guard isName else { return nil }
    return state.withLock { state in
      guard let date = Self.date(time, state) else { return nil }
      return state.queue.add(name: name, at: date)
    }
  }

  /// Ends the live video and removes it; clips that wait are cut out of what there is.
  public func stop() {
    let rest = state.withLock { state -> [ClipRequest] in
      guard !state.isStopped else { return [] }
      state.isStopped = true
      state.output?.stop()
      return state.queue.due(at: .distantFuture)
    }
    for clip in rest { report(clip, result(clip)) }
    state.withLock { state in
      state.output?.remove()
      state.output = nil
    }
  }

  private func stop(_ state: inout State) {
    state.output?.stop()
    state.output = nil
    state.begin = nil
    state.size = nil
  }

  private static func date(_ time: Double, _ state: State) -> Date? {
    state.begin.map { $0.date.addingTimeInterval(time - $0.time) }
  }

  /// Cutting copies files and runs a program: not on the thread that looks.
  private func cut(_ clip: ClipRequest) {
    Thread.detachNewThread { [self] in report(clip, result(clip)) }
  }

  private func result(_ clip: ClipRequest) -> Result<URL, ClipCutter.Failure> {
    let file = clipFolder.appending(path: clip.name + ".mp4")
    return Result { () throws(ClipCutter.Failure) in
      do { try FileManager.default.createDirectory(at: clipFolder, withIntermediateDirectories: true) } catch {
        throw .file(error.localizedDescription)
      }
      try ClipCutter(folder: folder).cut(from: clip.begin, to: clip.end, into: file)
      return file
    }
  }
}
