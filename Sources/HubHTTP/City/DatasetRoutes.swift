import Hub
import NGSI
import NIOHTTP1
import Store

/// `/city/v1/datasets` and `/city/v1/catalogue`.
extension CityAPI {
  func datasets(_ exchange: Exchange, _ id: String?) async throws(Problem) -> APIResponse {
    try exchange.takes(id == nil && exchange.request.method == .GET ? Parameters.page : Parameters.none)
    switch (exchange.request.method, id) {
    case (.GET, nil):
      let all = try await hub.datasets(in: exchange.tenant)
      var (shown, response) = try Self.window(all, exchange)
      response = Self.json(.array(shown.map { .object($0.document) }), headersOf: response)
      shown = []
      return response
    case (.GET, let id?):
      let dataset = try await hub.dataset(id, in: exchange.tenant)
      if try accepted(exchange) != .json { return try await catalogue(of: [dataset], exchange) }
      let quality = try await judged([dataset], exchange)[0].quality
      var shown = dataset.document
      shown["quality"] = quality.json
      if dataset.retentionDays != nil, case .object(var retention)? = shown["retention"] {
        let removed = try hub.removed(by: dataset.id, in: exchange.tenant)
        retention["applied"] = true
        retention["removedInstances"] = .integer(Int64(removed.instances))
        retention["removedEntities"] = .integer(Int64(removed.entities))
        retention["lastRemovedAt"] = removed.lastAt.map { .string($0.description) }
        shown["retention"] = .object(retention)
      }
      return Self.json(.object(shown))
    case (.POST, nil), (.PUT, .some):
      guard case .object(let body) = try Self.body(exchange) else { throw .badRequest("a dataset is an object") }
      guard id == nil || body["id"]?.string == id else { throw .badRequest("the body is about another dataset") }
      if id == nil, let own = body["id"]?.string,
        try await hub.datasets(in: exchange.tenant).contains(where: { $0.id == own })
      {
        throw Problem(.alreadyExists, "there is a dataset \(own) already")
      }
      let isNew = try await hub.putDataset(body, in: exchange.tenant)
      var response = APIResponse(status: isNew ? 201 : 204)
      if isNew { response.headers[first: HeaderName.location] = "/city/v1/datasets/" + (body["id"]?.string ?? "") }
      return response
    case (.DELETE, let id?):
      try await hub.deleteDataset(id, in: exchange.tenant)
      return .noContent
    default: throw API.notAllowed(exchange)
    }
  }

  func catalogue(_ exchange: Exchange) async throws(Problem) -> APIResponse {
    try exchange.takes(Parameters.none)
    switch exchange.request.method {
    case .GET: return try await catalogue(of: try await hub.datasets(in: exchange.tenant), exchange)
    case .PUT:
      guard case .object(let body) = try Self.body(exchange) else { throw .badRequest("the catalogue is an object") }
      try await hub.setCatalogue(body, in: exchange.tenant)
      return .noContent
    default: throw API.notAllowed(exchange)
    }
  }

  // MARK: - DCAT-AP

  private static let turtle = "text/turtle"

  private enum Form { case json, jsonLD, turtle }

  /// JSON-LD, or Turtle where that is preferred (RFC 9110 section 12.5.1); `json` where JSON is named itself.
  ///
  /// - Throws: 406 when none can be given.
  private func accepted(_ exchange: Exchange) throws(Problem) -> Form {
    let text = exchange.request.headers[HeaderName.accept].joined(separator: ",")
    guard !text.isEmpty else { return .json }
    var best: (form: Form, quality: Double)?
    for range in text.split(separator: ",") {
      let parts = range.split(separator: ";").map { String($0).trimmingSpaces.lowercased() }
      let quality = parts.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
      let form: Form? =
        switch parts.first {
        case "application/json", "*/*", "application/*": .json
        case "application/ld+json": .jsonLD
        case Self.turtle, "text/*": .turtle
        default: nil
        }
      if let form, quality > best?.quality ?? 0 { best = (form, quality) }
    }
    guard let best else {
      throw Problem(.notAcceptable, "this can be given as application/ld+json or text/turtle")
    }
    return best.form
  }

  private func judged(_ datasets: [Dataset], _ exchange: Exchange) async throws(Problem) -> [(
    dataset: Dataset, quality: DatasetQuality
  )] {
    let tenant = exchange.tenant
    return try await hub.offLoop { hub throws(Problem) in
      var judged: [(dataset: Dataset, quality: DatasetQuality)] = []
      for dataset in datasets { judged.append((dataset, try hub.quality(of: dataset, in: tenant))) }
      return judged
    }
  }

  private func catalogue(of datasets: [Dataset], _ exchange: Exchange) async throws(Problem) -> APIResponse {
    let form = try accepted(exchange)
    let graph = DCATCatalogue.graph(
      of: try await judged(datasets, exchange), about: try hub.catalogue(in: exchange.tenant),
      base: try Self.base(exchange), tenant: exchange.tenant.name, at: hub.time)
    var response = APIResponse(status: 200)
    response.headers.add(name: "Vary", value: "Accept, NGSILD-Tenant")
    if form == .turtle {
      response.body = Array(graph.turtle.utf8)
      response.headers[first: HeaderName.contentType] = Self.turtle + "; charset=utf-8"
    } else {
      response.body = JSONWriter.bytes(graph.jsonLD)
      response.headers[first: HeaderName.contentType] = MediaType.jsonLD.rawValue
    }
    return response
  }

  /// Where the client reaches this hub, by the name that it called it.
  private static func base(_ exchange: Exchange) throws(Problem) -> String {
    let host = exchange.request.headers.first(name: "host") ?? "localhost"
    let marks = Set(".-:[]".utf8)
    guard host.utf8.count <= 255,
      host.utf8.allSatisfy({ ($0 | 0x20) &- 0x61 < 26 || $0 &- 0x30 < 10 || marks.contains($0) })
    else { throw Problem(.invalidRequest, "the Host header names no host") }
    return "http://" + host
  }

  static func json(_ json: JSON, headersOf other: APIResponse) -> APIResponse {
    var response = other
    response.body = JSONWriter.bytes(json)
    response.headers[first: HeaderName.contentType] = MediaType.json.rawValue
    return response
  }
}

extension DatasetQuality {
  fileprivate var json: JSON {
    var json = JSONObject()
    json["entities"] = .integer(Int64(entities))
    json["isCut"] = .bool(isCut)
    json["completeness"] = completeness.map { .double($0) }
    json["timeliness"] = timeliness.map { .double($0) }
    json["validity"] = validity.map { .double($0) }
    json["at"] = .string(at.description)
    return .object(json)
  }
}
