import Federation
import Hub
import NGSI
import NIOCore
import NIOHTTP1
import Store

/// One request on its way through the binding: its parameters, tenant, context and wanted form (clause 6.3).
struct Exchange {
  let hub: Hub
  let request: APIRequest
  let items: QueryItems
  /// Whose data is meant: the tenant's, or that of a snapshot of its.
  var tenant: Tenant
  /// What the answers of sources to this request take in memory; `nil` where none are asked.
  var share: AnswerShare?

  init(hub: Hub, request: APIRequest) throws(Problem) {
    self.hub = hub
    self.request = request
    items = try QueryItems(request.query)
    tenant = try Self.tenant(request.headers)
  }

  /// The snapshot that the request names.
  var snapshot: String? { request.headers[first: HeaderName.snapshot].flatMap { $0.isEmpty ? nil : $0 } }

  static func tenant(_ headers: HTTPHeaders) throws(Problem) -> Tenant {
    guard let name = headers[first: HeaderName.tenant], !name.isEmpty else { return .default }
    let marks = Set("_-.:/".utf8)
    let allowed = name.utf8.allSatisfy { byte in
      (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10 || marks.contains(byte)
    }
    guard allowed, name.utf8.count <= 100 else {
      throw .badRequest("a tenant name has 1 to 100 letters, digits or _ - . : /")
    }
    return Tenant(name)
  }
}

extension Exchange {
  /// What this hub's URL begins with for this client: what it called the hub by.
  var base: String {
    guard let host = request.headers[first: HeaderName.host], !host.isEmpty, host.utf8.count <= 300 else {
      return Hub.localBase
    }
    let marks = Set("-._~:[]".utf8)
    let isName = host.utf8.allSatisfy { byte in
      (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10 || marks.contains(byte)
    }
    return isName ? "http://" + host : Hub.localBase
  }
}

// MARK: - Media types

enum MediaType: String {
  case json = "application/json"
  case jsonLD = "application/ld+json"
  case geoJSON = "application/geo+json"
  case mergePatch = "application/merge-patch+json"
}

extension Exchange {
  /// The media type of the body.
  ///
  /// - Throws: 415 for anything but JSON and JSON-LD (and merge-patch where it is allowed).
  func contentType(mergePatch: Bool = false) throws(Problem) -> MediaType {
    guard let text = request.headers[first: HeaderName.contentType] else {
      // Who names no type has the body looked at (RFC 9110 section 8.3), but not with a verb that a page of another
      // site may send unasked.
      guard request.method == .PATCH || request.method == .PUT else {
        throw Problem(.unsupportedMediaType, "the Content-Type is missing: application/json or application/ld+json")
      }
      return .json
    }
    let essence = text.split(separator: ";").first.map { String($0).trimmingSpaces.lowercased() } ?? ""
    switch MediaType(rawValue: essence) {
    case .json: return .json
    case .jsonLD: return .jsonLD
    case .mergePatch where mergePatch: return .mergePatch
    default:
      throw Problem(
        .unsupportedMediaType,
        "the body must be application/json or application/ld+json, found '\(text.prefix(80))'")
    }
  }

  /// The best of the accepted media types that can be given (RFC 9110 section 12.5.1).
  ///
  /// - Throws: 406 when none can.
  func accepted(geoJSON: Bool = false) throws(Problem) -> MediaType {
    guard request.headers.contains(name: HeaderName.accept) else { return .json }
    let text = request.headers[HeaderName.accept].joined(separator: ",")
    if text.isEmpty || text == "*/*" || text == "application/json" { return .json }
    if text == "application/ld+json" { return .jsonLD }
    let offers: [MediaType] = geoJSON ? [.json, .jsonLD, .geoJSON] : [.json, .jsonLD]
    var best: (type: MediaType, quality: Double, specificity: Int)?
    for range in text.split(separator: ",") {
      let parts = range.split(separator: ";").map { String($0).trimmingSpaces.lowercased() }
      guard let pattern = parts.first else { continue }
      let quality = parts.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
      guard quality > 0 else { continue }
      for offer in offers {
        let specificity =
          pattern == offer.rawValue ? 2 : pattern == "application/*" ? 1 : pattern == "*/*" ? 0 : -1
        guard specificity >= 0 else { continue }
        if best.map({ (quality, specificity) > ($0.quality, $0.specificity) }) ?? true {
          best = (offer, quality, specificity)
        }
        if specificity < 2 { break }
      }
    }
    guard let best else {
      throw Problem(
        .notAcceptable,
        "this can be given as \(offers.map(\.rawValue).joined(separator: " or ")), not as '\(text.prefix(80))'")
    }
    return best.type
  }
}

// MARK: - Context and body

extension Exchange {
  /// The URL of the JSON-LD context in the `Link` header (clause 6.3.5).
  func linkedContext() throws(Problem) -> String? {
    guard request.headers.contains(name: HeaderName.link) else { return nil }
    for header in request.headers[HeaderName.link] {
      for link in header.split(separator: ",") where link.contains("http://www.w3.org/ns/json-ld#context") {
        guard let open = link.firstIndex(of: "<"), let close = link[open...].firstIndex(of: ">") else {
          throw .badRequest("the Link header to the JSON-LD context has no <URL>")
        }
        let url = String(link[link.index(after: open)..<close])
        guard IRI.isAbsolute(url) else { throw .badRequest("the Link header's context is not a URL") }
        return url
      }
    }
    return nil
  }

