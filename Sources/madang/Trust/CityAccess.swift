import Access
import Cedar
import City
import Evidence
import Foundation
import HTTPTypes
import Hub
import HubHTTP
import Hummingbird
import Identity
import NGSI
import Store

/// The rules of access of a city, and who keeps its doors.
///
/// Access is open in the simulated demo and in `madang up --empty`, which listen on loopback only, unless the manifest
/// has rules of its own. Everywhere else what no rule permits is denied.
struct CityAccess {
  let rules: CityRules

  /// - Parameters:
  ///   - evidence: keeps what rules want recorded.
  /// - Returns: `nil` where access is open.
  /// - Throws: ``Failure`` that names the place where the rules cannot be read.
  static func make(
    _ manifest: ManifestFile?, mode: City.Mode?, evidence: EvidenceLog, now: @escaping @Sendable () -> DateTime
  ) throws -> CityAccess? {
    guard let file = manifest, mode != .simulated || file.manifest.access != nil else { return nil }
    var text = standing(file.manifest.roles ?? [])
    if let path = file.manifest.access?.rules {
      let resolved = file.resolve(path)
      guard let data = FileManager.default.contents(atPath: resolved) else {
        throw Failure("The rules of access \(resolved) cannot be read.")
      }
      do throws(PolicySyntaxError) { _ = try PolicySet(parsing: String(decoding: data, as: UTF8.self)) } catch {
        throw Failure("\(resolved):\(error.line):\(error.column): \(error.problem)")
      }
      text += String(decoding: data, as: UTF8.self)
    }
    do throws(PolicySyntaxError) {
      return CityAccess(
        rules: try CityRules(text, now: now) { disclosures, writer in
          _ = try evidence.record(disclosures.map(Act.init), writer)
        })
    } catch { throw Failure("The rules of access cannot be used: \(error.problem).") }
  }

  /// What the manifest's roles may, as rules; the administrator may everything but what a rule forbids.
  static func standing(_ roles: [Manifest.Role]) -> String {
    var text = """
      @id("administrators may everything")
      permit(principal in Role::"administrator", action, resource);
      @id("the operations centre shows the city")
      permit(principal == Client::"console", action in [Action::"read", Action::"administer"], resource);
      @id("the token gives no leave to read")
      forbid(principal, action in [Action::"read", Action::"subscribe", Action::"watch"], resource)
      when { context has scopes && !context.scopes.containsAny(["city:read", "city:write", "city:admin"]) };
      @id("the token gives no leave to write")
      forbid(principal, action in [Action::"write"], resource)
      when { context has scopes && !context.scopes.containsAny(["city:write", "city:admin"]) };
      @id("the token gives no leave to administer")
      forbid(principal, action in [Action::"federate", Action::"register", Action::"configure", Action::"administer"], resource)
      when { context has scopes && !context.scopes.contains("city:admin") };

      """
    for role in roles {
      for right in role.may {
        let actions =
          switch right {
          case .read: ["read", "subscribe", "watch"]
          case .write: ["write"]
          case .command: ["command"]
          case .administer: ["federate", "register", "configure", "administer"]
          }
        text += """
          @id("\(role.id) may \(right.rawValue)")
          permit(principal in Role::"\(role.id)", action in [\(
            actions.map { "Action::\"\($0)\"" }.joined(separator: ", "))], resource);

          """
      }
    }
    return text
  }
}

extension Caller {
  /// Its name in the register, unique within its kind: that of a device has its tenant before it.
  var account: String {
    guard kind == .device else { return id }
    let tenant = tenants.first ?? ""
    return (tenant.isEmpty ? "-" : tenant) + "/" + id
  }
}

extension Act {
  /// A disclosure as the evidence log states it.
  init(_ disclosure: Disclosure) {
    self.init(Kind(rawValue: disclosure.kind) ?? .access, action: disclosure.action.rawValue)
    agency = disclosure.caller.agency
    actor = disclosure.caller.account
    actorKind = disclosure.caller.kind.rawValue
    source = disclosure.caller.source
    purpose = disclosure.caller.purpose
    reason = disclosure.caller.reason
    subject = disclosure.entityId
    tenant = disclosure.tenant.name
    if let entity = disclosure.entity {
      // Normalized, with the core context: what anyone can make of the entity again.
      var writer = JSONWriter()
      EntityWriter(context: .core, representation: Representation()).write(entity, embeddedContext: nil, to: &writer)
      let document = try? JSONParser.parse(writer.bytes)
      object = ObjectHash(of: document.map(CanonicalJSON.bytes) ?? writer.bytes)
    }
  }
}

