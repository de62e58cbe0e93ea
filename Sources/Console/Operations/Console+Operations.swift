import HTTPTypes
import Hummingbird
import NGSI
import NIOCore
import Safety

extension Visit {
  /// Whether the reader may be told of the city beside its incidents.
  var seesCity: Bool { room.source.reader?.mayWatch ?? true }
}

extension Console {
  /// The operations centre: the service decides what each reader sees there, and what he may do.
  func addOperations<Context: RequestContext>(to router: Router<Context>) {
    page(router, "/operations") { visit, _ in try await OperationsPage.answer(visit) }
    page(router, "/operations/map") { visit, _ in try await OperationsMap.answer(visit) }
    page(router, "/operations/report") { visit, _ in try await NewReportPage.answer(visit) }
    page(router, "/operations/shift") { visit, _ in try await ShiftPage.answer(visit) }
    page(router, "/operations/figures") { visit, _ in try await FiguresPage.answer(visit) }
    page(router, "/operations/incidents/:id") { visit, id in try await IncidentPage.answer(visit, id: id) }
    page(router, "/operations/incidents/:id/replay") { visit, id in try await ReplayPage.answer(visit, id: id) }
    form(router, "/operations/report") { visit, _, form in try await NewReportPage.answer(visit, form) }
    form(router, "/operations/incidents/:id") { visit, id, form in
      try await IncidentPage.answer(visit, id: id, form)
    }
    let room = room
    router.get("/operations/incidents/:id/photos/:number") { request, context -> Response in
      await PhotoPage.answer(
        Visit(request, room), id: Percent.decode(context.parameters.get("id") ?? ""),
        number: context.parameters.get("number") ?? "")
    }
    addOperationsEvents(to: router)
    addVideo(to: router)
  }

  /// Calls for help, which everybody may make.
  func addCalls<Context: RequestContext>(to router: Router<Context>) {
    let room = room
    router.get("/call") { request, _ in CallPage.answer(Visit(request, room)) }
    router.get("/call/:id") { request, context in
      CallPage.answer(Visit(request, room), ticket: Percent.decode(context.parameters.get("id") ?? ""))
    }
    form(router, "/call") { visit, _, form in await CallPage.answer(visit, form) }
    form(router, "/call/:id") { visit, ticket, form in await CallPage.answer(visit, ticket: ticket, form) }
    router.post("/call/:id/photo") { request, context -> Response in
      let visit = Visit(request, room)
      guard request.isOfSameOrigin else { return ErrorPage.staleForm(visit) }
      guard let body = try? await request.body.collect(upTo: SafetyService.CallBounds.photo) else {
        return ErrorPage.tooLong(visit)
      }
      let ticket = Percent.decode(context.parameters.get("id") ?? "")
      return await CallPage.answer(visit, ticket: ticket, photo: Array(buffer: body))
    }
  }

  /// Says when something has changed; what, each reader asks for himself.
  private func addOperationsEvents<Context: RequestContext>(to router: Router<Context>) {
    let room = room
    router.get("/operations/events") { _, _ -> Response in
      guard let safety = room.source.safety else { return Response(status: .notFound) }
      guard let seat = room.events.seat() else {
        return Response(status: .serviceUnavailable, headers: [.retryAfter: "30"])
      }
      let headers = Answer.common("text/event-stream", cache: "no-store")
      return Response(
        status: .ok, headers: headers,
        body: ResponseBody { writer in
          defer { _ = seat }
          // Who comes again after the line was cut may have missed something.
          var known: UInt64?
          var quiet = EventStream.tickEvery
          while !Task.isCancelled, !Task.isShuttingDownGracefully {
            let revision = safety.revision(in: .default)
            if revision != known || quiet >= EventStream.tickEvery {
              let name = revision == known ? "tick" : "refresh"
              let now = room.source.now().microseconds / 1000
              try await writer.write(
                ByteBuffer(string: "id: \(revision)\nevent: \(name)\ndata: {\"now\":\(now)}\n\n"))
              (known, quiet) = (revision, 0)
            }
            quiet += 1
            try await Task.sleep(for: EventStream.pause)
          }
          try await writer.finish(nil)
        })
    }
  }
}
