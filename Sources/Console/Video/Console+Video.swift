import HTTPTypes
import Hummingbird
import NGSI
import NIOCore
import Surveillance

extension Console {
  /// The city's cameras: which to look at now, and their pictures for who has leave.
  func addVideo<Context: RequestContext>(to router: Router<Context>) {
    page(router, "/operations/cameras") { visit, _ in try await WallPage.answer(visit) }
    page(router, "/operations/cameras/:id") { visit, id in try await CameraPage.answer(visit, id: id) }
    form(router, "/operations/cameras/:id/view") { visit, id, form in await VideoAnswers.open(visit, id, form) }
    form(router, "/operations/cameras/:id/export") { visit, id, form in
      try await CameraPage.answer(visit, id: id, export: form)
    }
    form(router, "/operations/views/:id/close") { visit, token, _ in await VideoAnswers.close(visit, token) }
    let room = room
    router.get("/operations/views/:id/:file") { request, context -> Response in
      await VideoAnswers.file(
        Visit(request, room), token: Percent.decode(context.parameters.get("id") ?? ""),
        name: Percent.decode(context.parameters.get("file") ?? ""))
    }
    router.get("/operations/exports/:id/video.mp4") { request, context -> Response in
      await VideoAnswers.export(Visit(request, room), Percent.decode(context.parameters.get("id") ?? ""))
    }
  }
}

/// What the player asks for: each of it on behalf of who reads the page.
enum VideoAnswers {
  static func open(_ visit: Visit, _ camera: String, _ form: Query) async -> Response {
    guard let video = visit.room.source.video else { return ErrorPage.notFound(visit) }
    let (incident, clip) = (form["incident"] ?? "", form["clip"])
    return await answer(visit) { () throws(Problem) in
      let view = try await video.open(camera, for: incident, clip: clip)
      let file = clip == nil ? "live.m3u8" : "clip.mp4"
      let address = "/operations/views/" + Percent.encode(view.token)
      return Answer.json(
        ["address": .string(address + "/" + file), "close": .string(address + "/close")], visit)
    }
  }

  static func close(_ visit: Visit, _ token: String) async -> Response {
    guard let video = visit.room.source.video else { return ErrorPage.notFound(visit) }
    return await answer(visit) { () throws(Problem) in
      try await video.close(token)
      return Response(status: .noContent)
    }
  }

  static func file(_ visit: Visit, token: String, name: String) async -> Response {
    guard let video = visit.room.source.video else { return ErrorPage.notFound(visit) }
    return await answer(visit) { () throws(Problem) in
      switch name {
      case "live.m3u8": bytes("application/vnd.apple.mpegurl", Array(try video.playlist(token).utf8))
      case "clip.mp4": bytes("video/mp4", try video.clip(token))
      default: bytes("video/mp4", try video.segment(token, name))
      }
    }
  }

  static func export(_ visit: Visit, _ id: String) async -> Response {
    guard let video = visit.room.source.video else { return ErrorPage.notFound(visit) }
    return await answer(visit) { () throws(Problem) in
      var response = bytes("video/mp4", try await video.content(ofExport: id))
      response.headers[.contentDisposition] =
        "attachment; filename=\"export-\(id.filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }).mp4\""
      return response
    }
  }

  private static func bytes(_ type: String, _ bytes: [UInt8]) -> Response {
    var headers = Answer.common(type, cache: "private, no-store")
    headers[.contentSecurityPolicy] = "default-src 'none'; sandbox"
    return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
  }

  /// What goes wrong is a sentence for the player to show.
  private static func answer(
    _ visit: Visit, _ body: @Sendable () async throws(Problem) -> Response
  ) async -> Response {
    do throws(Problem) { return try await visit.room.source.asReader(body) } catch {
      var response = Answer.json(
        ["sentence": .string(VideoWords.sentence(visit, error)), "detail": .string(error.detail)], visit)
      response.status = .init(code: error.status)
      return response
    }
  }
}
