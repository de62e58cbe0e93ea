import Foundation
import Testing
import Vision

@Suite struct StreamTests {
  @Test func aStreamRunsFreezesAndRunsAgain() {
    var health = StreamHealth(at: 0)
    #expect(health.state == .connecting)
    for second in 1...10 { health.picture(isSame: false, at: Double(second)) }
    #expect(health.state == .running && health.since == 1)
    for second in 11...26 { health.picture(isSame: true, at: Double(second)) }
    #expect(health.state == .frozen && health.since == 25)
    health.picture(isSame: false, at: 27)
    #expect(health.state == .running)
  }

  @Test func silenceIsLossAndAttemptsAreFartherAndFartherApart() {
    var health = StreamHealth(at: 0)
    let isEarly = health.check(at: 9)
    #expect(!isEarly)
    let isSilent = health.check(at: 10)
    #expect(isSilent)
    #expect(health.state == .lost(.unreachable))
    var waits: [Double] = []
    var time = 10.0
    for _ in 0..<9 {
      let retry = health.retryAt ?? .nan
      waits.append(retry - time)
      health.open(at: retry)
      #expect(health.state == .connecting && health.retryAt == nil)
      time = retry + 1
      health.lose(.unreachable, at: time, jitter: 0)
    }
    #expect(waits == [1, 2, 4, 8, 16, 32, 60, 60, 60])
    // It runs for long enough: the next loss is like the first.
    health.open(at: time)
    for second in 0..<40 { health.picture(isSame: false, at: time + Double(second)) }
    health.lose(.ended, at: time + 40, jitter: 0)
    #expect(health.retryAt == time + 41)
  }

  @Test func whatIsRefusedIsTriedSeldom() {
    var health = StreamHealth(at: 0)
    health.refuse(.undecodable, at: 5, jitter: 1)
    #expect(health.state == .refused(.undecodable) && health.state.code == "refused-undecodable")
    #expect(health.retryAt == 380)
    health.picture(isSame: false, at: 6)
    #expect(health.state == .refused(.undecodable))
  }

