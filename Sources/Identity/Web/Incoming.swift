import HTTPTypes
import Hummingbird
import NGSI

/// One request as the provider sees it.
struct Incoming: Sendable {
  let method: HTTPRequest.Method
  let path: String
  /// The query as it came.
  let query: String
  let parameters: Form
  /// Of the body; empty where there is none.
  let form: Form
  /// The body, for the doors that take JSON.
  let body: [UInt8]
  let headers: HTTPFields
  /// The address that it comes from.
  let source: String
  /// Which host the client called.
  let host: String?

  var authorization: String? { headers[.authorization] }
  var cookie: String? { headers[values: .cookie].isEmpty ? nil : headers[values: .cookie].joined(separator: "; ") }

  /// Reads the whole of a request.
  ///
  /// - Throws: `invalid_request` for a body that is too long or no form.
  init(_ request: Request, source: String, isBehindProxy: Bool) async throws(OAuthError) {
    method = request.method
    path = request.uri.path
    query = request.uri.query ?? ""
    headers = request.headers
    host = request.head.authority
    self.source = isBehindProxy ? Self.forwarded(request.headers) ?? source : source
    guard let parameters = Form(query) else { throw OAuthError(.invalidRequest, "the query is too long or malformed") }
    self.parameters = parameters
    if request.method == .get || request.method == .head {
      (form, body) = (Form(), [])
      return
    }
    guard let buffer = try? await request.body.collect(upTo: Form.mostBytes) else {
      throw OAuthError(.invalidRequest, "the body has more than \(Form.mostBytes) bytes")
    }
    let bytes = Array(buffer: buffer)
    body = bytes
    let type = (request.headers[.contentType] ?? "").lowercased()
    guard type.hasPrefix("application/x-www-form-urlencoded") else {
      form = Form()
      return
    }
    guard let text = String(validating: bytes, as: UTF8.self), let form = Form(text) else {
      throw OAuthError(.invalidRequest, "the body is no form")
    }
    self.form = form
  }

  /// What a header states, percent-encoded UTF-8; `nil` for what is longer than 500 bytes, or none.
  func statedText(_ name: String) -> String? {
    guard let field = HTTPField.Name(name),
      let text = headers[field].flatMap({ Form.decode($0.replacing("+", with: "%2B")) }),
      (1...500).contains(text.utf8.count)
    else { return nil }
    return text
  }

  /// The last address that the proxy named; those before it are what the client says.
  private static func forwarded(_ headers: HTTPFields) -> String? {
    guard let name = HTTPField.Name("X-Forwarded-For"),
      let last = headers[values: name].last?.split(separator: ",").last
    else { return nil }
    let address = last.trimmed
    return address.isEmpty ? nil : String(address.prefix(64))
  }
}

/// Answers with the headers that all of them carry.
enum Reply {
  static func json(_ json: JSON, status: HTTPResponse.Status = .ok, cache: String = "no-store") -> Response {
    var headers = HTTPFields()
    headers[.contentType] = "application/json"
    headers[.cacheControl] = cache
    headers[.xContentTypeOptions] = "nosniff"
    return Response(
      status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: JSONWriter.bytes(json))))
  }

  /// The error of a door for programs (RFC 6749 section 5.2).
  ///
  /// - Parameter basic: whether the client came with the scheme Basic, and is answered in kind.
  static func error(_ error: OAuthError, basic: Bool = false) -> Response {
    var response = json(error.json, status: HTTPResponse.Status(code: error.status))
    if error.code == .invalidClient, basic { response.headers[.wwwAuthenticate] = "Basic realm=\"madang\"" }
    if let seconds = error.retryAfter { response.headers[.retryAfter] = "\(seconds)" }
    return response
  }

  /// The error of a door that takes access tokens (RFC 6750 section 3).
  static func refusal(_ refusal: TokenRefusal) -> Response {
    var response = json(refusal.error.json, status: HTTPResponse.Status(code: refusal.status))
    response.headers[.wwwAuthenticate] = refusal.challenge
    return response
  }

  /// Sends a browser on; a `POST` becomes a `GET`.
  static func redirect(to address: String) -> Response {
    Response(status: .seeOther, headers: [.location: address, .cacheControl: "no-store"])
  }
}
