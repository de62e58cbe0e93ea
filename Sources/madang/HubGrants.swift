import City
import Console
import Hub
import HubHTTP
import Identity
import NGSI
import Store

/// Exceptional access as the person sees it who reads the page: the hub decides for him, as it does over the API.
struct HubGrants: GrantSource {
  let hub: Hub
  let identity: IdentityProvider
  /// Of the manifest.
  let roles: [String]
  var tenant = Tenant.default

  func of(tenant: String) -> any GrantSource {
    var other = self
    other.tenant = Tenant(tenant)
    return other
  }

  /// His own, where he may reach some only; all, for who may open the city's pages.
  func tenants() async -> [String] {
    guard let reader = PageReader.current else { return [Tenant.default.name] }
    let all = ((try? hub.tenants()) ?? []).map(\.name)
    let own = reader.caller.tenants
    let known = own.isEmpty && !reader.mayWatch ? [] : all.filter { own.isEmpty || own.contains($0) }
    let first = own.isEmpty || own.contains(Tenant.default.name) ? [Tenant.default.name] : []
    return first + known.filter { $0 != Tenant.default.name }.sorted()
  }

  /// - Throws: ``GrantRefusal`` for a tenant that the reader may not reach, or that there is not.
  private func requireTenant() throws(GrantRefusal) {
    let own = PageReader.current?.caller.tenants ?? []
    guard own.isEmpty || own.contains(tenant.name) else {
      throw GrantRefusal(.forbidden, "you may not reach the tenant '\(tenant.name.prefix(100))'")
    }
    guard tenant != .default else { return }
    guard ((try? hub.tenants()) ?? []).contains(tenant) else {
      throw GrantRefusal(.unknown, "there is no tenant '\(tenant.name.prefix(100))'")
    }
  }

  /// Asks the hub something on behalf of who reads.
  private func asReader<Value: Sendable>(
    _ body: @Sendable () async throws(Problem) -> Value
  ) async throws(GrantRefusal) -> Value {
    try requireTenant()
    let caller = PageReader.current?.caller ?? .nobody
    let result = await Caller.$current.withValue(caller) { () async -> Result<Value, Problem> in
      do throws(Problem) { return .success(try await body()) } catch { return .failure(error) }
    }
    do throws(Problem) { return try result.get() } catch {
      var names = Names(identity)
      throw GrantRefusal(error, naming: caller, names.name(caller.kind, caller.id))
    }
  }

  func offer() async throws(GrantRefusal) -> GrantOffer {
    let terms = try await asReader { () throws(Problem) in try hub.grantTerms(in: tenant) }
    return GrantOffer(
      mayRequest: terms.mayRequest, mayBreakGlass: terms.mayBreakGlass, approvals: terms.settings.approvals,
      longest: terms.settings.longest, longestBreakGlass: terms.settings.longestBreakGlass,
      review: terms.settings.review, roles: roles)
  }

  func overview(_ filter: GrantFilter, offset: Int, limit: Int) async throws(GrantRefusal) -> GrantList {
    let page = Page(limit: limit, offset: offset)
    let selection: GrantSelection =
      switch filter {
      case .all: .all
      case .waiting: .waiting
      case .unreviewed: .unreviewed
      case .state(let state): .status(state.rawValue)
      }
    // Rules are asked about each grant: not on the connection's event loop.
    let found = try await asReader { () async throws(Problem) in
      try await hub.surveyedGrants(selection, page: page, in: tenant)
    }
    var names = Names(identity)
    var list = GrantList()
    list.waiting = found.waiting.map { view($0, &names) }
    list.page = found.page.map { view($0, &names) }
    list.selected = found.selected
    list.counts = [
      .all: found.count, .waiting: found.waiting.count, .unreviewed: found.counts["unreviewed"] ?? 0,
    ]
    for state in GrantView.State.allCases { list.counts[.state(state)] = found.counts[state.rawValue] }
    return list
  }

  func grant(_ id: String) async throws(GrantRefusal) -> GrantView {
    let seen = try await asReader { () throws(Problem) in try hub.seenGrant(id, in: tenant) }
    var names = Names(identity)
    return view(seen, &names)
  }

  func request(_ wish: GrantWish) async throws(GrantRefusal) -> String {
    let document = wish.document
    return try await asReader { () async throws(Problem) in try await hub.requestGrant(document, in: tenant).id }
  }

  func carryOut(_ deed: GrantDeed, on id: String) async throws(GrantRefusal) {
    _ = try await asReader { () async throws(Problem) -> Grant in
      switch deed {
      case .approve(let note): try await hub.decideGrant(id, approves: true, note: note, in: tenant)
      case .refuse(let note): try await hub.decideGrant(id, approves: false, note: note, in: tenant)
      case .revoke(let note): try await hub.revokeGrant(id, note: note, in: tenant)
      case .review(let isJustified, let note):
        try await hub.reviewGrant(id, isJustified: isJustified, note: note, in: tenant)
      }
    }
  }

