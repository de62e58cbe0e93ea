import City
import Foundation
import NGSI
import Oracles
import Testing

@testable import Ingest

/// Five years of Seoul and four of Beijing, through mapping and transfer, against Python's csv.
@Suite("Recorded series")
struct RealSeriesTests {
  /// Gives what the mapping makes of a file: counts, and values by time.
  func read(_ file: URL, _ mapping: String) throws -> (stored: [(time: String, values: JSON)], refused: [String]) {
    let mapping = try Mapping.read(path: Oracle.root.appending(path: "Examples/mappings/\(mapping).yaml").path)
    var records = try Sources.series([file.path], mapping)
    var stored: [(String, JSON)] = []
    var refused: [String] = []
    while let record = try records.next() {
      switch record.outcome {
      case .refused(let reason): refused.append(reason)
      case .entity(let entity):
        var values = JSONObject()
        for member in try JSONParser.parse(entity.json).object ?? JSONObject() where member.value["observedAt"] != nil {
          #expect(member.value["observedAt"]?.string == entity.observedAt?.description)
          values[member.key] = member.value["value"]
        }
        stored.append((entity.observedAt?.description ?? "", .object(values)))
      }
    }
    return (stored, refused)
  }

  func compare(_ path: String, _ mapping: String, kind: String, every: Int, rows: Int) throws {
    guard let file = Oracle.data(path, for: "\(kind) series") else { return }
    let found = try read(file, mapping)
    #expect(found.stored.count + found.refused.count == rows)
    let question: JSON = ["path": .string(file.path), "kind": .string(kind), "every": .integer(Int64(every))]
    guard let answer = try Oracle.ask("series_oracle.py", question, for: "\(kind) series against csv") else { return }
    #expect(answer["rows"]?.integer == Int64(rows))
    #expect(answer["distinct"]?.integer == Int64(found.stored.count))
    let kept = answer["kept"]?.array ?? []
    #expect(kept.count == (found.stored.count + every - 1) / every)
    var differences = 0
    for (index, row) in kept.enumerated() {
      let ours = found.stored[index * every]
      if row.array?[0].string != ours.time || row.array?[1] != ours.values { differences += 1 }
    }
    #expect(differences == 0)
  }

  @Test("Seoul, hourly, 2018 to 2022: 43,800 rows, 24 of them twice")
  func seoul() throws {
    try compare(
      "energy-eco/air-seoul/seoul_city_hourly_2018_2022.csv.gz", "air-seoul", kind: "seoul", every: 1, rows: 43_800)
  }

  @Test("Beijing, Dongsi, 2013 to 2017: 35,064 rows with gaps")
  func beijing() throws {
    try compare(
      "energy-eco/air-beijing/PRSA_Data_Dongsi_20130301-20170228.csv.gz", "air-beijing", kind: "beijing", every: 1,
      rows: 35_064)
  }
}
