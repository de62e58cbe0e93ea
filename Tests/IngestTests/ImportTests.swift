import City
import Foundation
import NGSI
import Synchronization
import Oracles
import Testing

@testable import Ingest

final class Keeper: EntitySink {
  let entities = Mutex<[String: Entity]>([:])

  func upsert(_ batch: [Entity]) async throws {
    entities.withLock { kept in for entity in batch { kept[entity.id] = entity } }
  }
}

@Suite("Import")
struct ImportTests {
  @Test("the demo's connectors fill a city in the same process")
  func connectors() async throws {
    let manifest = try ManifestFile.read(path: Oracle.root.appending(path: "Examples/demo.city.yaml").path)
    let keeper = Keeper()
    let outcomes = try await Import.connectors(of: manifest, to: keeper) { _ in }
    #expect(outcomes["places"]?.stored == 3 && outcomes["places"]?.refused == 0)
    let park = keeper.entities.withLock { $0["urn:ngsi-ld:PointOfInterest:citizens-park"] }
    #expect(park?[attribute: Core.location]?.instances.first?.kind == .geoProperty)
    if FileManager.default.fileExists(atPath: manifest.resolve("../../shared/data/mobility/gtfs/busan-metro-2025.zip"))
    {
      #expect(keeper.entities.withLock { $0.values.filter { $0.types == [Vocabulary.iri("GtfsStop")] }.count } == 114)
    }
  }

  @Test("NGSI-LD: array, one object, lines; broken ones are refused by name")
  func entities() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "madang-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    func outcome(_ name: String, _ text: String) async throws -> String {
      let path = folder.appending(path: name).path
      try text.write(toFile: path, atomically: true, encoding: .utf8)
      return try await Import.run(Import.Options(file: path, destination: .sink(Keeper()))).summary
    }
    let good = #"{"id":"urn:a:1","type":"T","p":{"type":"Property","value":1}}"#
    #expect(try await outcome("a.json", "[\(good),{\"id\":\"urn:a:2\"},\(good)]") == "stored 2 refused 1")
    #expect(try await outcome("b.jsonld", good) == "stored 1 refused 0")
    #expect(
      try await outcome("c.jsonl", "\(good)\n\n{broken\n\(good)\n{\"id\":\"no uri\",\"type\":\"T\"}\n")
        == "stored 2 refused 2")
    await #expect(throws: IngestError.self) { try await outcome("d.json", "{") }
    await #expect(throws: IngestError.self) { try await outcome("e.xyz", good) }
    await #expect(throws: IngestError.self) { try await outcome("f.csv", "a,b\n1,2\n") }
  }
}