  @Test func aPlaylistSaysWhenItsSegmentsWereRecorded() throws {
    let text = """
      #EXTM3U
      #EXT-X-VERSION:7
      #EXT-X-MAP:URI="init.mp4"
      #EXTINF:2.000000,
      #EXT-X-PROGRAM-DATE-TIME:2026-11-24T03:03:20.500+0000
      segment-7.m4s
      #EXTINF:2.000000,
      segment-8.m4s
      #EXTINF:2.000000,
      #EXT-X-PROGRAM-DATE-TIME:2026-11-24T03:03:24.500Z
      ../../etc/passwd
      #EXTINF:nan,
      segment-9.m4s
      """
    let playlist = HLSPlaylist(text)
    #expect(playlist.header == "init.mp4")
    let begin = try Date("2026-11-24T03:03:20Z", strategy: .iso8601).addingTimeInterval(0.5)
    #expect(playlist.segments.map(\.name) == ["segment-7.m4s", "segment-8.m4s"])
    #expect(playlist.segments.map { $0.begin.timeIntervalSince(begin) } == [0, 2])
    #expect(
      playlist.segments(from: begin.addingTimeInterval(2), to: begin.addingTimeInterval(9)).map(\.name)
        == ["segment-8.m4s"])
    #expect(HLSPlaylist("").segments.isEmpty)
  }

  @Test func recordingsGoByAgeAndForRoomAndWhatIsHeldStays() {
    typealias Recording = RetentionPlan.Recording
    let plan = RetentionPlan(seconds: 100, bytes: 25)
    let recordings = [
      Recording(name: "new", end: 990, bytes: 10), Recording(name: "old", end: 850, bytes: 10),
      Recording(name: "evidence", end: 10, bytes: 10, isHeld: true), Recording(name: "middle", end: 950, bytes: 10),
      Recording(name: "future", end: 5_000, bytes: 5),
    ]
    let found = plan.deletions(recordings, now: 1_000)
    #expect(
      found == [
        RetentionPlan.Deletion(name: "old", reason: .age), RetentionPlan.Deletion(name: "middle", reason: .room),
      ])
    #expect(plan.deletions([], now: 0).isEmpty)
    // What is held takes all the room: everything else goes, and it stays.
    let tight = RetentionPlan(seconds: 1_000, bytes: 5)
    #expect(tight.deletions(Array(recordings.prefix(3)), now: 1_000).map(\.name) == ["old", "new"])
  }

  @Test func headsAreHiddenUnlessSomebodyWantsThemSeen() throws {
    let person = Box(x: 100, y: 50, width: 40, height: 100)
    let size = PictureSize(width: 640, height: 360)
    func known(unseen: Double = 0, moving: [Box] = [], isFollowed: Bool = true) -> PrivacyPlan.Known {
      let track = Track(id: 1, box: person, velocity: Point(x: 0, y: 0), score: 1, unseen: unseen, age: 9)
      return PrivacyPlan.Known(tracks: isFollowed ? [track] : [], moving: moving, usualHeight: 100)
    }
    let plan = PrivacyPlan()
    let head = try #require(plan.treatment(known(), faces: [], in: size).heads.first?.box)
    // The uppermost eighth, with room around.
    let real = PrivacyScore.head(of: person)
    #expect(real.share(in: head) == 1)
    #expect(head.bottom < 75)
    let face = Box(x: 0, y: 0, width: 20, height: 20)
    #expect(plan.treatment(known(isFollowed: false), faces: [face], in: size).heads.count == 1)
    #expect(PrivacyPlan(hidesHeads: false).treatment(known(moving: [person]), faces: [person], in: size) == .init())

    // Who moves and is not followed is hidden whole; who is followed shows the body, for as long as he is seen.
    let legs = Box(x: 105, y: 110, width: 30, height: 40)
    let stranger = plan.treatment(known(moving: [person], isFollowed: false), faces: [], in: size)
    #expect(stranger.hiddenShare(of: real) == 1 && stranger.hiddenShare(of: legs) == 1)
    let seen = plan.treatment(known(moving: [person]), faces: [], in: size)
    #expect(seen.hiddenShare(of: real) == 1 && seen.hiddenShare(of: legs) == 0)
    let lost = plan.treatment(known(unseen: 1, moving: [person]), faces: [], in: size)
    #expect(lost.hiddenShare(of: legs) == 1)
    // His head may be somewhere else by then.
    let moved = Box(x: real.x + 14, y: real.y, width: real.width, height: real.height)
    #expect(lost.hiddenShare(of: moved) == 1)
    // A child in front of him, who moves and is nobody yet, has no head in his body while it is the detector's guess.
    var guess = known(moving: [person])
    guess.maybe = [Box(x: 110, y: 100, width: 20, height: 50)]
    #expect(plan.treatment(guess, faces: [], in: size).hiddenShare(of: PrivacyScore.head(of: guess.maybe[0])) == 1)
  }

  @Test func eventsThatFollowEachOtherShareAClip() {
    var queue = ClipQueue(before: 10, after: 10, longest: 40)
    let begin = Date(timeIntervalSince1970: 1_000)
    #expect(queue.add(name: "a", at: begin) == "a")
    #expect(queue.add(name: "b", at: begin.addingTimeInterval(5)) == "a")
    // The clip would be longer than it may be: another one.
    #expect(queue.add(name: "c", at: begin.addingTimeInterval(14)) == "a")
    #expect(queue.add(name: "d", at: begin.addingTimeInterval(23)) == "d")
    #expect(queue.due(at: begin.addingTimeInterval(23)).isEmpty)
    let due = queue.due(at: begin.addingTimeInterval(24))
    #expect(due == [ClipRequest(name: "a", begin: begin.addingTimeInterval(-10), end: begin.addingTimeInterval(24))])
    #expect(queue.due(at: begin.addingTimeInterval(99)).map(\.name) == ["d"])
    #expect(queue.due(at: .distantFuture).isEmpty)
    for number in 0..<100 { _ = queue.add(name: "\(number)", at: begin.addingTimeInterval(Double(number) * 100)) }
    #expect(queue.due(at: .distantFuture).count == ClipQueue.most)
  }
}
