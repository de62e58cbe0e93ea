import Cameras
import Foundation
import TestSupport
import Testing
import Vision

/// The default detector on real pictures, few of them: how right it is over hundreds is measured by `Tests/program/test_watch.py`.
@Suite struct WatchTests {
  private static let truthPath = "safety/pets09-s2l1-truth-frames-1-400.txt"

  private func model(for test: String) -> String? {
    let path = PersonModel.path ?? Oracle.root.appending(path: ".models/person.pb").path
    if FileManager.default.fileExists(atPath: path) { return path }
    print("skipped: \(test), the network is absent (make setup)")
    return nil
  }

  @Test func peopleAreFoundAndFollowed() throws {
    let name = "WatchTests.peopleAreFoundAndFollowed"
    guard let path = model(for: name), let video = TestVideo.people(for: name),
      let file = Oracle.data(Self.truthPath, for: name)
    else { return }
    let truth = try MOTFile.rows(String(contentsOf: file, encoding: .utf8))
    let source = try VideoSource(video)
    let reader = try VideoReader(source, probe: try VideoProbe(source))
    let camera = try CameraWatch()
    let detector = try DefaultDetector(path: path)
    var score = DetectionScore()
    while reader.count < 30, case .picture(let picture) = reader.next(patience: 10) {
      let seen = try camera.next(picture, at: Double(reader.count) / 10, detector: detector)
      guard reader.count > 5 else { continue }
      let rows = truth[reader.count] ?? []
      score.add(
        seen.tracks.map(\.box), truth: rows.filter { !$0.isIgnored }.map(\.box),
        ignored: rows.filter(\.isIgnored).map(\.box))
    }
    #expect(reader.count == 30)
    #expect(score.f1 > 0.8, "F1 \(score.f1)")
  }

  @Test func anotherModelMayBeBrought() throws {
    let name = "WatchTests.anotherModelMayBeBrought"
    guard let path = Oracle.data("safety/yolox_nano.onnx", for: name), let video = TestVideo.people(for: name),
      let file = Oracle.data(Self.truthPath, for: name)
    else { return }
    let truth = try MOTFile.rows(String(contentsOf: file, encoding: .utf8))
    let source = try VideoSource(video)
    let reader = try VideoReader(source, probe: try VideoProbe(source))
    let detector = try ModelDetector(path: path.path)
    guard case .picture(let picture) = reader.next(patience: 10) else {
      Issue.record("no picture")
      return
    }
    let whole = RegionPlan.Region(box: Box(x: 0, y: 0, width: 768, height: 576), personHeight: 80)
    let found = try detector.detections(in: picture, regions: [whole]).filter { $0.score > 0.4 }.map(\.box)
    var score = DetectionScore()
    score.add(found, truth: (truth[1] ?? []).map(\.box))
    #expect(score.found == 3 && score.wrong <= 1)
  }

  /// Says where somebody is, and counts how often it was asked.
  private final class Counting: PersonDetector {
    var asked = 0
    func detections(in picture: Picture, regions: [RegionPlan.Region]) throws(DetectorError) -> [Detection] {
      asked += 1
      return []
    }
  }

  @Test func whereNothingMovesTheDetectorIsNotAsked() throws {
    var settings = CameraWatch.Settings()
    settings.sweep = 0
    let camera = try CameraWatch(settings: settings)
    let detector = Counting()
    let grey = try #require(TestVideo.plain(320, 240, 80, 90, 100))
    for index in 0..<20 { _ = try camera.next(grey, at: Double(index) / 10, detector: detector) }
    // Once, for all of the first picture.
    #expect(detector.asked == 1)
    var moving = grey
    for y in 100..<160 { for x in 100..<130 { moving.pixels[3 * (320 * y + x)] = 250 } }
    _ = try camera.next(moving, at: 2, detector: detector)
    #expect(detector.asked == 2)
  }

  @Test func manyCamerasAreLookedAtByFewThreads() throws {
    let name = "WatchTests.manyCamerasAreLookedAtByFewThreads"
    try TestVideo.folder { folder in
      let file = folder.appending(path: "a.avi")
      guard try TestVideo.make(file, seconds: 3, for: name) else { return }
      var options = CameraStream.Options()
      (options.isPaced, options.rate) = (true, 5)
      let source = try VideoSource(file.path)
      var cameras = (0..<4).map {
        CameraPool.Camera(id: "c\($0)", stream: CameraStream(source, options: options))
      }
      // One that is not there takes nothing from the others.
      cameras.append(CameraPool.Camera(id: "gone", stream: CameraStream(try VideoSource("/nowhere.avi"))))
      let pool = try CameraPool(cameras, detector: { Counting() }, report: { _, _, _ in })
      try pool.start()
      for _ in 0..<1_000 where pool.figures.pictures < 20 { Thread.sleep(forTimeInterval: 0.02) }
      #expect(cameras.dropLast().allSatisfy { $0.stream.status.pictures > 0 })
      #expect(cameras.last?.stream.status.state == .lost(.unreachable))
      pool.stop()
      #expect(pool.figures.pictures >= 20 && pool.figures.failures == 0)
    }
  }
}
