import Access
import Cedar
import City
import Evidence
import Foundation
import Hub
import HubHTTP
import Identity
import NGSI
import Store
import TransparencyLog

/// The rules of access of a city, and who keeps its doors.
///
/// Access is open in the simulated demo and in `madang up --empty`, which listen on loopback only, unless the manifest
/// has rules of its own. Everywhere else what no rule permits is denied.
struct CityAccess {
  let rules: CityRules
  let grants: GrantSettings

  /// - Parameters:
  ///   - standings: says what owners of subscriptions are today.
  ///   - evidence: keeps what rules want recorded.
  /// - Returns: `nil` where access is open.
  /// - Throws: ``Failure`` that names the place where the rules cannot be read.
  static func make(
    _ manifest: ManifestFile?, mode: City.Mode?, standings: Standings, evidence: EvidenceLog,
    now: @escaping @Sendable () -> DateTime
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
    var places: [Place] = []
    for (name, ring) in file.manifest.access?.places ?? [:] {
      do throws(Problem) { places.append(try Place(name: name, ring: ring)) } catch {
        throw Failure("access.places: \(error.detail).")
      }
    }
    do throws(PolicySyntaxError) {
      return CityAccess(
        rules: try CityRules(
          text, places: places, now: now, standing: { standings.standing(of: $0) },
          prover: { entry throws(Problem) in try evidence.requireProof(of: entry) },
          recorder: { disclosures, writer in Array(try evidence.record(disclosures.map(Act.init), writer)) }),
        grants: GrantSettings(file.manifest.access?.grants))
    } catch { throw Failure("The rules of access cannot be used: \(error.problem).") }
  }

  /// What the manifest's roles may, as rules; the administrator may everything but what a rule forbids.
  static func standing(_ roles: [Manifest.Role]) -> String {
    var text = """
      @id("administrators may everything")
      permit(principal in Role::"administrator", action, resource);
      @id("the operations centre shows the city")
      permit(principal == Client::"console", action in [Action::"read", Action::"administer"], resource);
      @id("adapters make what the manifest has them make")
      permit(principal is Adapter, action in [Action::"create", Action::"update"], resource is Entity)
      when { principal.produces.containsAny(resource.types) };
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
          case .request: ["request", "break-glass"]
          case .approve: ["approve", "review"]
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

extension GrantSettings {
  init(_ grants: Manifest.Access.Grants?) {
    self.init()
    approvals = grants?.approvals ?? approvals
    longest = (grants?.longest?.seconds).map(Double.init) ?? longest
    longestBreakGlass = (grants?.longestBreakGlass?.seconds).map(Double.init) ?? longestBreakGlass
    review = (grants?.review?.seconds).map(Double.init) ?? review
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
    self.init(Kind(rawValue: disclosure.kind) ?? .access, action: disclosure.step ?? disclosure.action.rawValue)
    agency = disclosure.caller.agency
    // The city itself has no account.
    actor = disclosure.caller.kind == .city ? nil : disclosure.caller.account
    actorKind = disclosure.caller.kind.rawValue
    source = disclosure.caller.source
    purpose = disclosure.caller.purpose ?? disclosure.purpose
    reason = disclosure.reason ?? disclosure.caller.reason
    subject = disclosure.entityId
    tenant = disclosure.tenant.name
    if let entity = disclosure.entity {
      // Normalized, with the core context: what anyone can make of the entity again.
      var writer = JSONWriter()
      EntityWriter(context: .core, representation: Representation()).write(entity, embeddedContext: nil, to: &writer)
      let document = try? JSONParser.parse(writer.bytes)
      object = ObjectHash(of: document.map(CanonicalJSON.bytes) ?? writer.bytes)
    } else if let document = disclosure.document {
      object = ObjectHash(of: CanonicalJSON.bytes(document))
    }
  }
}

extension EvidenceLog {
  /// Makes the proof of an entry and checks it as a stranger would, under the treaty.
  ///
  /// - Throws: `Conflict` where that cannot be done yet, or the city has no treaty of witnesses.
  func requireProof(of entry: UInt64) throws(Problem) {
    guard !policy.isQuorum({ _ in false }) else {
      throw Problem(
        .conflict, "this city has no treaty of witnesses ('evidence' in the manifest): nothing proves an approval")
    }
    do {
      let proof = try read { try $0.proof(of: entry) }
      _ = try proof.verify(TreeHash.leaf(proof.extra ?? []), under: policy)
    } catch let error as EvidenceError {
      throw Problem(.conflict, "the approval is not proved: \(error.sentence)")
    } catch { throw Problem(.conflict, "the approval is not proved: \(error)") }
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
    return try Self.stated(caller, request)
  }

  func known(_ request: APIRequest, _ shown: inout ShownProof?) -> Caller? {
    guard let header = request.headers.first(name: "Authorization") else { return try? caller(of: request) }
    if let proof = shown, proof.header == header, proof.holds() { return try? Self.stated(proof.caller, request) }
    guard let known = identity.verifier.known(authorization: header) else { return nil }
    let proof = ShownProof(header: header, caller: Caller(known.authenticated, of: identity.issuer)) { known.holds }
    shown = proof
    return try? Self.stated(proof.caller, request)
  }

  /// A caller with what the request says of him and he says himself.
  private static func stated(_ caller: Caller, _ request: APIRequest) throws(Problem) -> Caller {
    var caller = caller
    caller.source = request.remote
    caller.purpose = try text("Purpose", request)
    caller.reason = try text("Reason", request)
    caller.approval = try text("Approval", request)
    return caller
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
