import AsyncHTTPClient
import Foundation
import NGSI
import NIOHTTP1

// What the hub has already.
extension HubDoor {
  /// Rows of one entity that are looked up by one request.
  static let lookUpRows = 100

  /// Returns when the hub has nothing under way any more from a sender that is gone.
  ///
  /// A request that arrived whole is carried out even if nobody waits for the answer, so a look-up may come before it.
  /// Therefore the hub has to answer first, then it is given time to read what it holds, and then a write without
  /// effect has to come back: the hub carries out writes in the order in which it has read them.
  func rest() async throws {
    let nothing = settings.base + "/ngsi-ld/v1/entities/urn:ngsi-ld:Nothing:replay"
    var look = HTTPClientRequest(url: nothing)
    look.headers = common
    _ = try await ask(look)
    try await Task.sleep(for: settings.grace)
    var write = HTTPClientRequest(url: nothing + "/attrs")
    write.method = .PATCH
    write.headers = common
    write.headers.add(name: "Content-Type", value: "application/json")
    write.body = .bytes(Array(#"{"nothing":{"type":"Property","value":0}}"#.utf8))
    _ = try await ask(write)
  }

  /// Which rows the hub's history has: those of whose every value it holds an equal one for the row's instant.
  func stored(_ rows: [OutgoingRow]) async throws -> Set<Int> {
    var byEntity: [String: [SoughtRow]] = [:]
    for row in rows {
      if let sought = SoughtRow(row) { byEntity[row.entity.id, default: []].append(sought) }
    }
    var found: Set<Int> = []
    for id in byEntity.keys.sorted() {
      var waiting: [ArraySlice<SoughtRow>] = []
      let own = (byEntity[id] ?? []).sorted { $0.time < $1.time }
      for start in stride(from: 0, to: own.count, by: Self.lookUpRows) {
        waiting.append(own[start..<min(start + Self.lookUpRows, own.count)])
      }
      while let part = waiting.popLast() {
        let (values, isWhole) = try await history(id, part)
        let missing = part.filter { !values.isSuperset(of: $0.values) }
        found.formUnion(Set(part.map(\.sequence)).subtracting(missing.map(\.sequence)))
        guard !isWhole, !missing.isEmpty, part.count > 1 else { continue }
        let middle = part.startIndex + part.count / 2
        waiting += [part[..<middle], part[middle...]]
      }
    }
    return found
  }

  /// The values of an entity's history over the span of the rows, and whether the answer was whole.
  private func history(_ id: String, _ rows: ArraySlice<SoughtRow>) async throws -> (Set<ObservedValue>, isWhole: Bool)
  {
    let from = DateTime(microseconds: (rows.first?.time ?? 0) - 1_000_000)
    let to = DateTime(microseconds: (rows.last?.time ?? 0) + 1_000_000)
    let attributes = Set(rows.flatMap { $0.values.map(\.attribute) }).sorted()
      .map(Self.escaped).joined(separator: ",")
    var request = HTTPClientRequest(
      url: settings.base
        + "/ngsi-ld/v1/temporal/entities/\(Self.escaped(id))?timerel=between&timeAt=\(from)&endTimeAt=\(to)"
        + "&attrs=\(attributes)&options=temporalValues")
    request.headers = common
    let answer = try await ask(request)
    switch answer.status {
    case 200, 206: return (Self.values(answer.body), answer.status == 200)
    case 404: return ([], true)
    default:
      throw IngestError(
        "the hub at \(settings.base) answers \(answer.status) when asked which rows it has: \(Self.reason(answer))")
    }
  }

  /// The answer to a request that may be made again.
  private func ask(_ request: HTTPClientRequest) async throws -> Answer {
    var pauses = Pauses(patience: settings.patience)
    while true {
      let answer: Answer
      do {
        answer = try await send(request)
      } catch let error as CancellationError {
        throw error
      } catch {
        try await pauses.wait(
          for: "the hub at \(settings.base) does not answer (\(Self.short(error)))", after: nil, settings.notice)
        continue
      }
      guard answer.status == 429 || answer.status >= 500 else { return answer }
      try await pauses.wait(
        for: "the hub at \(settings.base) answers \(answer.status) to a look-up", after: answer.retryAfter,
        settings.notice)
    }
  }

  /// Values in `{"pm25": {"type": "Property", "values": [[17, "2018-01-01T…Z"], …]}}`.
  private static func values(_ body: [UInt8]) -> Set<ObservedValue> {
    var values: Set<ObservedValue> = []
    for member in (try? JSONParser.parse(body))?.object ?? JSONObject() {
      for set in member.value.items {
        for case .array(let pair) in set["values"]?.array ?? [] where pair.count == 2 {
          guard let time = pair[1].string.flatMap({ DateTime($0) }) else { continue }
          values.insert(ObservedValue(attribute: member.key, time: time.microseconds, value: pair[0]))
        }
      }
    }
    return values
  }

  private static func escaped(_ text: String) -> String {
    var unreserved = CharacterSet.alphanumerics
    unreserved.insert(charactersIn: "-._~:")
    return text.addingPercentEncoding(withAllowedCharacters: unreserved) ?? text
  }
}

/// A value that an attribute had at an instant.
private struct ObservedValue: Hashable {
  var attribute: String
  /// Microseconds since 1970.
  var time: Int64
  var value: JSON
}

/// A row that can be looked up by what it says.
private struct SoughtRow {
  let sequence: Int
  let time: Int64
  let values: [ObservedValue]

  /// `nil` for a row that says nothing of an instant.
  init?(_ row: OutgoingRow) {
    guard let time = row.entity.observedAt?.microseconds,
      let members = (try? JSONParser.parse(row.entity.json))?.object
    else { return nil }
    let values = members.compactMap { member -> ObservedValue? in
      guard member.value["observedAt"] != nil, let value = member.value["value"] else { return nil }
      return ObservedValue(attribute: member.key, time: time, value: value)
    }
    guard !values.isEmpty else { return nil }
    self.sequence = row.sequence
    self.time = time
    self.values = values
  }
}
