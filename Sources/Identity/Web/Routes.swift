import HTTPTypes
public import Hummingbird
import Logging
import NGSI

extension HTTPField.Name {
  /// What a page of ours sends beside its cookie.
  static var csrfToken: Self { HTTPField.Name("X-CSRF-Token") ?? .ifRange }
  /// Where a request comes from, as the browser says (Fetch Metadata).
  static var secFetchSite: Self { HTTPField.Name("Sec-Fetch-Site") ?? .ifRange }
}

extension Incoming {
  var csrfHeader: String? { headers[.csrfToken] ?? form["csrf"] }
}

extension IdentityProvider {
  private typealias Handler = @Sendable (Incoming) async throws -> Response

  /// Adds the doors of the provider: `/.well-known/openid-configuration`, `/.well-known/oauth-authorization-server`, and
  /// all below `/oauth/`.
  ///
  /// - Parameter source: the address that a request comes from, by which attempts are counted.
  public func addRoutes<Context: RequestContext>(
    to router: Router<Context>, source: @escaping @Sendable (Request, Context) -> String
  ) {
    addDocuments(to: router)
    let programs: [(HTTPRequest.Method, RouterPath, Handler)] = [
      (.post, "/oauth/token", token), (.post, "/oauth/introspect", introspect), (.post, "/oauth/revoke", revoke),
      (.post, "/oauth/device_authorization", deviceAuthorization), (.get, "/oauth/userinfo", userInfo),
      (.post, "/oauth/userinfo", userInfo), (.post, "/oauth/passkey/login/options", passkeyLoginOptions),
      (.post, "/oauth/passkey/add/options", passkeyAddOptions),
    ]
    for (method, path, handler) in programs { door(router, method, path, source, isPage: false, handler) }
    let pages: [(HTTPRequest.Method, RouterPath, Handler)] = [
      (.get, "/oauth/authorize", authorize), (.post, "/oauth/authorize", authorize),
      (.post, "/oauth/consent", consent), (.get, "/oauth/login", showLogin), (.post, "/oauth/login", login),
      (.post, "/oauth/login/code", loginCode), (.post, "/oauth/passkey/login", passkeyLogin),
      (.get, "/oauth/account", showAccount), (.get, "/oauth/password", showPassword),
      (.post, "/oauth/password", changePassword), (.post, "/oauth/otp", beginOneTimeCode),
      (.post, "/oauth/otp/confirm", confirmOneTimeCode), (.post, "/oauth/otp/end", endOneTimeCode),
      (.post, "/oauth/passkey/add", addPasskey), (.post, "/oauth/passkey/end", endPasskey),
      (.get, "/oauth/device", showDevice), (.post, "/oauth/device", answerDevice), (.get, "/oauth/logout", logOut),
      (.post, "/oauth/logout", logOut),
    ]
    for (method, path, handler) in pages { door(router, method, path, source, isPage: true, handler) }
    addOutside(to: router, source)
    addAdministration(to: router, source)
  }

  /// Where people come and go who log in at an outside provider.
  private func addOutside<Context: RequestContext>(
    to router: Router<Context>, _ source: @escaping @Sendable (Request, Context) -> String
  ) {
    let pages: [(RouterPath, @Sendable (Incoming, String) async throws -> Response)] = [
      ("/oauth/outside/:id/login", beginOutside), ("/oauth/outside/:id", returnFromOutside),
    ]
    for (path, handler) in pages {
      router.get(path) { request, context in
        let id = context.parameters.get("id") ?? ""
        return await self.answer(request, source(request, context), context.logger, isPage: true) {
          try await handler($0, id)
        }
      }
    }
    router.get("/oauth/outside/:id/jwks") { _, context in
      Self.open(self.clientKeys(context.parameters.get("id") ?? ""))
    }
  }

  /// What everyone may read.
  private func addDocuments<Context: RequestContext>(to router: Router<Context>) {
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] as [RouterPath] {
      router.get(path) { _, _ in Self.open(Reply.json(self.metadata, cache: "public, max-age=300")) }
    }
    // Shorter than keys are shown before they sign.
    router.get("/oauth/jwks") { _, _ in Self.open(Reply.json(self.keys.jwks, cache: "public, max-age=300")) }
    router.get("/oauth/static/:version/:name") { _, context -> Response in
      let file = self.pages.file(
        context.parameters.get("name") ?? "", version: context.parameters.get("version") ?? "")
      return file ?? Reply.nothingHere
    }
  }

  /// Lets pages of other origins read it.
  private static func open(_ response: Response) -> Response {
    var response = response
    response.headers[.accessControlAllowOrigin] = "*"
    return response
  }

  private func addAdministration<Context: RequestContext>(
    to router: Router<Context>, _ source: @escaping @Sendable (Request, Context) -> String
  ) {
    func add(
      _ method: HTTPRequest.Method, _ path: RouterPath,
      _ handler: @escaping @Sendable (Incoming, String, Authenticated) async throws -> Response
    ) {
      router.on(path, method: method) { request, context -> Response in
        let id = context.parameters.get("id") ?? ""
        return await self.answer(request, source(request, context), context.logger, isPage: false) { incoming in
          let administrator: Authenticated
          do throws(TokenRefusal) { administrator = try await self.administrator(incoming) } catch {
            return Reply.refusal(error)
          }
          return try await handler(incoming, id, administrator)
        }
      }
    }
    add(.post, "/oauth/register") { request, _, by in try await self.register(request, by: by) }
    add(.get, "/oauth/register/:id") { _, id, _ in try self.registration(id) }
    add(.delete, "/oauth/register/:id") { request, id, by in try await self.unregister(id, request, by: by) }
    add(.get, "/oauth/people") { request, _, _ in try self.people(request) }
    add(.post, "/oauth/people") { request, _, by in try await self.addPerson(request, by: by) }
    add(.get, "/oauth/people/:id") { _, id, _ in try self.person(id) }
    add(.get, "/oauth/sessions") { request, _, _ in try self.sessions(request) }
    add(.delete, "/oauth/sessions/:id") { request, id, by in try await self.endSession(id, request, by: by) }
    add(.patch, "/oauth/people/:id") { request, id, by in try await self.changePerson(id, request, by: by) }
  }

  private func door<Context: RequestContext>(
    _ router: Router<Context>, _ method: HTTPRequest.Method, _ path: RouterPath,
    _ source: @escaping @Sendable (Request, Context) -> String, isPage: Bool, _ handler: @escaping Handler
  ) {
    router.on(path, method: method) { request, context in
      await self.answer(request, source(request, context), context.logger, isPage: isPage, handler)
    }
  }

  /// Whatever goes wrong becomes an answer in the words of the standard.
  private func answer(
    _ request: Request, _ source: String, _ log: Logger, isPage: Bool, _ handler: Handler
  ) async -> Response {
    let incoming: Incoming
    do throws(OAuthError) {
      incoming = try await Incoming(request, source: source, isBehindProxy: settings.isBehindProxy)
    } catch { return Reply.error(error) }
    let problem: OAuthError
    do { return try await handler(incoming) } catch let error as OAuthError {
      problem = error
    } catch is HashingPool.Refusal {
      problem = OAuthError(.temporarilyUnavailable, "too many passwords are being checked", retryAfter: 5)
    } catch {
      log.error("identity: \(incoming.path): \(error)")
      problem = OAuthError(.serverError, "the provider failed; its log says why")
    }
    if isPage { return pages.problem(incoming, problem, self) }
    let isBasic = incoming.authorization?.lowercased().hasPrefix("basic ") ?? false
    return Reply.error(problem, basic: isBasic)
  }
}
