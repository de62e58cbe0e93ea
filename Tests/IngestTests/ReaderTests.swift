import City
import Foundation
import NGSI
import Oracles
import Testing

@testable import Ingest

/// Gives bytes a few at a time, so that every seam is met.
final class Trickle: ByteSource {
  private var bytes: ArraySlice<UInt8>
  private let step: Int

  init(_ text: String, step: Int) {
    bytes = ArraySlice(text.utf8)
    self.step = step
  }

  var progress: Double { 0 }

  func next() -> [UInt8]? {
    guard !bytes.isEmpty else { return nil }
    defer { bytes = bytes.dropFirst(step) }
    return Array(bytes.prefix(step))
  }
}

@Suite("Reading files")
struct ReaderTests {
  func rows(_ text: String, step: Int = 3) throws -> [[String]] {
    var reader = try CSVReader(Trickle(text, step: step), name: "x")
    var rows: [[String]] = []
    while let form = try reader.next() {
      if case .malformed(let flaw) = form {
        rows.append([flaw])
      } else {
        rows.append((0..<reader.count).map { reader.text($0) })
      }
    }
    return rows
  }

  @Test("CSV as Python's csv reads it", arguments: [1, 2, 7, 4096])
  func csv(step: Int) throws {
    let text = "a,b,c\r\n1,\"x, y\",\"say \"\"hi\"\"\"\r\n\"two\nlines\",,\n\n,,\nlast,\"\",한글"
    #expect(
      try rows(text, step: step) == [
        ["a", "b", "c"], ["1", "x, y", "say \"hi\""], ["two\nlines", "", ""], ["", "", ""], ["last", "", "한글"],
      ])
    #expect(try rows("\u{FEFF}a\n1", step: 64) == [["a"], ["1"]])
    #expect(
      try rows("a\"b\n\"c\"d\n", step: step) == [
        ["a quote inside a field that is not quoted"], ["text after a closing quote"],
      ])
    #expect(throws: IngestError.self) { try rows("a\n\"never closed\n1\n2", step: step) }
    #expect(throws: IngestError.self) { try rows(String(repeating: "x", count: 2 << 20), step: 4096) }
    #expect(throws: IngestError.self) { try rows(String(repeating: ",", count: 10_000), step: 4096) }
  }

  @Test("numbers keep their digits, and what is none is refused")
  func numbers() {
    let good = [
      "17": "17", " 0.018 ": "0.018", "-2.77555756156289e-17": "-2.77555756156289e-17", "1.0": "1.0", "+3": "3",
      ".5": "0.5", "5.": "5", "007": "7", "1E5": "1e5", "-0": "-0", "0": "0", "00.50": "0.50",
    ]
    for (text, json) in good {
      var bytes: [UInt8] = []
      let value = NumberText.append(ArraySlice(text.utf8), to: &bytes)
      #expect(String(decoding: bytes, as: UTF8.self) == json)
      #expect(value == Double(text.trimmingSpaces == "5." ? "5" : text.trimmingSpaces))
      #expect(throws: Never.self) { try JSONParser.parse(bytes) }
    }
    for text in [
      "", "-", ".", "1e", "1,5", "0x10", "NaN", "inf", "1e999", "--1", "1.2.3", "12a",
      String(repeating: "9", count: 500),
    ] {
      var bytes: [UInt8] = [7]
      #expect(NumberText.append(ArraySlice(text.utf8), to: &bytes) == nil, "\(text)")
      #expect(bytes == [7])
    }
  }

  @Test("hour 24 is the next day's midnight; impossible times are refused")
  func times() throws {
    func read(_ text: String, _ pattern: String, _ zone: String, hour24: Bool = true) throws -> String? {
      let pattern = try #require(TimePattern(pattern))
      var table = ZoneTable(try #require(TimeZone(identifier: zone)))
      switch pattern.read(Array(text.utf8), allowsHour24: hour24) {
      case .instant(let time): return time.description
      case .local(let day, let seconds):
        return table.instant(day: day + seconds / 86_400, seconds: seconds % 86_400)?.description
      case .invalid: return nil
      }
    }
    let minutes = "yyyy-MM-dd HH:mm"
    #expect(try read("2018-01-01 24:00", minutes, "Asia/Seoul") == "2018-01-01T15:00:00Z")
    #expect(try read("2022-12-31 24:00", minutes, "Asia/Seoul") == "2022-12-31T15:00:00Z")
    #expect(try read("2018-01-01 24:00", minutes, "Asia/Seoul", hour24: false) == nil)
    #expect(try read("2018-01-01 24:01", minutes, "Asia/Seoul") == nil)
    #expect(try read("2018-02-29 01:00", minutes, "Asia/Seoul") == nil)
    #expect(try read("2018-01-01 1:00", minutes, "Asia/Seoul") == nil)
    #expect(try read("2013-3-1 0", "y-M-d H", "Asia/Shanghai") == "2013-02-28T16:00:00Z")
    #expect(try read("2018-01-01T01:00:00+09:00", "iso8601", "Asia/Seoul") == "2017-12-31T16:00:00Z")
    // Berlin, 2024: 02:30 on 31 March does not exist, on 27 October it exists twice and the first is meant.
    #expect(try read("2024-03-31 02:30", minutes, "Europe/Berlin") == nil)
    #expect(try read("2024-03-31 03:30", minutes, "Europe/Berlin") == "2024-03-31T01:30:00Z")
    #expect(try read("2024-10-27 02:30", minutes, "Europe/Berlin") == "2024-10-27T00:30:00Z")
    #expect(try read("2024-10-27 03:30", minutes, "Europe/Berlin") == "2024-10-27T02:30:00Z")
    #expect(TimePattern("HH:mm") == nil)
    #expect(TimePattern("yyyy-MM-dd yyyy") == nil)
  }

  @Test("damaged archives are refused with a sentence")
  func archives() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "madang-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let cut = folder.appending(path: "cut.csv.gz")
    try Data([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3]).write(to: cut)
    #expect(throws: IngestError.self) {
      let source = try ByteSources.open(cut.path)
      while try source.next() != nil {}
    }
    let zip = folder.appending(path: "no.zip")
    try Data(repeating: 0x50, count: 5000).write(to: zip)
    #expect(throws: IngestError.self) { try ZipArchive(path: zip.path) }
    #expect(throws: IngestError.self) { try ZipArchive(path: folder.appending(path: "absent").path) }
  }

  @Test("GTFS: the stops of Busan's metro as unzip and Python's csv read them")
  func busan() throws {
    guard let feed = Oracle.data("mobility/gtfs/busan-metro-2025.zip", for: "GTFS stops of Busan") else { return }
    var records = try GTFSRecords(path: feed.path)
    var byType: [String: [JSON]] = [:]
    while let record = try records.next() {
      guard case .entity(let entity) = record.outcome else {
        Issue.record("refused: \(record)")
        continue
      }
      let json = try JSONParser.parse(entity.json)
      byType[json["type"]?.string ?? "", default: []].append(json)
      _ = try EntityReader(context: .core).entity(json).entity()
    }
    #expect(
      byType.mapValues(\.count) == [
        "GtfsAgency": 1, "GtfsStop": 114, "GtfsRoute": 4, "GtfsShape": byType["GtfsShape"]?.count ?? 0,
      ])
    guard let rows = try Oracle.ask("gtfs_oracle.py", ["path": .string(feed.path)], for: "GTFS against csv")?.array
    else { return }
    let stops = byType["GtfsStop"] ?? []
    #expect(rows.count == stops.count)
    for (row, stop) in zip(rows, stops) {
      #expect(row["name"] == stop["name"]?["value"])
      #expect(row["position"] == stop["location"]?["value"]?["coordinates"])
    }
  }
}
