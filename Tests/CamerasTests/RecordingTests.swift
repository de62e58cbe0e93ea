import Cameras
import Foundation
import Synchronization
import Testing
import Vision

@Suite struct RecordingTests {
  @Test func theFolderIsBoundedAndClipsAreCutOutOfIt() throws {
    let name = "RecordingTests.theFolderIsBoundedAndClipsAreCutOutOfIt"
    guard try TestVideo.run(["-version"], for: name) != nil else { return }
    try TestVideo.folder { folder in
      let live = folder.appending(path: "live")
      var settings = LiveOutput.Settings()
      settings.window = 8
      let output = try LiveOutput(folder: live, size: PictureSize(width: 161, height: 121), settings: settings)
      let grey = try #require(TestVideo.plain(161, 121, 90, 120, 60))
      for index in 0..<150 { try output.write(grey, at: Double(index) / 5) }
      #expect(throws: LiveOutput.Failure.size) {
        try output.write(try #require(TestVideo.plain(8, 8, 0, 0, 0)), at: 31)
      }
      output.stop()
      let files = try FileManager.default.contentsOfDirectory(atPath: live.path)
      // Thirty seconds are fifteen segments; four are in the playlist, and few more are left.
      #expect(files.count { $0.hasPrefix("segment-") } <= 7)
      let cutter = ClipCutter(folder: live)
      let playlist = try #require(cutter.playlist)
      #expect(playlist.header == "init.mp4" && playlist.segments.count == 4)
      #expect(playlist.segments.allSatisfy { abs($0.seconds - 2) < 0.01 })
      let first = try #require(playlist.segments.first)
      let clip = folder.appending(path: "clip.mp4")
      try cutter.cut(from: first.begin.addingTimeInterval(1), to: first.begin.addingTimeInterval(3), into: clip)
      let length = try TestVideo.run(
        "ffprobe", ["-show_entries", "format=duration", "-of", "csv=p=0", clip.path], for: name)
      #expect(abs((Double(length?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "") ?? 0) - 4) < 0.3)
      #expect(cutter.holds(until: first.end) && !cutter.holds(until: first.begin.addingTimeInterval(60)))
      #expect(throws: ClipCutter.Failure.absent) {
        try cutter.cut(from: first.begin.addingTimeInterval(-60), to: first.begin.addingTimeInterval(-50), into: clip)
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["clip.mp4", "live"])
      output.remove()
      #expect(try FileManager.default.contentsOfDirectory(atPath: live.path).isEmpty)
    }
  }

  @Test func anOutputThatDiedIsSaid() throws {
    guard try TestVideo.run(["-version"], for: "RecordingTests.anOutputThatDiedIsSaid") != nil else { return }
    try TestVideo.folder { folder in
      let output = try LiveOutput(folder: folder, size: PictureSize(width: 64, height: 48))
      output.stop()
      let grey = try #require(TestVideo.plain(64, 48, 1, 2, 3))
      #expect(throws: LiveOutput.Failure.self) { try output.write(grey, at: 0) }
    }
  }

  @Test func masksAreCoveredAndHeadsMadeCoarse() throws {
    // A chess board of two colours, of which nothing may be left in a mask, and no fine detail in a head.
    let size = PictureSize(width: 64, height: 64)
    var pixels: [UInt8] = []
    for y in 0..<64 { for x in 0..<64 { pixels += (x + y) % 2 == 0 ? [0, 0, 0] : [255, 255, 255] } }
    let picture = try #require(Picture(size: size, pixels: pixels))
    let mask = Polygon([(0.0, 0.0), (0.25, 0.0), (0.25, 1.0), (0.0, 1.0)].map { Point(x: $0.0, y: $0.1) })
    let person = Box(x: 36, y: 20, width: 16, height: 40)
    let track = Track(id: 1, box: person, velocity: Point(x: 0, y: 0), score: 1, unseen: 0, age: 1)
    let stranger = Box(x: 56, y: 20, width: 8, height: 40)
    let known = PrivacyPlan.Known(tracks: [track], moving: [person, stranger], usualHeight: 40)
    let filter = PrivacyFilter(PrivacyPlan(masks: [mask]), cascade: nil)
    let made = try #require(filter.filtered(picture, known: known))
    func value(_ x: Int, _ y: Int) -> UInt8 { made.pixels[3 * (64 * y + x)] }
    #expect((0..<64).allSatisfy { y in (0..<16).allSatisfy { value($0, y) == 64 } })
    #expect((38..<50).allSatisfy { x in (100...155).contains(value(x, 22)) })
    // The body is seen, although it moves; what moves and is nobody's is not, and what does not move is.
    #expect((32..<58).allSatisfy { value(40, $0) == picture.pixels[3 * (64 * $0 + 40)] })
    #expect((24..<58).allSatisfy { (100...155).contains(value(60, $0)) })
    #expect(value(24, 50) == picture.pixels[3 * (64 * 50 + 24)])
    let open = PrivacyFilter(PrivacyPlan(hidesHeads: false))
    #expect(open.filtered(picture, known: known) == picture)
  }

  @Test func debiansCascadeIsUsedWhereItIs() throws {
    guard FileManager.default.fileExists(atPath: PrivacyFilter.usualCascade) else {
      print("skipped: RecordingTests.debiansCascadeIsUsedWhereItIs, \(PrivacyFilter.usualCascade) is absent")
      return
    }
    #expect(PrivacyFilter(PrivacyPlan()).findsFaces)
    #expect(!PrivacyFilter(PrivacyPlan(), cascade: #filePath).findsFaces)
    let grey = try #require(TestVideo.plain(200, 100, 80, 80, 80))
    #expect(PrivacyFilter(PrivacyPlan()).filtered(grey, known: PrivacyPlan.Known(tracks: [])) == grey)
  }

  @Test func whatIsTooOldIsDeletedAndNothingElse() throws {
    try TestVideo.folder { folder in
      let now = Date()
      func put(_ name: String, age: Double) throws {
        let file = folder.appending(path: name)
        try Data(repeating: 1, count: 1_000).write(to: file)
        try FileManager.default.setAttributes(
          [.modificationDate: now.addingTimeInterval(-age)], ofItemAtPath: file.path)
      }
      for (name, age) in [("old.mp4", 500.0), ("held.mp4", 500), ("new.mp4", 10), ("old.txt", 500)] {
        try put(name, age: age)
      }
      try FileManager.default.createSymbolicLink(
        at: folder.appending(path: "link.mp4"), withDestinationURL: folder.appending(path: "old.txt"))
      let result = RetentionSweep.run(
        RetentionPlan(seconds: 100, bytes: 1_000_000), in: folder, held: ["held.mp4"], now: now)
      #expect(result.deleted == [RetentionPlan.Deletion(name: "old.mp4", reason: .age)])
      #expect(result.failed.isEmpty)
      #expect(
        Set(try FileManager.default.contentsOfDirectory(atPath: folder.path))
          == ["held.mp4", "new.mp4", "old.txt", "link.mp4"])
    }
  }

  private final class Clips: Sendable {
    let made = Mutex<[(name: String, result: Result<URL, ClipCutter.Failure>)]>([])
  }

  @Test func aRecorderShowsWhatMayBeSeenAndKeepsClipsOfEvents() throws {
    let name = "RecordingTests.aRecorderShowsWhatMayBeSeenAndKeepsClipsOfEvents"
    guard try TestVideo.run(["-version"], for: name) != nil else { return }
    try TestVideo.folder { folder in
      let clips = Clips()
      var options = CameraRecorder.Options()
      options.clips = ClipQueue(before: 4, after: 4)
      let recorder = CameraRecorder(
        folder: folder.appending(path: "live"), clipFolder: folder.appending(path: "clips"),
        privacy: PrivacyPlan(masks: [
          Polygon([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)].map { Point(x: $0.0, y: $0.1) })
        ]),
        options: options
      ) { clip, result in clips.made.withLock { $0.append((clip.name, result)) } }
      #expect(recorder.keep("early", at: 0) == nil)
      let blue = try #require(TestVideo.plain(160, 120, 250, 10, 10))
      for index in 0..<100 {
        let time = Double(index) / 5
        recorder.show(CameraStream.Moment(picture: blue, time: time), known: PrivacyPlan.Known(tracks: []))
        if index == 40 {
          #expect(recorder.keep("../outside", at: time) == nil)
          #expect(recorder.keep("event-1", at: time) == "event-1")
        }
        if index == 95 { #expect(recorder.keep("event-2", at: time) == "event-2") }
      }
      #expect(recorder.failure == nil)
      recorder.stop()
      for _ in 0..<500 where clips.made.withLock({ $0.count < 2 }) { Thread.sleep(forTimeInterval: 0.02) }
      let made = clips.made.withLock { $0 }
      #expect(made.map(\.name).sorted() == ["event-1", "event-2"])
      let first = try #require(made.first { $0.name == "event-1" }).result.get()
      // All of the picture is masked: grey of 64, in video 71 of 255.
      let colours = try TestVideo.run(
        "ffmpeg",
        [
          "-i", first.path, "-frames:v", "1", "-vf", "scale=1:1", "-f", "rawvideo", "-pix_fmt", "gray",
          folder.appending(path: "grey").path,
        ],
        for: name)
      #expect(colours != nil)
      let grey = try Data(contentsOf: folder.appending(path: "grey")).first
      #expect(abs(Int(grey ?? 0) - 64) < 12)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "live").path).isEmpty)
    }
  }
}
