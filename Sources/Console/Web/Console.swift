public import Hummingbird
import HTTPTypes
import NGSI
import ServiceLifecycle

/// The console: pages that show the city to its operators, and the streams that keep them current.
///
/// ```swift
/// let console = try Console(source: city, assets: ".web-assets")
/// console.addOpenRoutes(to: router)
/// console.addReaderRoutes(to: router)
/// console.addRoutes(to: router)
/// ```
///
/// Routes: `/`, `/entities`, `/entities/{id}`, `/data`, `/health`, `/events`, `/console/…` (data for the pages' modules),
/// `/assets/…`, and, unless it is declined, an answer for every other `GET` that is not below `/ngsi-ld`; open to all
/// `/verify`, `/verify/saved`, `/static/…`; for whoever has logged in `/grants`, `/grants/new`, `/grants/{id}` and the operations
/// centre below `/operations`.
public struct Console: Sendable {
  let room: ConsoleRoom

  /// - Parameters:
  ///   - source: the city to show.
  ///   - assets: folder of the browser libraries that setup fetched; when it is `nil` or empty the pages work without
  ///     map and charts and say which command fetches them.
  ///   - resources: folder of the console's own files; `nil` takes the bundle beside the binary.
  /// - Throws: ``ConsoleError`` when a file of the console's own is missing or wrong.
  public init(source: any CitySource, assets: String?, resources: String? = nil) throws(ConsoleError) {
    room = try ConsoleRoom(source: source, assets: assets, resources: resources)
  }

  /// What needs no leave: the page where a proof is checked says nothing of the city, and judges do not log in.
  /// Add them before what asks for leave.
  public func addOpenRoutes<Context: RequestContext>(to router: Router<Context>) {
    let room = room
    router.get("/verify") { request, _ in try VerifyPage.answer(Visit(request, room)) }
    router.get("/verify/saved") { request, _ in try VerifyPage.savedAnswer(Visit(request, room)) }
    addCalls(to: router)
    addStaticFiles(to: router)
  }

  /// What every reader may open who has said who he is: the hub decides what he sees there. Add them after what asks who
  /// reads, and before what asks for leave.
  public func addReaderRoutes<Context: RequestContext>(to router: Router<Context>) {
    page(router, "/grants") { visit, _ in try await GrantsPage.answer(visit) }
    page(router, "/grants/new") { visit, _ in try await GrantRequestPage.answer(visit) }
    page(router, "/grants/:id") { visit, id in try await GrantPage.answer(visit, id: id) }
    form(router, "/grants/new") { visit, _, form in try await GrantRequestPage.answer(visit, form) }
    form(router, "/grants/:id") { visit, id, form in try await GrantPage.answer(visit, id: id, form) }
    addOperations(to: router)
  }

  /// A page that says that a form was not taken, since it was not made for the session that sent it.
  public func staleForm(_ request: Request) -> Response { ErrorPage.staleForm(Visit(request, room)) }

  public func addRoutes<Context: RequestContext>(to router: Router<Context>, catchAll: Bool = true) {
    page(router, "/") { visit, _ in try await CityPage.answer(visit) }
    page(router, "/entities") { visit, _ in try await EntitiesPage.answer(visit) }
    page(router, "/entities/:id") { visit, id in try await EntityPage.answer(visit, id: id) }
    page(router, "/data") { visit, _ in try await DataPage.answer(visit) }
    page(router, "/health") { visit, _ in try await HealthPage.answer(visit) }
    page(router, "/console/map") { visit, _ in try await CityData.map(visit) }
    page(router, "/console/overview") { visit, _ in try await CityData.overview(visit) }
    page(router, "/console/cursor") { visit, _ in await CityData.cursor(visit) }
    page(router, "/console/list") { visit, _ in try await CityData.list(visit) }
    page(router, "/console/summary") { visit, _ in try await CityData.summary(visit) }
    addAssets(to: router)
    addEvents(to: router)
    if catchAll {
      let room = room
      router.get("**") { request, _ -> Response in
        guard !request.uri.path.hasPrefix("/ngsi-ld") else { throw HTTPError(.notFound) }
        return ErrorPage.notFound(Visit(request, room))
      }
    }
  }

