import Hub
import NGSI
import Query
import Store

/// What a source is asked, before it is put into the words of its registration (ETSI GS CIM 009 clauses 4.3.6.5, 4.3.6.6
/// and 6.3.19).
struct SourceRequest: Sendable {
  var method: SourceCall.Method
  /// Segments below `/ngsi-ld/v1`, not encoded.
  var path: [String]
  var parameters: [(name: String, value: String)] = []
  /// Without `@context`.
  var body: JSON?
  /// What names in parameters and body are written with.
  var context: Context
  /// Whether the names are full IRIs, because ``context`` has no URL that the source could fetch.
  var namesAreIRIs = false
  /// The EntityMap that the source is to use, as it calls it.
  var entityMap: String?
}

extension Federation {
  /// The call that puts a request to a source.
  func call(for request: SourceRequest, to registration: Registration, _ origin: RequestOrigin) -> SourceCall {
    var parameters = request.parameters
    // Of subscriptions it is a member (clauses 5.2.12 and 6.3.18).
    if registration.management.localOnly, request.path.first != "subscriptions" {
      parameters.append(("local", "true"))
    }
    let path = request.path.map(URLText.segment).joined(separator: "/")
    let query = parameters.map { URLText.value($0.name) + "=" + URLText.value($0.value) }.joined(separator: "&")
    var headers: [(name: String, value: String)] = [
      ("Accept", registration.value("accept") ?? "application/json"),
      ("Via", (origin.via.map { $0 + ", " } ?? "") + "1.1 " + hub.alias(of: origin.tenant)),
    ]
    var body = request.body
    let version = registration.value("ngsildConformance").flatMap { SpecificationVersion($0) }
    if let version, let json = body, let isAttribute = request.holdsAttribute {
      body = version.amended(json, isAttribute: isAttribute)
    }
    if var json = body {
      let isLD =
        registration.value("contentType") == "application/ld+json" && registration.value("jsonldContext") == nil
      // A context that no URL names goes with the body.
      let embeds = isLD || (request.linkURL == nil && request.needsContext)
      if embeds {
        json = json.embedding(request.context.embedded)
        body = json
      } else if let url = request.linkURL {
        headers.append(Self.link(url))
      }
      headers.append(("Content-Type", embeds ? "application/ld+json" : "application/json"))
    } else if let url = request.linkURL {
      headers.append(Self.link(url))
    }
    if let map = request.entityMap { headers.append(("NGSILD-EntityMap", map)) }
    if registration.sourceTenant != .default { headers.append(("NGSILD-Tenant", registration.sourceTenant.name)) }
    if let version = registration.value("ngsildConformance") { headers.append(("Prefer", "ngsi-ld=" + version)) }
    for (key, value) in registration.sourceInfo where !Self.ownHeaders.contains(key.lowercased()) {
      let sent = value == "urn:ngsi-ld:request" ? origin.header(key) : value
      if let sent { headers.append((key, sent)) }
    }
    return SourceCall(
      method: request.method,
      url: registration.endpoint + "/ngsi-ld/v1/" + path + (query.isEmpty ? "" : "?" + query), headers: headers,
      body: body.map { JSONWriter.bytes($0) },
      timeout: min(registration.management.timeout ?? limits.timeout, limits.longestTimeout),
      answerBytes: limits.answerBytes, share: origin.share ?? share())
  }

  /// Keys of `contextSourceInfo` that mean something else, and headers that it may not set (clause 4.3.6.5).
  private static let ownHeaders: Set<String> = [
    "accept", "contenttype", "jsonldcontext", "ngsildconformance", "ngsild-tenant", "ngsild-snapshot",
    "ngsild-entitymap",
    "via", "link",
    "content-type", "content-length", "host", "connection", "transfer-encoding", "te", "upgrade", "expect", "trailer",
    "proxy-connection", "keep-alive",
  ]

  private static func link(_ url: String) -> (name: String, value: String) {
    ("Link", "<\(url)>; rel=\"http://www.w3.org/ns/json-ld#context\"; type=\"application/ld+json\"")
  }

  /// The context that a source wants its names in: that of its registration, or the client's.
  func wording(for registration: Registration, _ client: Context) async -> Wording {
    guard let url = registration.value("jsonldContext") else { return Wording(client: client, source: client) }
    // A context that cannot be had must not keep the source from being asked.
    guard let wanted = try? await hub.context(.string(url)) else { return Wording(client: client, source: client) }
    return Wording(client: client, source: wanted)
  }
}

