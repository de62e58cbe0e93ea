import HTTPTypes
import Hummingbird
import Logging
import ServiceLifecycle
import TransparencyLog

extension Witness {
  /// The protocol over HTTP: `POST /add-checkpoint`, `GET /<hash of the origin>/checkpoint`, and `GET /` with the key.
  public nonisolated func makeRouter() -> Router<BasicRequestContext> {
    let router = Router()
    router.post("add-checkpoint") { request, _ in
      guard let body = try? await request.body.collect(upTo: SignedNote.maxBytes) else {
        return Self.answer(.contentTooLarge, "a request has at most \(SignedNote.maxBytes) bytes\n")
      }
      do throws(WitnessFailure) {
        switch try await self.add(Array(buffer: body)) {
        case .cosigned(let line): return Self.answer(.ok, line)
        case .refused(.otherSize(let size)):
          return Self.answer(.conflict, "\(size)\n", type: "text/x.tlog.size")
        case .refused(let refusal):
          return Self.answer(HTTPResponse.Status(code: refusal.status), refusal.sentence + "\n")
        }
      } catch {
        return Self.answer(.internalServerError, "\(error)\n")
      }
    }
    router.get(":name/checkpoint") { _, context in
      let name = context.parameters.get("name") ?? ""
      do throws(WitnessFailure) {
        guard let note = try await self.latest(name) else {
          return Self.answer(.notFound, "this witness has cosigned no checkpoint of such a log\n")
        }
        return Self.answer(.ok, note)
      } catch {
        return Self.answer(.internalServerError, "\(error)\n")
      }
    }
    router.get("/") { _, _ in Self.answer(.ok, self.key.text + "\n") }
    return router
  }

  private static func answer(
    _ status: HTTPResponse.Status, _ text: String, type: String = "text/plain; charset=utf-8"
  ) -> Response {
    Response(
      status: status, headers: [.contentType: type, .cacheControl: "no-store"],
      body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }

  /// Serves until the process is asked to stop.
  ///
  /// - Parameter ready: gets the port once the witness answers.
  public nonisolated func serve(port: Int, ready: @escaping @Sendable (Int) -> Void) async throws {
    var log = Logger(label: "witness")
    log.logLevel = .warning
    let app = Application(
      router: makeRouter(),
      configuration: ApplicationConfiguration(
        address: .hostname("127.0.0.1", port: port), serverName: "madang-witness"),
      onServerRunning: { channel in ready(channel.localAddress?.port ?? port) }, logger: log)
    let group = ServiceGroup(services: [app], gracefulShutdownSignals: [.sigterm, .sigint], logger: log)
    try await group.run()
  }
}
