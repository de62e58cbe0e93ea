import ArgumentParser
import AsyncHTTPClient
import Foundation
import NGSI
import NIOCore
import NIOHTTP1

/// 영상정보 열람 기록: who saw and took what, on what ground.
struct VideoReportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "video-report",
    abstract: "Writes what a privacy officer needs to know of the city's video in a period.",
    discussion: """
      Views, exports, refusals and deletions with person, incident, grant and legal basis; grants that were taken and not \
      reviewed; cameras that show heads. The exit code is 0 when nothing is amiss, 1 when the city refuses, 2 when something is to \
      be looked into.
      """)

  @Option(help: "Base URL of the city, such as http://127.0.0.1:8080.")
  var city: String

  @Option(help: "File with an access token of somebody who may review access to the cameras.", completion: .file())
  var token: String

  @Option(help: "Begin, such as 2026-11-01T00:00:00Z (default: 31 days before the end).")
  var from: String?

  @Option(help: "End (default: now).")
  var to: String?

  @Flag(help: "Print JSON.")
  var json = false

  private static let most = 256 << 20

  func run() async throws {
    let end = to.flatMap { DateTime($0) } ?? RealTime.now
    let begin = from.flatMap { DateTime($0) } ?? end.adding(seconds: -31 * 86_400)
    if let to, DateTime(to) == nil { throw ValidationError("\(to) is no time; write it as 2026-11-01T00:00:00Z.") }
    if let from, DateTime(from) == nil {
      throw ValidationError("\(from) is no time; write it as 2026-11-01T00:00:00Z.")
    }
    let report = try await fetch(begin, end)
    Terminal.print(json ? JSONWriter.text(report) : VideoReportText(report).text)
    if VideoReportText(report).isAmiss { throw ExitCode(2) }
  }

  private func fetch(_ begin: DateTime, _ end: DateTime) async throws -> JSON {
    guard let bytes = FileManager.default.contents(atPath: token) else { throw Failure("\(token) cannot be read.") }
    let words = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    let base = city.hasSuffix("/") ? String(city.dropLast()) : city
    var request = HTTPClientRequest(url: "\(base)/city/v1/safety/video-report?from=\(begin)&to=\(end)")
    request.headers.add(name: "Authorization", value: "Bearer " + words)
    let response: HTTPClientResponse
    let body: JSON
    do {
      response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
      body = try JSONParser.parse(Array(buffer: try await response.body.collect(upTo: Self.most)))
    } catch { throw Failure("\(base) gives no report: \(error)") }
    guard response.status == .ok else {
      throw Failure(body["detail"]?.string ?? body["title"]?.string ?? "the city answers \(response.status.code)")
    }
    return body
  }
}

/// The report as text that can be read, printed and filed.
struct VideoReportText {
  private let report: JSON

  init(_ report: JSON) { self.report = report }

  private func items(_ name: String) -> [JSON] { report[name]?.array ?? [] }

  /// Whether somebody has to look into it.
  var isAmiss: Bool {
    !items("viewsWithoutGrant").isEmpty || !items("unreviewed").isEmpty || !items("unmaskedCameras").isEmpty
  }

  var text: String {
    var lines = [
      "영상정보 열람 기록 / Record of views of video", "\(word("from")) – \(word("to"))",
      "카메라 Cameras \(count("cameras")) · 클립 Clips \(count("clips")) · 보류 Held \(count("heldClips"))", "",
    ]
    lines += section("사람별 By person", items("byPerson")) { item in
      "\(who(item)): 열람 views \(number(item, "views")), \(number(item, "seconds")) s, 반출 exports \(number(item, "exports")), "
        + "거절 refused \(number(item, "refusals"))"
    }
    lines += section("열람 Views", items("views")) { item in
      "\(text(item, "openedAt"))  \(who(item))  \(text(item, "camera"))  \(text(item, "incident"))  "
        + "\(ground(item))  \(number(item, "seconds")) s"
    }
    lines += section("반출 Exports", items("exports")) { item in
      "\(text(item, "at"))  \(who(item))  \(text(item, "camera"))  \(text(item, "from")) – \(text(item, "to"))  "
        + "\(ground(item))  \(text(item, "reason"))  sha256 \(text(item, "sha256"))"
    }
    lines += section("거절 Refused", items("refusals")) { item in
      "\(text(item, "at"))  \(who(item))  \(text(item, "camera"))  \(text(item, "incident"))"
    }
    lines += section("파기 Deleted", items("deletions")) { item in
      "\(text(item, "at"))  \(text(item, "kind")) \(text(item, "name"))  \(text(item, "reason"))"
    }
    lines += section("검토하지 않은 긴급 열람 Taken and not reviewed", items("unreviewed")) { item in
      "\(text(item, "id"))  \(text(item, "from"))  \(text(item, "purpose"))"
    }
    lines += section("얼굴을 가리지 않는 카메라 Cameras that show heads", items("unmaskedCameras")) { $0.string ?? "" }
    lines += section("승인 없는 열람 Views without a grant", items("viewsWithoutGrant")) { text($0, "view") }
    return lines.joined(separator: "\n")
  }

  private func section(_ title: String, _ items: [JSON], _ line: (JSON) -> String) -> [String] {
    ["\(title) (\(items.count))"] + (items.isEmpty ? ["  –"] : items.map { "  " + line($0) }) + [""]
  }

  private func word(_ name: String) -> String { report[name]?.string ?? "" }
  private func count(_ name: String) -> String { number(report, name) }
  private func text(_ item: JSON, _ name: String) -> String { Self.plain(item[name]?.string ?? "–") }
  private func number(_ item: JSON, _ name: String) -> String { String(item[name]?.integer ?? 0) }

  private func who(_ item: JSON) -> String {
    let by = item["by"]
    return [by?["agency"]?.string, by?["id"]?.string].compactMap { $0 }.map(Self.plain).joined(separator: "/")
  }

  private func ground(_ item: JSON) -> String {
    if item["synthetic"]?.bool == true { return "합성 synthetic" }
    let glass = item["breakGlass"]?.bool == true ? " (긴급 break-glass)" : ""
    return text(item, "legalBasis") + glass + " " + text(item, "grant")
  }

  /// What others wrote cannot end a line, nor steer a terminal.
  private static func plain(_ text: String) -> String {
    String(
      String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 32 || (127..<160).contains($0.value) ? " " : $0 }))
  }
}
