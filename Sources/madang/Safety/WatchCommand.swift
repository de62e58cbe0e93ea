import ArgumentParser
import Cameras
import City
import Foundation
import Vision

struct WatchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch", abstract: "Finds and follows people in a video, and holds rules against them.",
    discussion: """
      Prints a line for each person in each picture, as the MOT challenge has them (picture, track, left, top, width, \
      height, score), then events and figures. With the truth in the same form it says how right that is; only the pictures \
      from the first to the last that the truth names count. docs/cctv.md explains model, rules and figures.
      """)

  @Argument(help: "A video file, or the rtsp: address of a camera.", completion: .file())
  var video: String

  @Option(help: "`default`, or an ONNX file with a YOLOX or SSD head.")
  var model = "default"

  @Option(help: "Rules for parts of the picture (YAML or JSON, docs/cctv.md).", completion: .file())
  var zones: String?

  @Option(help: "The true boxes, as lines of the MOT challenge.", completion: .file())
  var truth: String?

  @Option(help: "Stop after so many pictures.")
  var pictures: Int?

  @Option(help: "Ask the detector at every so manieth picture, as a city with many cameras does.")
  var every = 1

  @Flag(help: "Print JSON.")
  var json = false

  static let maxTruthBytes = 256 << 20

  func validate() throws {
    if let pictures, pictures < 1 { throw ValidationError("--pictures must be at least 1, not \(pictures).") }
    if every < 1 { throw ValidationError("--every must be at least 1, not \(every).") }
  }

  func run() throws {
    let plan = try plan()
    let truth = try truthRows()
    do {
      let source = try VideoSource(video)
      let probe = try VideoProbe(source)
      let detector = try detector()
      var report = WatchReport(
        video: source.name, model: model, size: probe.size, rate: probe.rate ?? 25, codec: probe.codec,
        zones: plan.zones,
        truth: truth)
      let begin = ContinuousClock.now
      var settings = CameraWatch.Settings()
      settings.detectEvery = every
      let camera = try CameraWatch(zones: plan.zones, settings: settings)
      try watch(try VideoReader(source, probe: probe), camera, detector, &report)
      report.finish(seconds: (ContinuousClock.now - begin) / .seconds(1))
      Terminal.print(json ? try report.json() : report.text)
    } catch let error as VideoError {
      throw ValidationError("\(video): \(error)")
    } catch let error as DetectorError {
      throw ValidationError("--model \(model): \(error)")
    }
  }

  private func watch(
    _ reader: VideoReader, _ camera: CameraWatch, _ detector: any PersonDetector, _ report: inout WatchReport
  ) throws {
    defer { reader.stop() }
    while reader.count < pictures ?? .max {
      let begin = ContinuousClock.now
      guard case .picture(let picture) = reader.next(patience: 10) else { break }
      let read = (ContinuousClock.now - begin) / .seconds(1)
      let seen = try camera.next(picture, at: Double(reader.count - 1) / reader.rate, detector: detector)
      report.add(seen, read: read)
    }
    if reader.count == 0 { throw VideoError.undecodable(reader.lastWords) }
  }

  private func detector() throws -> any PersonDetector {
    guard model == "default" else { return try ModelDetector(path: model) }
    guard let path = PersonModel.path else {
      throw ValidationError("the default model is absent: `make setup` fetches it, MADANG_MODELS names its folder.")
    }
    return try DefaultDetector(path: path)
  }

  private func plan() throws -> CameraPlan {
    guard let zones else { return CameraPlan() }
    do { return try CameraPlan(path: zones) } catch { throw ValidationError("\(error)") }
  }

  private func truthRows() throws -> [Int: [MOTFile.Row]]? {
    guard let truth else { return nil }
    let size = (try? FileManager.default.attributesOfItem(atPath: truth)[.size]) as? Int
    guard let size, size <= Self.maxTruthBytes, let data = FileManager.default.contents(atPath: truth) else {
      throw ValidationError("--truth \(truth) cannot be read, or has more than \(Self.maxTruthBytes) bytes.")
    }
    do {
      let rows = try MOTFile.rows(String(decoding: data, as: UTF8.self))
      guard !rows.isEmpty else { throw ValidationError("--truth \(truth) is empty.") }
      return rows
    } catch let error as MOTFile.Malformed {
      throw ValidationError("--truth \(truth): \(error)")
    }
  }
}
