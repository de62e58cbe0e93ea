import City
import NGSI

/// What the bytes of a fetched document say, piece by piece.
struct PullReading {
  /// Readings that are brought at once.
  static let piece = 2_000

  let adapter: Manifest.Adapter
  /// Of rows.
  let mapping: Mapping?

  /// - Parameters:
  ///   - time: when the document came, for what carries no time of its own.
  ///   - take: hears a piece; it may throw to end the reading.
  /// - Throws: ``IngestError`` when it cannot be read as a whole, before any piece where that can be told.
  func read(_ bytes: [UInt8], at time: DateTime, _ take: (AdaptedInput) async throws -> Void) async throws {
    guard String(validating: bytes, as: UTF8.self) != nil else {
      throw IngestError("the body is not UTF-8; say its 'charset'")
    }
    switch adapter.format {
    case .senml, .ngsiv2, .sensorthings:
      let message: JSON
      do { message = try JSONParser.parse(bytes) } catch { throw IngestError("the body is not JSON: \(error)") }
      let input: AdaptedInput
      do throws(Problem) { input = try Adapter(adapter).read(message, at: time) } catch {
        throw IngestError(error.detail)
      }
      try await take(input)
    case .csv, .json, .jsonl, .geojson:
      guard let mapping else { throw IngestError("there is no mapping for the rows") }
      try await pieces(DistinctRecords(try records(bytes, mapping), names: [adapter.id]), take)
    case .value: throw IngestError("a plain value has no rows")
    }
  }

  private func records(_ bytes: [UInt8], _ mapping: Mapping) throws(IngestError) -> any RecordSource {
    let name = "the body"
    switch adapter.format {
    case .csv: return try CSVRecords(BytesSource(bytes), mapping: mapping, name: name)
    case .geojson: return try GeoJSONRecords(bytes, mapping: mapping, name: name)
    case .jsonl: return try JSONLineRecords(BytesSource(bytes), mapping: mapping, name: name)
    default: return try JSONRecords(bytes, mapping: mapping, name: name)
    }
  }

  private func pieces(_ source: DistinctRecords, _ take: (AdaptedInput) async throws -> Void) async throws {
    var source = source
    var input = AdaptedInput()
    while let record = try source.next() {
      input.add(record)
      if input.entities.count + input.refused.count >= Self.piece {
        try await take(input)
        input = AdaptedInput()
      }
    }
    if !input.isEmpty { try await take(input) }
  }
}

extension AdaptedInput {
  var isEmpty: Bool { entities.isEmpty && refused.isEmpty }

  mutating func add(_ record: Record) {
    switch record.outcome {
    case .refused(let reason): refuse(record.original.json, reason)
    case .entity(let entity):
      do { entities.append(try JSONParser.parse(entity.json)) } catch {
        refuse(record.original.json, "the row makes no JSON: \(error)", entityId: entity.id)
      }
    }
  }
}
