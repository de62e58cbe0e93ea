import HTTPTypes
import Hub
import Hummingbird
import NGSI
import NIOCore

/// Carries requests between Hummingbird and the ``API`` or the ``Administration``.
public struct HubResponder<Context: RequestContext>: HTTPResponder {
  let api: API
  let administration: Administration
  let bodyBytes: Int
  /// What answers everything else: the console.
  let fallback: @Sendable (Request, Context) async throws -> Response

  private static var prefix: String { "/ngsi-ld/v1/" }
  private static var administrationPrefix: String { "/admin/" }

  public init(
    hub: Hub,
    fallback: @escaping @Sendable (Request, Context) async throws -> Response = { _, _ in
      Response(status: .notFound)
    }
  ) {
    api = API(hub: hub)
    administration = Administration(hub: hub)
    bodyBytes = hub.limits.bodyBytes
    self.fallback = fallback
  }

  public func respond(to request: Request, context: Context) async throws -> Response {
    let target = request.uri.string
    let answer: APIResponse
    if target.hasPrefix(Self.prefix) {
      answer = await respond(request, target.dropFirst(Self.prefix.count), api.respond)
    } else if target.hasPrefix(Self.administrationPrefix) {
      answer = await respond(request, target.dropFirst(Self.administrationPrefix.count), administration.respond)
    } else {
      return try await fallback(request, context)
    }
    var headers = answer.headers
    // Clause 6.3.6: none with 204. HEAD keeps the length of the body that it leaves out.
    if answer.status != 204, headers[.contentLength] == nil { headers[.contentLength] = String(answer.body.count) }
    return Response(
      status: HTTPResponse.Status(code: answer.status), headers: headers,
      body: answer.body.isEmpty ? ResponseBody() : ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body)))
  }

  private func respond(
    _ request: Request, _ rest: Substring, _ answer: (APIRequest) async -> APIResponse
  ) async -> APIResponse {
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
    return await answer(
      APIRequest(method: request.method, path: path, query: query, headers: request.headers, body: body))
  }
}
