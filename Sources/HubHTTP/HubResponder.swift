import HTTPTypes
import Hub
import Hummingbird
import NGSI
import NIOCore

/// Carries requests between Hummingbird and the ``API``.
public struct HubResponder<Context: RequestContext>: HTTPResponder {
  let api: API
  let bodyBytes: Int
  /// What answers everything that is not the API: the console.
  let fallback: @Sendable (Request, Context) async throws -> Response

  static var prefix: String { "/ngsi-ld/v1/" }

  public init(
    hub: Hub,
    fallback: @escaping @Sendable (Request, Context) async throws -> Response = { _, _ in
      Response(status: .notFound)
    }
  ) {
    api = API(hub: hub)
    bodyBytes = hub.limits.bodyBytes
    self.fallback = fallback
  }

  public func respond(to request: Request, context: Context) async throws -> Response {
    let target = request.uri.string
    guard target.hasPrefix(Self.prefix) else { return try await fallback(request, context) }
    let answer = await respond(request, target)
    var headers = answer.headers
    // Clause 6.3.6: none with 204. HEAD keeps the length of the body that it leaves out.
    if answer.status != 204, headers[.contentLength] == nil { headers[.contentLength] = String(answer.body.count) }
    return Response(
      status: HTTPResponse.Status(code: answer.status), headers: headers,
      body: answer.body.isEmpty ? ResponseBody() : ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body)))
  }

  private func respond(_ request: Request, _ target: String) async -> APIResponse {
    let rest = target.dropFirst(Self.prefix.count)
    let mark = rest.firstIndex(of: "?")
    let path = mark.map { rest[..<$0] } ?? rest
    let query = mark.map { rest[rest.index(after: $0)...] } ?? ""
    var body = ByteBuffer()
    if request.method != .get, request.method != .delete || request.headers[.contentLength] != nil {
      let tooLarge = Problem(.payloadTooLarge, "a body may have at most \(bodyBytes) bytes")
      if let announced = request.headers[.contentLength].flatMap({ Int($0) }), announced > bodyBytes {
        return Exchange.problem(tooLarge)
      }
      do { body = try await request.body.collect(upTo: bodyBytes) } catch { return Exchange.problem(tooLarge) }
    }
    return await api.respond(
      to: APIRequest(method: request.method, path: path, query: query, headers: request.headers, body: body))
  }
}
