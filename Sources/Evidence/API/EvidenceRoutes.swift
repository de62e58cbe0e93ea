import HTTPTypes
import Hummingbird
import NGSI
import Store
import TransparencyLog

extension EvidenceLog {
  /// Serves the log below `/log/`, as static files would (C2SP tlog-tiles): `checkpoint`, `tile/…`, `policy`, `key`; and
  /// `proof/INDEX`, which anyone could put together from them. `POST /log/add` takes a ``Submission``.
  public func addRoutes(to router: Router<some RequestContext>) {
    router.get("log/checkpoint") { _, _ in
      guard let note = self.checkpoint else { return Self.text(.notFound, "nothing is published yet\n") }
      return Self.text(.ok, note)
    }
    router.get("log/policy") { _, _ in Self.text(.ok, self.policyText) }
    router.get("log/key") { _, _ in Self.text(.ok, self.key.text + "\n") }
    router.get("log/tile/**") { request, _ in
      let path = request.uri.path.dropFirst("/log/".count)
      let bytes: [UInt8]?
      do { bytes = try self.tile(path: String(path)) } catch { return Self.text(.internalServerError, "\(error)\n") }
      guard let bytes else { return Self.text(.notFound, "the log has no such tile\n") }
      // A tile of so many entries never changes.
      return Response(
        status: .ok,
        headers: [.contentType: "application/octet-stream", .cacheControl: "public, max-age=31536000, immutable"],
        body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
    router.post("log/add") { request, _ in
      guard let body = try? await request.body.collect(upTo: Submission.maxBytes) else {
        return Self.problem(.contentTooLarge, "a statement has at most \(Submission.maxBytes) bytes")
      }
      do {
        let position = try await self.submit(try Submission(Array(buffer: body), trusting: self.submitters))
        var answer = Self.text(.ok, "\(position)\n")
        answer.headers[.location] = "/log/proof/\(position)"
        return answer
      } catch let error as EvidenceError {
        return Self.problem(.badRequest, error.sentence)
      } catch StoreError.busy {
        return Self.problem(.serviceUnavailable, "too many writes wait; try again")
      } catch { return Self.problem(.serviceUnavailable, "nothing was kept: \(error)") }
    }
    router.get("log/proof/:index") { _, context in
      let text = context.parameters.get("index") ?? ""
      guard let index = UInt64(text), String(index) == text else {
        return Self.problem(.badRequest, "an entry is named by its position, from 0")
      }
      do {
        return Self.text(.ok, try self.read { try $0.proof(of: index) }.text)
      } catch let error as EvidenceError {
        switch error {
        case .noEntry: return Self.problem(.notFound, error.sentence)
        case .notWitnessedYet: return Self.problem(.serviceUnavailable, error.sentence)
        default: return Self.problem(.internalServerError, error.sentence)
        }
      } catch { return Self.problem(.internalServerError, "\(error)") }
    }
  }

  private static func text(_ status: HTTPResponse.Status, _ text: String) -> Response {
    Response(
      status: status, headers: [.contentType: "text/plain; charset=utf-8", .cacheControl: "no-cache"],
      body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }

  /// Problem details (RFC 9457).
  private static func problem(_ status: HTTPResponse.Status, _ detail: String) -> Response {
    let body: JSON = [
      "type": "about:blank", "title": .string(status.reasonPhrase), "status": .integer(Int64(status.code)),
      "detail": .string(detail),
    ]
    var headers: HTTPFields = [.contentType: "application/problem+json", .cacheControl: "no-store"]
    if status == .serviceUnavailable { headers[.retryAfter] = "1" }
    return Response(
      status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: JSONWriter.bytes(body))))
  }
}