  // MARK: - As pages show it

  private func view(_ seen: SeenGrant, _ names: inout Names) -> GrantView {
    let grant = seen.grant
    let grantee: GrantView.Grantee =
      switch grant.grantee {
      case .party(let kind, let id): .somebody(names.name(kind, id))
      case .agency(let name): .agency(name)
      case .role(let name): .role(name)
      }
    var view = GrantView(
      id: grant.id, state: GrantView.State(rawValue: seen.status) ?? .ended, grantee: grantee, purpose: grant.purpose,
      legalBasis: grant.legalBasis, incident: grant.incident, actions: [], things: [], from: grant.from, to: grant.to,
      isBreakGlass: grant.isBreakGlass, steps: grant.steps.map { step($0, &names) },
      approvalsNeeded: hub.approvalsNeeded, next: [])
    switch grant.what {
    case .access(let actions, let things, let attributes):
      view.actions = actions.map(\.rawValue)
      view.things = things.map { GrantView.Thing(id: $0.id, type: $0.type.map(Vocabulary.short), scope: $0.scope) }
      view.attributes = attributes.map(Vocabulary.short)
    case .command(let command):
      view.things = [GrantView.Thing(id: command.entityId)]
      view.command = command.document
    }
    if grant.owesReview { view.reviewDue = grant.reviewDue(in: hub) }
    if seen.next.contains(.approve) { view.next.insert(.decide) }
    if seen.next.contains(.revoke) { view.next.insert(.revoke) }
    if seen.next.contains(.review) { view.next.insert(.review) }
    return view
  }

  private func step(_ step: Grant.Step, _ names: inout Names) -> GrantView.Step {
    GrantView.Step(
      kind: step.kind.rawValue, by: names.name(step.by.kind, step.by.id), agency: step.by.agency, at: step.at,
      note: step.note, isJustified: step.isJustified, entry: step.entry)
  }

  /// What people call those who are named in grants, each looked up once.
  private struct Names {
    private let identity: IdentityProvider
    private var known: [String: String] = [:]

    init(_ identity: IdentityProvider) { self.identity = identity }

    /// The id where no name is known; empty for the city itself.
    mutating func name(_ kind: Caller.Kind, _ id: String) -> String {
      guard kind != .city else { return "" }
      let key = kind.rawValue + " " + id
      if let name = known[key] { return name }
      let found: String? =
        switch kind {
        case .person: (try? identity.name(ofPerson: id)) ?? nil
        case .client: (try? identity.name(ofClient: id)) ?? nil
        default: nil
        }
      known[key] = found ?? id
      return found ?? id
    }
  }
}

extension GrantWish {
  /// As the API takes it.
  fileprivate var document: JSONObject {
    var object = JSONObject()
    object["purpose"] = .string(purpose)
    object["legalBasis"] = .string(legalBasis)
    object["reason"] = .string(reason)
    object["incident"] = incident.map { .string($0) }
    switch grantee {
    case .oneself: break
    case .agency(let name): object["grantee"] = ["agency": .string(name)]
    case .role(let name): object["grantee"] = ["role": .string(name)]
    }
    if let command {
      object["command"] = command
      object["from"] = from.map { .string($0.description) }
      object["to"] = .string(to.description)
      return object
    }
    object["actions"] = .array(actions.map { .string($0) })
    object["things"] = .array(
      things.map { thing in
        var part = JSONObject()
        part["id"] = thing.id.map { .string($0) }
        part["type"] = thing.type.map { .string($0) }
        part["scope"] = thing.scope.map { .string($0) }
        return .object(part)
      })
    if !attributes.isEmpty { object["attributes"] = .array(attributes.map { .string($0) }) }
    object["from"] = from.map { .string($0.description) }
    object["to"] = .string(to.description)
    if isBreakGlass { object["breakGlass"] = true }
    return object
  }
}

extension GrantRefusal {
  /// - Parameter name: what people call the caller, in place of the id that the hub knows.
  fileprivate init(_ problem: Problem, naming caller: Caller, _ name: String) {
    let kind: Kind =
      switch problem.kind {
      case .forbidden, .unauthorized: .forbidden
      case .badRequestData, .invalidRequest: .invalid
      case .conflict, .alreadyExists: .conflict
      case .resourceNotFound: .unknown
      case .tooManyResults, .tooManyRequests: .tooMany
      default: .failed
      }
    self.init(kind, caller.id.isEmpty ? problem.detail : problem.detail.replacing(caller.id, with: name))
  }
}

extension Reader {
  /// Who reads, by name.
  init(_ reader: PageReader, _ identity: IdentityProvider) {
    let caller = reader.caller
    let name =
      (try? caller.kind == .client ? identity.name(ofClient: caller.id) : identity.name(ofPerson: caller.id)) ?? nil
    self.init(
      name: name ?? caller.id, agency: caller.agency, csrf: reader.csrf, mayWatch: reader.mayWatch,
      mayGlance: reader.mayGlance)
  }
}