extension SourceRequest {
  /// The URL of the context, where the source needs one and there is one.
  fileprivate var linkURL: String? { namesAreIRIs ? nil : context.singleURL }
  fileprivate var needsContext: Bool { !namesAreIRIs }

  /// Whether the body is one attribute; `nil` where it is no data of entities.
  fileprivate var holdsAttribute: Bool? {
    switch path.first {
    case "entities": path.count == 4
    case "entityOperations": path.last == "query" ? nil : false
    default: nil
    }
  }
}

extension Context {
  /// The URL that alone names this context.
  var singleURL: String? {
    switch source {
    case .string(let url): url
    case .array(let items) where items.count == 1: items[0].string
    case .null: CoreContext.url
    default: nil
    }
  }
}

extension Registration {
  /// A value of `contextSourceInfo`.
  func value(_ key: String) -> String? { sourceInfo.first { $0.key == key }?.value }
}

extension JSON {
  /// The document with a context in it; of an array, each member.
  fileprivate func embedding(_ context: JSON) -> JSON {
    switch self {
    case .object(var object):
      object["@context"] = context
      return .object(object)
    case .array(let items): return .array(items.map { $0.embedding(context) })
    default: return self
    }
  }
}

/// Says a request that came in the client's words in those of a source.
struct Wording: Sendable {
  let client: Context
  let source: Context

  /// Whether texts such as `q` can be sent on as they came.
  var keepsTexts: Bool { client === source && client.singleURL != nil }

  /// Full IRIs are understood under any context.
  var usesIRIs: Bool { source.singleURL == nil }

  func name(_ iri: String) -> String { usesIRIs ? iri : source.compact(iri) }

  /// An entity, a fragment of one, or an array of them, with attribute and type names in the source's words.
  func entity(_ json: JSON) -> JSON {
    if client === source { return json }
    switch json {
    case .array(let items): return .array(items.map(entity))
    case .object(let object): return .object(renamed(object, isEntity: true))
    default: return json
    }
  }

  /// An attribute object.
  func attribute(_ json: JSON) -> JSON {
    if client === source { return json }
    switch json {
    case .array(let items): return .array(items.map(attribute))
    case .object(let object): return .object(renamed(object, isEntity: false))
    default: return json
    }
  }

  private static let members: Set<String> = [
    "id", "@id", "type", "@type", "@context", "scope", "value", "object", "objectList", "languageMap", "vocab", "json",
    "valueList", "observedAt", "unitCode", "datasetId", "createdAt", "modifiedAt", "deletedAt", "expiresAt",
    "instanceId", "valueType", "objectType", "lang", "ngsildproof",
  ]

  private func renamed(_ object: JSONObject, isEntity: Bool) -> JSONObject {
    var renamed = JSONObject()
    for member in object.members {
      switch member.key {
      case "type", "@type":
        renamed[member.key] = isEntity ? names(member.value) : member.value
      case "vocab" where !isEntity, "valueType" where !isEntity, "objectType" where !isEntity:
        renamed[member.key] = names(member.value)
      case _ where Self.members.contains(member.key): renamed[member.key] = member.value
      default: renamed[name(client.expand(member.key))] = attribute(member.value)
      }
    }
    return renamed
  }

  private func names(_ json: JSON) -> JSON {
    switch json {
    case .string(let text): .string(name(client.expand(text)))
    case .array(let items): .array(items.map(names))
    default: json
    }
  }
}

/// Percent-encoding of what goes into a URL.
enum URLText {
  private static let hex = Array("0123456789ABCDEF".utf8)

  static func segment(_ text: String) -> String { encode(text, keeping: Set(":,@!$'()*".utf8)) }

  static func value(_ text: String) -> String { encode(text, keeping: Set(":/,@!$'()*".utf8)) }

  private static func encode(_ text: String, keeping marks: Set<UInt8>) -> String {
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      let isPlain =
        (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10 || "-._~".utf8.contains(byte)
      if isPlain || marks.contains(byte) {
        bytes.append(byte)
      } else {
        bytes += [UInt8(ascii: "%"), hex[Int(byte >> 4)], hex[Int(byte & 15)]]
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
