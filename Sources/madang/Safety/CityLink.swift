import AgencyLink
import Dispatch
import Egress
import Hub
import HubHTTP
import Safety
import ServiceLifecycle

/// Brings messages to far sides over HTTP, as far as the city's rules let it call them.
struct CityLinkOutlet: LinkOutlet {
  let http: HTTPOutlet
  let egress: Egress

  func post(_ request: WireRequest, to url: String, seconds: Double) async -> Reply {
    let egress = egress
    // The addresses of a name are asked for on a thread that may wait.
    let refusal = await withCheckedContinuation { continuation in
      DispatchQueue.global(qos: .utility).async { continuation.resume(returning: egress.refusal(ofResolved: url)) }
    }
    if let refusal { return .unreachable(refusal) }
    let type = request["Content-Type"] ?? WireRequest.Format.json.rawValue
    let headers = request.headers.filter { $0.name != "Content-Type" }.map { ($0.name, $0.value) }
    do throws(HTTPOutlet.Unanswered) {
      let answer = try await http.ask(
        String(decoding: request.body, as: UTF8.self), at: url, type: type, headers: headers, timeout: seconds,
        answerBytes: Bounds().answer)
      return Reply(status: answer.status, body: answer.body)
    } catch { return .unreachable(error.reason) }
  }
}

/// Sends what waits for other agencies until the city stops.
struct LinkService: Service {
  let desk: LinkDesk
  let outlet: CityLinkOutlet

  func run() async throws {
    await cancelWhenGracefulShutdown {
      await desk.run(outlet)
      // A city without links has nothing to send, and goes on.
      while (try? await Task.sleep(for: .seconds(3_600))) != nil {}
    }
  }
}