  /// The context that names in a request without a body are read with.
  func context() async throws(Problem) -> Context {
    try await hub.context(try linkedContext().map(JSON.string) ?? .null)
  }

  /// The same, when it need not be fetched.
  func contextAtHand() throws(Problem) -> Context? {
    hub.contextAtHand(try linkedContext().map(JSON.string) ?? .null)
  }

  /// The body as JSON.
  func json() throws(Problem) -> JSON {
    guard request.body.readableBytes > 0 else { throw Problem(.invalidRequest, "a JSON body is expected") }
    let parsed: Result<JSON, JSONError> = request.body.withUnsafeReadableBytes { raw in
      Result { () throws(JSONError) -> JSON in try JSONParser.parse(raw.bindMemory(to: UInt8.self)) }
    }
    do { return try parsed.get() } catch { throw Problem(.invalidRequest, "the body is not JSON: \(error)") }
  }

  /// The body and the context that its names are read with (clause 6.3.5).
  func body(mergePatch: Bool = false) async throws(Problem) -> (json: JSON, context: Context) {
    let type = try contentType(mergePatch: mergePatch)
    let json = try json()
    let link = try linkedContext()
    let source = try contextSource(of: json, type: type, link: link)
    return (json, try await hub.context(source))
  }

  /// Whether the request itself says what its names are read with.
  func namesContext(_ json: JSON) throws(Problem) -> Bool {
    if json["@context"] != nil { return true }
    return try linkedContext() != nil
  }

  /// The context of a query in a body as the answer's `Link` header needs it: with an address (clause 6.3.6).
  func linkable(_ context: Context) async throws(Problem) -> Context {
    try accepted(geoJSON: true) == .jsonLD ? context : try await hub.linkable(context, base: base)
  }

  static let twoContexts = Problem.badRequest(
    "a body of application/ld+json carries its own @context; the Link header may not name one too")

  /// Which context an object of the body is read with.
  func contextSource(of json: JSON, type: MediaType, link: String?) throws(Problem) -> JSON {
    let embedded = json["@context"]
    switch type {
    case .jsonLD:
      guard link == nil else { throw Self.twoContexts }
      if case .array = json { return .null }
      guard let embedded else { throw .badRequest("a body of application/ld+json must have an @context") }
      return embedded
    default:
      guard embedded == nil || type == .mergePatch else {
        throw .badRequest(
          "a body of application/json may not have an @context; use a Link header or application/ld+json")
      }
      return embedded ?? link.map(JSON.string) ?? .null
    }
  }
}

// MARK: - Answers

extension Exchange {
  /// A JSON answer with its context where the media type wants it (clause 6.3.6).
  func answer(
    _ body: [UInt8], status: Int = 200, type: MediaType, context: Context, linksContext: Bool? = nil
  ) -> APIResponse {
    var headers = [(HeaderName.contentType, type.rawValue)]
    if linksContext ?? (type != .jsonLD) {
      let link = context === Context.core ? Self.coreLink : Self.contextLink(context.url)
      headers = [headers[0], (HeaderName.link, link)]
    }
    var response = APIResponse(status: status, headers: HTTPHeaders(headers), body: body)
    echoTenant(&response)
    return response
  }

  func echoTenant(_ response: inout APIResponse) {
    if tenant != .default, tenant.owner != .default { response.headers[first: HeaderName.tenant] = tenant.owner.name }
  }

  private static let coreLink = contextLink(Context.core.url)

  static func contextLink(_ url: String) -> String {
    "<\(url)>; rel=\"http://www.w3.org/ns/json-ld#context\"; type=\"application/ld+json\""
  }

  static func problem(_ problem: Problem) -> APIResponse {
    var response = APIResponse(status: problem.status, body: JSONWriter.bytes(problem.json))
    // Clause 5.5.3: problem details, but of the plain JSON media type.
    response.headers[first: HeaderName.contentType] = MediaType.json.rawValue
    if problem.kind == .unavailable || problem.kind == .tooManyRequests {
      response.headers[first: HeaderName.retryAfter] = "1"
    }
    return response
  }
}
