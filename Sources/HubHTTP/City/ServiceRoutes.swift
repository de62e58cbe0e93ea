import Hub
import NGSI
import NIOHTTP1
import Store

/// One thing that a service of the city answers, below `/city/v1/{service}/`: how it is asked, what it gives, and the answer
/// itself. Allowed methods and the description of the API come from here too.
public struct ServiceOperation: Sendable {
  public enum Method: String, Sendable { case get = "GET", post = "POST", put = "PUT", delete = "DELETE" }

  /// One request to a service, of a caller whom ``Caller/current`` names.
  public struct Call: Sendable {
    public let tenant: Tenant
    /// What stands in the path in place of the names in braces.
    public let names: [String: String]
    /// Query parameters; only those that the operation takes.
    public let parameters: [String: String]
    /// Of an operation that has one.
    public let body: JSON
    /// The body as it came, of an operation that takes other types than JSON.
    public let content: [UInt8]
    /// The wanted part of a list.
    public let page: Page
  }

  public struct Answer: Sendable {
    public var status: Int
    /// `nil` for none.
    public var body: JSON?
    /// Where what was made is to be had.
    public var location: String?
    /// Number of all items of a list.
    public var total: Int?
    /// Something else than JSON: its media type and its bytes.
    public var content: (type: String, bytes: [UInt8])?

    public init(content type: String, _ bytes: [UInt8]) {
      status = 200
      content = (type, bytes)
    }

    public init(_ body: JSON? = nil, status: Int = 200, location: String? = nil, total: Int? = nil) {
      self.body = body
      self.status = status
      self.location = location
      self.total = total
    }
  }

  public typealias Handler = @Sendable (Call) async throws(Problem) -> Answer

  public let method: Method
  /// Below the service, such as `incidents/{incident}/commands`.
  public let path: String
  public let summary: String
  /// Query parameters besides those of pages.
  public let parameters: Set<String>
  /// Whether it gives a list, of which `limit` and `offset` take a part, and `count` says how many there are.
  public let isList: Bool
  /// JSON Schema of its body; `nil` for none.
  public let body: JSON?
  /// Media types of its body, where that is no JSON.
  public let takes: [String]
  /// Media type of what it gives, where that is no JSON.
  public let gives: String?
  /// What it may answer when it is done.
  public let statuses: [Int]
  let handler: Handler

  public init(
    _ method: Method, _ path: String, _ summary: String, parameters: Set<String> = [], isList: Bool = false,
    body: JSON? = nil, takes: [String] = [], gives: String? = nil, statuses: [Int] = [200],
    handler: @escaping Handler
  ) {
    (self.method, self.path, self.summary, self.parameters) = (method, path, summary, parameters)
    (self.isList, self.body, self.statuses, self.handler) = (isList, body, statuses, handler)
    (self.takes, self.gives) = (takes, gives)
  }

  /// The names in the path, where it is this operation's.
  func names(in segments: [String]) -> [String: String]? {
    let pattern = path.split(separator: "/")
    guard pattern.count == segments.count else { return nil }
    var names: [String: String] = [:]
    for (wanted, segment) in zip(pattern, segments) {
      if wanted.hasPrefix("{"), let end = wanted.firstIndex(of: "}") {
        // What follows the name, such as `.cap`, has to be there.
        let tail = wanted[wanted.index(after: end)...]
        guard segment.hasSuffix(tail), segment.utf8.count > tail.utf8.count else { return nil }
        names[String(wanted[..<end].dropFirst())] = String(segment.dropLast(tail.count))
      } else if wanted != segment {
        return nil
      }
    }
    return names
  }
}

/// A service's operations by the service's name.
public typealias ServiceOperations = [String: [ServiceOperation]]

extension CityAPI {
  /// What a path of a service allows; `nil` for a path that it does not have.
  static func methods(_ operations: [ServiceOperation], _ path: [String]) -> String? {
    let methods = operations.filter { $0.names(in: path) != nil }.map(\.method)
    guard !methods.isEmpty else { return nil }
    let names = ["GET", "POST", "PUT", "DELETE"].filter { name in methods.contains { $0.rawValue == name } }
    return (names.flatMap { $0 == "GET" ? ["GET", "HEAD"] : [$0] } + ["OPTIONS"]).joined(separator: ", ")
  }

  func serve(_ exchange: Exchange, _ operations: [ServiceOperation], _ path: [String]) async throws(Problem)
    -> APIResponse
  {
    let method = exchange.request.method.rawValue
    let operation = operations.first { $0.method.rawValue == method && $0.names(in: path) != nil }
    guard let operation, let names = operation.names(in: path) else { throw API.notAllowed(exchange) }
    try exchange.takes(operation.isList ? operation.parameters.union(Parameters.page) : operation.parameters)
    let (page, counts) = operation.isList ? try exchange.page() : (Page(limit: 1), false)
    var parameters: [String: String] = [:]
    for name in operation.parameters { parameters[name] = exchange.items[name] }
    let answer = try await operation.handler(
      ServiceOperation.Call(
        tenant: exchange.tenant, names: names, parameters: parameters,
        body: operation.body == nil ? .null : try Self.body(exchange),
        content: operation.takes.isEmpty ? [] : try Self.content(exchange, operation.takes), page: page))
    if let (type, bytes) = answer.content {
      var response = APIResponse(status: answer.status, body: bytes)
      response.headers[first: HeaderName.contentType] = type
      return response
    }
    var response = answer.body.map { Self.json($0, status: answer.status) } ?? APIResponse(status: answer.status)
    if let location = answer.location { response.headers[first: HeaderName.location] = location }
    if counts, let total = answer.total { response.headers[first: HeaderName.resultsCount] = String(total) }
    return response
  }
}

extension CityAPI {
  private static func content(_ exchange: Exchange, _ types: [String]) throws(Problem) -> [UInt8] {
    let type = exchange.request.headers[first: HeaderName.contentType] ?? ""
    let essence = type.split(separator: ";").first.map { String($0).trimmingSpaces.lowercased() } ?? ""
    guard types.contains(essence) else {
      throw Problem(.unsupportedMediaType, "the body must be \(types.joined(separator: " or "))")
    }
    let body = exchange.request.body
    return body.getBytes(at: body.readerIndex, length: body.readableBytes) ?? []
  }
}

extension OpenAPIOperation {
  init(_ operation: ServiceOperation, of service: String) {
    let gives: Body = operation.gives.map { .text($0) } ?? (operation.isList ? .json("List") : .json("Object"))
    self.init(
      HTTPMethod(rawValue: operation.method.rawValue), "/city/v1/\(service)/\(operation.path)", operation.summary,
      parameters: operation.isList ? operation.parameters.union(Parameters.page) : operation.parameters,
      body: operation.takes.isEmpty
        ? operation.body.map { Body(schema: $0, types: [MediaType.json.rawValue]) }
        : Body(schema: ["type": "string"], types: operation.takes),
      gives: Dictionary(uniqueKeysWithValues: operation.statuses.map { ($0, $0 == 204 ? nil : gives) }))
  }
}
