import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOEmbedded

@testable import Console

/// Asks the console's routes in this process, without a socket.
struct TestClient: Sendable {
  struct Answer: Sendable {
    var status: HTTPResponse.Status
    var headers: HTTPFields
    var body: String
  }

  private let respond: @Sendable (Request) async throws -> Response

  init(_ console: Console) {
    let router = Router()
    console.addOpenRoutes(to: router)
    console.addReaderRoutes(to: router)
    console.addRoutes(to: router)
    let responder = router.buildResponder()
    respond = { request in
      let source = ApplicationRequestContextSource(channel: EmbeddedChannel(), logger: Logger(label: "test"))
      return try await responder.respond(to: request, context: BasicRequestContext(source: source))
    }
  }

  func get(_ path: String, _ headers: HTTPFields = [:]) async throws -> Answer {
    try await ask(.get, path, headers, "")
  }

  /// Sends a form.
  func post(_ path: String, _ form: [String: String], _ headers: HTTPFields = [:]) async throws -> Answer {
    let body = form.map { "\(Percent.encode($0.key))=\(Percent.encode($0.value))" }.joined(separator: "&")
    return try await ask(.post, path, headers, body)
  }

  private func ask(
    _ method: HTTPRequest.Method, _ path: String, _ headers: HTTPFields, _ body: String
  ) async throws -> Answer {
    let head = HTTPRequest(method: method, scheme: "http", authority: "localhost", path: path, headerFields: headers)
    do {
      let response = try await respond(Request(head: head, body: RequestBody(buffer: ByteBuffer(string: body))))
      let collector = Collector()
      try await response.body.write(collector)
      return Answer(
        status: response.status, headers: response.headers, body: String(buffer: collector.bytes))
    } catch let error as HTTPError {
      return Answer(status: error.status, headers: [:], body: error.body ?? "")
    }
  }

  private final class Collector: ResponseBodyWriter {
    var bytes = ByteBuffer()

    func write(_ buffer: ByteBuffer) async throws { bytes.writeImmutableBuffer(buffer) }

    func finish(_ trailingHeaders: HTTPFields?) async throws {}
  }
}
