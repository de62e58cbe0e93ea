import Foundation
import NGSI
import Streets
import TestSupport
import Testing

/// Files: real ones against pyosmium, broken ones against their errors.
@Suite struct FileTests {
  private static let helsinki = "geo/helsinki-centre.osm.pbf"

  private func temporary(_ bytes: Data) throws -> String {
    let url = FileManager.default.temporaryDirectory.appending(path: "streets-" + UUID().uuidString)
    try bytes.write(to: url)
    return url.path
  }

  @Test(arguments: [helsinki, "mobility/osm/monaco.osm.pbf"])
  func countsAndLengthsAgreeWithPyosmium(_ file: String) throws {
    guard let data = Oracle.data(file, for: "FileTests.countsAndLengthsAgreeWithPyosmium") else { return }
    let question: JSON = ["file": .string(data.path)]
    guard let answer = try Oracle.ask("streets_oracle.py", question, for: "FileTests.countsAndLengthsAgreeWithPyosmium")
    else { return }
    let ways = try StreetWays(pbf: data.path)
    #expect(answer["ways"]?.integer == Int64(ways.ways.count))
    #expect(answer["nodes"]?.integer == Int64(ways.nodes.count))
    #expect(answer["missing"]?.integer == Int64(ways.ways.reduce(0) { $0 + $1.nodes.count { $0 == nil } }))
    let names = ways.ways.compactMap { $0.tags["name"] }.reduce(into: 0) { $0 += $1.utf8.count }
    #expect(answer["names"]?.integer == Int64(names))
    let graph = try StreetGraph(ways)
    // The graph's streets as the oracle knows them: way by way, by a geodesic on the ellipsoid's mean sphere.
    var lengths: [Int64: Double] = [:]
    for edge in graph.edges where edge.isForward || graph.streets[edge.street].traffic == .backward && !edge.isWalkable
    {
      lengths[graph.streets[edge.street].way, default: 0] += edge.length
    }
    let expected = try #require(answer["lengths"]?.object)
    var compared = 0
    for (way, length) in lengths {
      let other = try #require(expected[String(way)]?.number)
      #expect(abs(other - length) <= 0.001 * max(1, length), "way \(way): \(length) m, pyosmium \(other) m")
      compared += 1
    }
    #expect(compared > 1_000)
  }

  @Test func brokenFilesAreRefused() throws {
    guard let url = Oracle.data(Self.helsinki, for: "FileTests.brokenFilesAreRefused") else { return }
    let whole = try Data(contentsOf: url)
    #expect(throws: StreetsError.malformed("it is empty")) { try StreetWays(pbf: try temporary(Data())) }
    for bytes in [Data("<osm></osm>".utf8), whole.prefix(whole.count / 2), Data(count: 100), whole.dropFirst(7)] {
      let path = try temporary(bytes)
      defer { try? FileManager.default.removeItem(atPath: path) }
      do {
        let ways = try StreetWays(pbf: path)
        Issue.record("\(bytes.count) bytes were read as \(ways.ways.count) ways")
      } catch {
        switch error {
        case .malformed, .unreadable: break
        default: Issue.record("\(error)")
        }
      }
    }
    // A byte changed anywhere gives streets or an error, and never a crash.
    for position in stride(from: 11, to: whole.count, by: whole.count / 40) {
      var bytes = whole
      bytes[position] ^= 0x5a
      let path = try temporary(bytes)
      defer { try? FileManager.default.removeItem(atPath: path) }
      _ = try? StreetGraph(try StreetWays(pbf: path))
    }
  }

  @Test func boundsHold() throws {
    #expect(throws: StreetsError.self) { try StreetWays(pbf: "/nowhere.osm.pbf") }
    #expect(throws: StreetsError.unreadable("/tmp is no file")) { try StreetWays(pbf: "/tmp") }
    guard let url = Oracle.data(Self.helsinki, for: "FileTests.boundsHold") else { return }
    var bounds = StreetWays.Bounds()
    bounds.ways = 100
    #expect(throws: StreetsError.tooManyElements(maxWays: 100, maxReferences: bounds.references)) {
      try StreetWays(pbf: url.path, bounds: bounds)
    }
    bounds = .init()
    bounds.references = 100
    #expect(throws: StreetsError.tooManyElements(maxWays: bounds.ways, maxReferences: 100)) {
      try StreetWays(pbf: url.path, bounds: bounds)
    }
    bounds = .init()
    bounds.bytes = 1_000
    #expect(throws: StreetsError.fileTooLarge(bytes: 685_110, maxBytes: 1_000)) {
      try StreetWays(pbf: url.path, bounds: bounds)
    }
  }
}