/// Reads who asks from the tokens and cookies of the city's own identity provider; where there are none, from the
/// certificate of a device.
struct CityDoorkeeper: Doorkeeper {
  let identity: IdentityProvider

  /// Longest purpose and reason that a request may state.
  private static let longestText = 500

  func caller(of request: APIRequest) throws(Problem) -> Caller {
    let changes = ![.GET, .HEAD, .OPTIONS].contains(request.method)
    var caller: Caller
    do throws(TokenRefusal) {
      caller = Caller(
        try identity.verifier.verify(
          authorization: request.headers.first(name: "Authorization"), cookie: request.headers.first(name: "Cookie"),
          csrf: request.headers.first(name: "X-CSRF-Token"), changes: changes),
        of: identity.issuer)
    } catch {
      guard error.code == nil else {
        let kind: Problem.Kind =
          switch error.status {
          case 400: .invalidRequest
          case 403: .forbidden
          default: .unauthorized
          }
        throw Problem(kind, error.description)
      }
      caller = request.peer.map(Caller.init) ?? .nobody
    }
    caller.source = request.remote
    caller.purpose = try Self.text("Purpose", request)
    caller.reason = try Self.text("Reason", request)
    return caller
  }

  func knows(_ request: APIRequest) -> Bool {
    identity.verifier.knows(authorization: request.headers.first(name: "Authorization"))
  }

  /// Fetches the keys of an outside provider whose token the request brings, where they are not known.
  func prepare(for request: APIRequest) async {
    let authorization = request.headers.first(name: "Authorization")
    guard identity.verifier.mustWait(authorization: authorization) else { return }
    _ = try? await identity.verifier.authenticate(authorization: authorization)
  }

  /// What the caller states in a header; percent-encoded UTF-8, so that it may be in any language.
  private static func text(_ name: String, _ request: APIRequest) throws(Problem) -> String? {
    guard let header = request.headers.first(name: name), !header.isEmpty else { return nil }
    guard let text = header.removingPercentEncoding, text.utf8.count <= longestText else {
      throw Problem(.invalidRequest, "the header \(name) is percent-encoded text of at most \(longestText) bytes")
    }
    return text
  }
}

extension Caller {
  /// - Parameter issuer: the city's own; who comes from another is named with it, so that nobody takes another's name.
  init(_ proven: Authenticated, of issuer: String) {
    let isOwn = proven.issuer == issuer
    self.init(
      isOwn && proven.clientId == proven.subject ? .client : .person,
      id: isOwn ? proven.subject : proven.issuer + "#" + proven.subject)
    roles = proven.roles
    agency = proven.agency
    tenants = proven.tenants
    methods = proven.methods
    if case .token = proven.means { scopes = proven.scopes.sorted() }
  }
}

/// Lets those see the pages of the operations centre whom a rule permits to `watch`.
struct PageDoor: RouterMiddleware {
  typealias Context = CityContext

  let identity: IdentityProvider
  let rules: CityRules

  func handle(
    _ request: Request, context: Context, next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    let caller: Caller
    do throws(TokenRefusal) {
      caller = Caller(
        try identity.verifier.verify(
          authorization: request.headers[.authorization], cookie: request.headers[.cookie],
          csrf: HTTPField.Name("X-CSRF-Token").flatMap { request.headers[$0] }, changes: request.method != .get),
        of: identity.issuer)
    } catch {
      let back = request.uri.string.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "%2F"
      return Response(status: .seeOther, headers: [.location: "/oauth/login?back=\(back)", .cacheControl: "no-store"])
    }
    let verdict = rules.decide(.watch, by: caller, in: .default)
    guard verdict.isAllowed, caller.tenants.isEmpty || caller.tenants.contains(Tenant.default.name) else {
      return Response(
        status: .forbidden, headers: [.contentType: "text/plain; charset=utf-8", .cacheControl: "no-store"],
        body: ResponseBody(
          byteBuffer: ByteBuffer(
            string: """
              이 계정에는 운영 화면을 볼 권한(watch)이 없습니다.
              This account may not open the operations centre (watch).

              """)))
    }
    var response = try await next(request, context)
    response.headers[.cacheControl] = response.headers[.cacheControl] ?? "private, no-store"
    return response
  }
}
