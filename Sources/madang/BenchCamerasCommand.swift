import ArgumentParser
import Cameras
import Foundation
import Vision

/// How many cameras this machine can look at: one video is played as many cameras at once, in real time.
struct BenchCamerasCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cameras", abstract: "Looks at one video as if it came from many cameras, in real time.",
    discussion: """
      Each camera has a process of its own that decodes; `--workers` threads look at their pictures. Pictures that come faster than \
      they can be looked at are missed and counted.
      """)

  @Argument(help: "A video file.", completion: .file())
  var video: String

  @Option(help: "How many cameras, 1 to 256.")
  var cameras = 16

  @Option(help: "Pictures a second of each.")
  var fps = 5.0

  @Option(help: "Their size.")
  var size = "640x360"

  @Option(help: "Threads that look.")
  var workers = 2

  @Option(help: "How tall people are for the network, in pixels; fewer is quicker and sees less.")
  var personHeight: Double?

  @Option(help: "Seconds that it lasts, after ten of warming up.")
  var seconds = 30.0

  @Flag(help: "Print JSON.")
  var json = false

  private struct Report: Encodable {
    var cameras, workers: Int
    var size: String
    var fps, seconds: Double
    /// Pictures that came, were looked at, were missed, and at which the detector was asked.
    var came, looked, missed, detected: Int
    /// Milliseconds of a worker for each picture looked at, by part.
    var motion, detection, tracking: Double
    /// Milliseconds from a picture's coming to its having been looked at.
    var meanWait, longestWait: Double
    /// Share of the workers' time that they worked.
    var busy: Double
    /// Seconds of processor time of this process and of those that decode, by second.
    var processors, decoding: Double
  }

  func validate() throws {
    guard (1...256).contains(cameras), (1...64).contains(workers), (0.2...60).contains(fps),
      (1...3_600).contains(seconds)
    else { throw ValidationError("cameras 1 to 256, workers 1 to 64, fps 0.2 to 60, seconds 1 to 3,600.") }
    guard pictureSize != nil else { throw ValidationError("--size is such as 640x360, not \(size).") }
  }

  private var pictureSize: PictureSize? {
    let parts = size.split(separator: "x").compactMap { Int($0) }
    guard parts.count == 2, parts.allSatisfy({ (32...4_096).contains($0) }) else { return nil }
    return PictureSize(width: parts[0], height: parts[1])
  }

  func run() throws {
    guard let path = PersonModel.path else {
      throw ValidationError("the default model is absent: `make setup` fetches it, MADANG_MODELS names its folder.")
    }
    do {
      let pool = try makePool(path)
      try pool.0.start()
      Thread.sleep(forTimeInterval: 10)
      let before = (pool.0.figures, counts(pool.1), Self.processorSeconds())
      let begin = ContinuousClock.now
      Thread.sleep(forTimeInterval: seconds)
      let lasted = (ContinuousClock.now - begin) / .seconds(1)
      let after = (pool.0.figures, counts(pool.1), Self.processorSeconds())
      let states = Set(pool.1.map(\.status.state.code))
      pool.0.stop()
      Thread.sleep(forTimeInterval: 1.5)
      let decoding = (Self.processorSeconds(__rusage_who_t(RUSAGE_CHILDREN.rawValue))) / Double(lasted + 10)
      guard states == ["running"] else { throw ValidationError("\(video): a camera was \(states.sorted())") }
      let report = report(before, after, lasted: lasted, decoding: decoding)
      Terminal.print(json ? try Self.json(report) : text(report))
    } catch let error as DetectorError {
      throw ValidationError("\(error)")
    } catch let error as VideoError {
      throw ValidationError("\(video): \(error)")
    }
  }

  private func makePool(_ path: String) throws -> (CameraPool, [CameraStream]) {
    let source = try VideoSource(video)
    var options = CameraStream.Options()
    options.size = pictureSize
    options.rate = fps
    options.isPaced = true
    let streams = (0..<cameras).map { _ in CameraStream(source, options: options) }
    var settings = CameraPool.Settings()
    settings.workers = workers
    if let personHeight { settings.watch.regions.personHeight = personHeight }
    let regions = settings.watch.regions
    let pool = try CameraPool(
      streams.enumerated().map { CameraPool.Camera(id: "camera-\($0.offset + 1)", stream: $0.element) },
      settings: settings,
      detector: { () throws(DetectorError) in try DefaultDetector(path: path, settings: regions) },
      report: { _, _, _ in })
    return (pool, streams)
  }

  private func counts(_ streams: [CameraStream]) -> (came: Int, missed: Int) {
    streams.map(\.status).reduce((0, 0)) { ($0.0 + $1.pictures, $0.1 + $1.missed) }
  }

  private func report(
    _ before: (CameraPool.Figures, (came: Int, missed: Int), Double),
    _ after: (CameraPool.Figures, (came: Int, missed: Int), Double), lasted: Double, decoding: Double
  ) -> Report {
    let looked = after.0.pictures - before.0.pictures
    func each(_ part: KeyPath<CameraWatch.Times, Double>) -> Double {
      (after.0.times[keyPath: part] - before.0.times[keyPath: part]) * 1_000 / Double(max(1, looked))
    }
    let work = each(\.motion) + each(\.detection) + each(\.tracking)
    return Report(
      cameras: cameras, workers: workers, size: size, fps: fps, seconds: lasted, came: after.1.came - before.1.came,
      looked: looked, missed: after.1.missed - before.1.missed, detected: after.0.detected - before.0.detected,
      motion: each(\.motion), detection: each(\.detection), tracking: each(\.tracking),
      meanWait: (after.0.waits - before.0.waits) * 1_000 / Double(max(1, looked)),
      longestWait: after.0.longestWait * 1_000,
      busy: work / 1_000 * Double(looked) / (lasted * Double(workers)), processors: (after.2 - before.2) / lasted,
      decoding: decoding)
  }

  private static func json(_ report: Report) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
    return String(decoding: try encoder.encode(report), as: UTF8.self)
  }

  private func text(_ report: Report) -> String {
    func number(_ value: Double) -> String { String(format: "%.1f", value) }
    return """
      \(cameras) cameras of \(size) at \(number(fps)) a second, \(workers) workers, \(number(report.seconds)) s
      \(report.came) pictures came, \(report.looked) looked at (\(report.detected) with the detector), \(report.missed) missed
      a picture: motion \(number(report.motion)) ms, detection \(number(report.detection)) ms, tracking \(number(report.tracking)) ms
      looked at \(number(report.meanWait)) ms after it came on the average, \(number(report.longestWait)) ms at most
      workers busy \(number(report.busy * 100)) %; processors: \(number(report.processors)) here, \(number(report.decoding)) decoding
      """
  }

  private static func processorSeconds(_ who: __rusage_who_t = __rusage_who_t(RUSAGE_SELF.rawValue)) -> Double {
    var usage = rusage()
    getrusage(who, &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    return seconds(usage.ru_utime) + seconds(usage.ru_stime)
  }
}