  /// Adds a page: what goes wrong in it becomes a page too, not a bare status.
  func page<Context: RequestContext>(
    _ router: Router<Context>, _ path: RouterPath,
    _ answer: @escaping @Sendable (Visit, String) async throws -> Response
  ) {
    let room = room
    router.get(path) { request, context -> Response in
      await room.board.start()
      let visit = Visit(request, room)
      do {
        return try await answer(visit, Percent.decode(context.parameters.get("id") ?? ""))
      } catch {
        context.logger.error("console: \(request.uri.path): \(error)")
        return ErrorPage.failed(visit)
      }
    }
  }

  /// Adds what takes the form of a page, sent to the page's own address.
  func form<Context: RequestContext>(
    _ router: Router<Context>, _ path: RouterPath,
    _ answer: @escaping @Sendable (Visit, String, Query) async throws -> Response
  ) {
    let room = room
    router.post(path) { request, context -> Response in
      let visit = Visit(request, room)
      guard request.isOfSameOrigin else { return ErrorPage.staleForm(visit) }
      guard let body = try? await request.body.collect(upTo: Query.maxFormLength) else {
        return ErrorPage.tooLong(visit)
      }
      do {
        let id = Percent.decode(context.parameters.get("id") ?? "")
        return try await answer(visit, id, Query(form: String(buffer: body)))
      } catch {
        context.logger.error("console: \(request.uri.path): \(error)")
        return ErrorPage.failed(visit)
      }
    }
  }

  private func addStaticFiles<Context: RequestContext>(to router: Router<Context>) {
    let room = room
    router.get("/static/:version/**") { request, context -> Response in
      let path = context.parameters.getCatchAll().joined(separator: "/")
      guard path.hasPrefix("css/") || path.hasPrefix("js/") || path.hasPrefix("img/"),
        let bytes = room.resources.files[path]
      else { return ErrorPage.notFound(Visit(request, room)) }
      let type =
        path.hasSuffix(".css")
        ? "text/css; charset=utf-8" : path.hasSuffix(".svg") ? "image/svg+xml" : "text/javascript; charset=utf-8"
      let versioned = context.parameters.get("version") == room.resources.version
      return Answer.file(bytes, type: type, version: room.resources.version, versioned: versioned, to: request)
    }
  }

  private func addAssets<Context: RequestContext>(to router: Router<Context>) {
    let room = room
    router.get("/assets/:version/:name") { request, context -> Response in
      guard let file = room.assets.file(context.parameters.get("name") ?? "") else {
        return ErrorPage.notFound(Visit(request, room))
      }
      let versioned = context.parameters.get("version") == file.version
      return Answer.file(
        file.bytes, type: file.type, version: file.version, versioned: versioned, gzipped: file.gzipped, to: request)
    }
  }

  private func addEvents<Context: RequestContext>(to router: Router<Context>) {
    let room = room
    router.get("/events") { request, _ -> Response in
      await room.board.start()
      guard let seat = room.events.seat() else {
        return Response(status: .serviceUnavailable, headers: [.retryAfter: "30"])
      }
      let cursor = request.headers[.lastEventID] ?? Query(request.uri.query)["cursor"]
      let start = await EventStream(board: room.board, source: room.source, cursor: cursor)
      let headers = Answer.common("text/event-stream", cache: "no-store")
      return Response(
        status: .ok, headers: headers,
        body: ResponseBody { writer in
          defer { _ = seat }
          var stream = start
          try await writer.write(ByteBuffer(bytes: Array("retry: 2000\n\n".utf8) + stream.tick()))
          var quiet = 0
          while !Task.isCancelled, !Task.isShuttingDownGracefully {
            if let event = await stream.next() {
              try await writer.write(ByteBuffer(bytes: event))
            } else if quiet >= EventStream.tickEvery {
              quiet = 0
              try await writer.write(ByteBuffer(bytes: stream.tick()))
            }
            quiet += 1
            try await Task.sleep(for: EventStream.pause)
          }
          try await writer.finish(nil)
        })
    }
  }
}

extension Request {
  /// Whether a form comes from a page of this city, as far as the browser says (Fetch Metadata): where access is open, forms carry no
  /// secret that would tell.
  var isOfSameOrigin: Bool {
    guard let name = HTTPField.Name("Sec-Fetch-Site"), let site = headers[name] else { return true }
    return site == "same-origin" || site == "none"
  }
}

extension HTTPField.Name {
  /// HTML Living Standard, section 9.2.4.
  static var lastEventID: Self { HTTPField.Name("Last-Event-ID") ?? .ifRange }
}
