import Cameras
import Foundation
import Testing
import Vision

@Suite struct VideoTests {
  @Test func aFileIsReadPictureByPicture() throws {
    try TestVideo.folder { folder in
      let file = folder.appending(path: "a.avi")
      guard try TestVideo.make(file, seconds: 2, for: "VideoTests.aFileIsReadPictureByPicture") else { return }
      let source = try VideoSource(file.path)
      let probe = try VideoProbe(source)
      #expect(probe.size == PictureSize(width: 160, height: 120) && probe.rate == 10 && probe.codec == "mpeg4")
      let reader = try VideoReader(source, probe: probe)
      var pictures: [Picture] = []
      while case .picture(let picture) = reader.next(patience: 5) { pictures.append(picture) }
      #expect(pictures.count == 20)
      #expect(Set(pictures.map(\.pixels)).count > 10)
      let small = try VideoReader(source, probe: probe, scaledTo: PictureSize(width: 80, height: 60), rate: 5)
      var count = 0
      while case .picture(let picture) = small.next(patience: 5) {
        #expect(picture.size == PictureSize(width: 80, height: 60))
        count += 1
      }
      #expect(count == 10 && small.rate == 5)
    }
  }

  @Test(arguments: ["http://camera/video", "rtsp://", "", "file:///etc/passwd", "a\u{0}b", "udp://1.2.3.4:5"])
  func addressesOfOtherKindsAreRefused(text: String) {
    #expect(throws: VideoError.address) { try VideoSource(text) }
  }

  @Test func aPasswordIsNotShown() throws {
    let source = try VideoSource("rtsp://admin:" + "secret" + "@camera.example:554/stream1")
    #expect(source.kind == .rtsp)
    #expect(source.name == "rtsp://camera.example:554/stream1")
  }

  @Test func whatIsNoVideoIsRefused() throws {
    try TestVideo.folder { folder in
      let text = folder.appending(path: "lies.avi")
      try Data("RIFF this is no video".utf8).write(to: text)
      #expect(throws: VideoError.self) { try VideoProbe(try VideoSource(text.path)) }
      // A playlist is a way to other files.
      let playlist = folder.appending(path: "list.avi")
      try Data("#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n".utf8).write(to: playlist)
      #expect(throws: VideoError.self) { try VideoProbe(try VideoSource(playlist.path)) }
      #expect(throws: VideoError.self) { try VideoProbe(try VideoSource(folder.appending(path: "absent.avi").path)) }
    }
  }

  @Test func dataThatIsNotWhatItsContainerSaysGivesNoPicture() throws {
    try TestVideo.folder { folder in
      let name = "VideoTests.dataThatIsNotWhatItsContainerSaysGivesNoPicture"
      let file = folder.appending(path: "a.avi")
      guard try TestVideo.make(file, seconds: 1, for: name) else { return }
      // The container still says mpeg4 of 160 by 120; the pictures are noise.
      var bytes = Array(try Data(contentsOf: file))
      guard let movie = bytes.indices.first(where: { Array(bytes[$0...].prefix(4)) == Array("movi".utf8) }) else {
        Issue.record("no movi chunk")
        return
      }
      for index in (movie + 12)..<bytes.count { bytes[index] = UInt8(truncatingIfNeeded: index &* 2_654_435_761 >> 7) }
      try Data(bytes).write(to: file)
      let stream = try stream(file) { $0.health.silence = 3 }
      defer { stream.stop() }
      let state = try wait(stream) { $0.state != .connecting }
      #expect(state?.state.code == "refused-undecodable" || state?.state.code.hasPrefix("lost") == true)
      #expect(state?.retryAt != nil)
    }
  }

  @Test func aStreamThatEndsIsOpenedAgain() throws {
    try TestVideo.folder { folder in
      let file = folder.appending(path: "a.avi")
      guard try TestVideo.make(file, seconds: 1, for: "VideoTests.aStreamThatEndsIsOpenedAgain") else { return }
      let stream = try stream(file) { $0.health.firstRetry = 0.1 }
      defer { stream.stop() }
      let lost = try wait(stream) { $0.state == .lost(.ended) }
      #expect(lost?.pictures == 10)
      #expect(try wait(stream) { $0.pictures >= 20 } != nil)
      #expect(stream.take()?.picture.size == PictureSize(width: 160, height: 120))
      #expect(stream.status.missed > 0)
    }
  }

  @Test func aPictureThatStandsStillIsNoticed() throws {
    try TestVideo.folder { folder in
      let name = "VideoTests.aPictureThatStandsStillIsNoticed"
      let file = folder.appending(path: "still.avi")
      let arguments = ["-f", "lavfi", "-i", "color=gray:size=64x48:rate=10:duration=4", "-c:v", "mpeg4", file.path]
      guard try TestVideo.run(arguments, for: name) != nil else { return }
      let stream = try stream(file) {
        $0.isPaced = true
        $0.health.freeze = 1
      }
      defer { stream.stop() }
      #expect(try wait(stream) { $0.state == .frozen } != nil)
    }
  }

  @Test func anotherSizeIsNoticedAndTheStreamOpenedAgain() throws {
    try TestVideo.folder { folder in
      let name = "VideoTests.anotherSizeIsNoticedAndTheStreamOpenedAgain"
      var joined = Data()
      for size in ["160x120", "320x240"] {
        let part = folder.appending(path: size + ".ts")
        let source = "testsrc=size=\(size):rate=10:duration=2"
        guard
          try TestVideo.run(
            ["-f", "lavfi", "-i", source, "-c:v", "mpeg2video", "-g", "5", "-f", "mpegts", part.path], for: name) != nil
        else { return }
        joined.append(try Data(contentsOf: part))
      }
      let file = folder.appending(path: "both.ts")
      try joined.write(to: file)
      let stream = try stream(file) { $0.health.firstRetry = 30 }
      defer { stream.stop() }
      let lost = try wait(stream) { if case .lost = $0.state { true } else { false } }
      #expect(lost?.state == .lost(.resized))
    }
  }

  @Test func aCameraThatIsNotThereHarmsNoOther() throws {
    try TestVideo.folder { folder in
      let file = folder.appending(path: "a.avi")
      guard try TestVideo.make(file, seconds: 2, for: "VideoTests.aCameraThatIsNotThereHarmsNoOther") else { return }
      let good = try stream(file) { $0.isPaced = true }
      // Nobody listens at the discard port.
      let bad = CameraStream(try VideoSource("rtsp://127.0.0.1:9/none"))
      bad.start()
      defer {
        good.stop()
        bad.stop()
      }
      let lost = try wait(bad) { $0.retryAt != nil }
      #expect(lost?.state == .lost(.unreachable))
      #expect(try wait(good) { $0.state == .running && $0.pictures > 5 } != nil)
    }
  }

  private func stream(_ file: URL, _ change: (inout CameraStream.Options) -> Void) throws -> CameraStream {
    var options = CameraStream.Options()
    change(&options)
    let stream = CameraStream(try VideoSource(file.path), options: options)
    stream.start()
    return stream
  }

  /// What a stream's status is when it is as wanted; `nil` when that takes over 20 seconds.
  private func wait(_ stream: CameraStream, _ isRight: (CameraStream.Status) -> Bool) throws -> CameraStream.Status? {
    for _ in 0..<2_000 {
      let status = stream.status
      if isRight(status) { return status }
      Thread.sleep(forTimeInterval: 0.01)
    }
    print("the stream is \(stream.status)")
    return nil
  }
}
