import City
import Foundation
import Surveillance
import TestSupport
import Testing
import Vision

@Suite struct PlanTests {
  private static let whole = """
    keep: {clips: 30, exports: 7, gigabytes: 1.5, source: a decision}
    events:
      - {rule: intrusion, category: intrusion, severity: Severe}
    cameras:
      - id: gate
        name: {ko: 정문, en: Gate}
        source: rtsp://127.0.0.1:8554/gate
        login: {file: gate.login}
        place: [129.06, 35.16]
        bearing: 90
        plan: gate.yaml
        scope: /north
      - id: yard
        name: {ko: 마당, en: Yard}
        source: yard.mp4
        place: [129.07, 35.17]
        showsHeads: true
        synthetic: true
    """

  private func read(_ text: String) throws -> SurveillancePlan {
    let folder = FileManager.default.temporaryDirectory.appending(path: "surveillance-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let zones = """
      zones:
        - {id: path, rule: intrusion, area: [[0, 0], [1, 0], [1, 1]]}
      masks: [[[0, 0], [0.2, 0], [0.2, 0.2]]]
      """
    try Data(zones.utf8).write(to: folder.appending(path: "gate.yaml"))
    try Data(text.utf8).write(to: folder.appending(path: "cameras.yaml"))
    return try SurveillancePlan(path: folder.appending(path: "cameras.yaml").path, categories: ["intrusion"])
  }

  @Test func aFileSaysWhatCamerasThereAre() throws {
    let plan = try read(Self.whole)
    #expect(plan.keeping == .init(clips: 30 * 86_400, exports: 7 * 86_400, most: 1_500_000_000))
    #expect(plan.reporting == [.intrusion: .init(category: "intrusion", severity: .severe)])
    let gate = try #require(plan.camera("urn:ngsi-ld:Camera:gate"))
    #expect(gate.shortName == "gate" && gate.source == "rtsp://127.0.0.1:8554/gate" && gate.bearing == 90)
    #expect(gate.zones.map(\.id) == ["path"] && gate.privacy.masks.count == 1)
    #expect(gate.fieldOfView == 90 && gate.range == 100 && gate.scope == "/north")
    guard case .file(let login) = gate.login else {
      Issue.record("the login is no file")
      return
    }
    #expect(login.hasSuffix("/gate.login") && login.hasPrefix("/"))
    let yard = try #require(plan.camera("urn:ngsi-ld:Camera:yard"))
    #expect(
      yard.source.hasSuffix("/yard.mp4") && yard.source.hasPrefix("/") && yard.login == nil && yard.bearing == nil)
    // Heads are hidden and pictures need a grant unless the file says otherwise.
    #expect(gate.privacy.hidesHeads && !gate.isSynthetic && !yard.privacy.hidesHeads && yard.isSynthetic)
  }

  @Test(arguments: [
    ("category: intrusion,", "category: theft,", "events[0].category", "a category of the safety plan"),
    ("id: yard", "id: gate", "cameras[1].id", "an id of its own"),
    ("rtsp://127.0.0.1", "rtsp://me:word@127.0.0.1", "cameras[0].source", "'login' with env or file"),
    ("rtsp://127.0.0.1", "gopher://127.0.0.1", "cameras[0].source", "an rtsp: or rtsps: address"),
    ("{file: gate.login}", "{file: a, env: B}", "cameras[0].login", "'env' or 'file'"),
    ("{file: gate.login}", "{}", "cameras[0].login", "'env' or 'file'"),
    ("clips: 30", "clips: 0", "keep.clips", "from 0.01 to 3650"),
    ("bearing: 90", "bearing: 400", "cameras[0].bearing", "from 0 to 360"),
    ("[129.06, 35.16]", "[35.16, 129.06]", "cameras[0].place", "from -90 to 90"),
    ("synthetic: true", "sinthetic: true", "cameras[1].sinthetic", "did you mean"),
    (", source: a decision", "", "keep", "source"),
  ])
  func whatIsWrongIsSaidWithItsPlace(_ old: String, _ new: String, _ key: String, _ expected: String) throws {
    let text = Self.whole.replacingOccurrences(of: old, with: new)
    try #require(text != Self.whole)
    let error = #expect(throws: FileProblems.self) { _ = try read(text) }
    let said = try #require(error).problems.map(\.description)
    #expect(said.contains { $0.contains(key) && $0.contains(expected) }, "\(said)")
    // A password that stands in a wrong place is not repeated where logs keep it.
    #expect(!said.contains { $0.contains("word@") })
  }

  @Test func aZoneFileThatIsAbsentIsNamed() throws {
    let text = Self.whole.replacingOccurrences(of: "plan: gate.yaml", with: "plan: fence.yaml")
    let error = #expect(throws: FileProblems.self) { _ = try read(text) }
    #expect(try #require(error).description.contains("fence.yaml"))
  }
}
