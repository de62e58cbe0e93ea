import NIOCore

/// The requests of an operation: the same number gives the same request.
struct Requests: Sendable {
  let host: String
  let size: Int
  let seed: UInt64
  /// Who asks; `nil` for nobody.
  var token: String?

  /// The request with this number.
  func request(_ operation: HubOperation, _ number: Int) -> ByteBuffer {
    let pick = Int(Device.mix(seed &+ UInt64(number) &* 0x2545_F491) % UInt64(size))
    let device = Device(index: pick, seed: seed)
    let type = "type=\(Device.type)&limit=\(HubOperation.pageSize)"
    switch operation {
    case .get: return get("entities/\(device.id)")
    case .page: return get("entities?\(type)&offset=\(pick % max(1, min(1000, size) - HubOperation.pageSize))")
    case .range:
      let (low, high) = range(number)
      return get("entities?\(type)&q=level%3E%3D\(low)%3Blevel%3C\(high)")
    case .text: return get("entities?\(type)&q=lot%3D%3D%22\(Device.lot(pick % (size / Device.perLot)))%22")
    case .patch: return send("PATCH", "entities/\(device.id)/attrs/temperature", device.patch(reading: number + 1))
    case .create: return send("POST", "entities", Device(index: size + number, seed: seed).json())
    case .batch:
      let start = pick % max(1, size - HubOperation.batchSize)
      return upsert(start..<min(size, start + HubOperation.batchSize), reading: number + 1)
    }
  }

  /// Bounds of a range of levels that about 25 devices lie in.
  func range(_ number: Int) -> (low: Double, high: Double) {
    let width = 25 / Double(size)
    let low = Double(Device.mix(seed ^ UInt64(number)) >> 11) * 0x1p-53 * (1 - width)
    return (low, low + width)
  }

  /// Upserts the devices of a range.
  func upsert(_ indices: Range<Int>, reading: Int = 0) -> ByteBuffer {
    let entities = indices.map { Device(index: $0, seed: seed).json(reading: reading) }
    return send("POST", "entityOperations/upsert", "[" + entities.joined(separator: ",") + "]")
  }

  func delete(_ indices: Range<Int>) -> ByteBuffer {
    let ids = indices.map { "\"" + Device.idPrefix + String($0) + "\"" }
    return send("POST", "entityOperations/delete", "[" + ids.joined(separator: ",") + "]")
  }

  /// How many devices the hub has; the answer is in the header `NGSILD-Results-Count`.
  func count() -> ByteBuffer { get("entities?type=\(Device.type)&count=true&limit=0") }

  private func get(_ target: String) -> ByteBuffer {
    ByteBuffer(string: "GET /ngsi-ld/v1/\(target) HTTP/1.1\r\nHost: \(host)\r\n\(proof)\r\n")
  }

  private var proof: String { token.map { "Authorization: Bearer \($0)\r\n" } ?? "" }

  private func send(_ method: String, _ target: String, _ body: String) -> ByteBuffer {
    ByteBuffer(
      string: """
        \(method) /ngsi-ld/v1/\(target) HTTP/1.1\r\nHost: \(host)\r\n\(proof)Content-Type: application/json\r\n\
        Content-Length: \(body.utf8.count)\r\n\r\n\(body)
        """)
  }
}
