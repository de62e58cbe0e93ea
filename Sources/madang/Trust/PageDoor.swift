import Console
import HTTPTypes
import Hub
import Hummingbird
import Identity
import NGSI

/// Who reads a page, as it was proven at its door. Pages of the city are read on behalf of the console all the same; what
/// is the reader's own, such as grants, is asked for as him.
struct PageReader: Sendable {
  var caller: Caller
  /// What his forms must carry; `nil` for who came with a token.
  var csrf: String?
  /// Whether a rule lets him open the pages of the operations centre.
  var mayWatch: Bool
  /// Whether he may do so without a record.
  var mayGlance: Bool

  @TaskLocal static var current: PageReader?
}

/// Lets nobody to pages who has not said who he is, and lets those know who reads that make them.
///
/// A form is taken only with the token of the session that sends it, as a header or as its member `csrf`.
struct PageDoor: RouterMiddleware {
  typealias Context = CityContext

  let identity: IdentityProvider
  let hub: Hub
  let isBehindProxy: Bool
  /// Answers a form that was made for another session.
  let staleForm: @Sendable (Request) -> Response

  private static let csrfHeader = HTTPField.Name("X-CSRF-Token")

  func handle(
    _ request: Request, context: Context, next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    var request = request
    let csrf = try await Self.csrf(&request)
    let proven: Authenticated
    do throws(TokenRefusal) {
      proven = try Self.proven(request, csrf: csrf, identity)
    } catch {
      let isCookie = request.headers[.authorization] == nil
      if request.method == .post, isCookie, error.code == .invalidRequest { return staleForm(request) }
      let back = request.uri.string.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "%2F"
      return Response(status: .seeOther, headers: [.location: "/oauth/login?back=\(back)", .cacheControl: "no-store"])
    }
    let caller = Caller(proven, of: identity.issuer, from: request.source(context, isBehindProxy: isBehindProxy))
    let (mayWatch, isRecorded) = WatchDoor(hub: hub).wouldAdmit(caller)
    var reader = PageReader(caller: caller, csrf: nil, mayWatch: mayWatch, mayGlance: mayWatch && !isRecorded)
    if case .session(let csrf) = proven.means { reader.csrf = csrf }
    var response = try await PageReader.$current.withValue(reader) { try await next(request, context) }
    response.headers[.cacheControl] = response.headers[.cacheControl] ?? "private, no-store"
    return response
  }

  /// - Throws: why what the request shows as proof is none; code `none` where it shows nothing.
  static func proven(
    _ request: Request, csrf: String?, _ identity: IdentityProvider
  ) throws(TokenRefusal) -> Authenticated {
    try identity.verifier.verify(
      authorization: request.headers[.authorization], cookie: request.headers[.cookie], csrf: csrf,
      changes: request.method != .get)
  }

  /// What the request shows beside its cookie. A form is read for it, within bounds, and can be read again.
  private static func csrf(_ request: inout Request) async throws -> String? {
    if let header = csrfHeader.flatMap({ request.headers[$0] }) { return header }
    guard request.method == .post,
      (request.headers[.contentType] ?? "").lowercased().hasPrefix("application/x-www-form-urlencoded")
    else { return nil }
    guard let body = try? await request.collectBody(upTo: TokenVerifier.longestForm) else {
      throw HTTPError(.contentTooLarge, message: "a form has at most \(TokenVerifier.longestForm) bytes")
    }
    return TokenVerifier.csrf(inForm: String(buffer: body))
  }
}

/// Lets those see the pages of the operations centre whom a rule permits to `watch`.
struct WatchDoor: RouterMiddleware {
  typealias Context = CityContext

  let hub: Hub

  /// Lets the caller watch, which is recorded where rules want it.
  func admit(_ caller: Caller) async throws(Problem) {
    let notes = AccessNotes()
    try watching(caller, notes).get()
    try await hub.record(notes)
  }

  /// Whether the caller would be let in, and that be recorded; he is not, and nothing is.
  func wouldAdmit(_ caller: Caller) -> (isAdmitted: Bool, isRecorded: Bool) {
    let notes = AccessNotes()
    return ((try? watching(caller, notes).get()) != nil, !notes.isEmpty)
  }

  private func watching(_ caller: Caller, _ notes: AccessNotes) -> Result<Void, Problem> {
    Caller.$current.withValue(caller) {
      AccessNotes.$current.withValue(notes) {
        Result { () throws(Problem) in try hub.permitWatching() }
      }
    }
  }

  func handle(
    _ request: Request, context: Context, next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    do throws(Problem) { try await admit(PageReader.current?.caller ?? .nobody) } catch {
      guard error.kind == .forbidden else { throw HTTPError(.serviceUnavailable, message: error.detail) }
      return Response(
        status: .forbidden, headers: [.contentType: "text/plain; charset=utf-8", .cacheControl: "no-store"],
        body: ResponseBody(
          byteBuffer: ByteBuffer(
            string: """
              이 계정에는 운영 화면을 볼 권한(watch)이 없습니다. 예외 접근은 /grants 에서 요청합니다.
              This account may not open the operations centre (watch). Exceptional access is asked for at /grants.

              """)))
    }
    return try await next(request, context)
  }
}

extension Caller {
  /// - Parameter source: the address that it asks from.
  init(_ proven: Authenticated, of issuer: String, from source: String) {
    self.init(proven, of: issuer)
    self.source = source
  }
}
