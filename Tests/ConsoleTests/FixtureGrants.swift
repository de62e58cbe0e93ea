import Console
import NGSI
import Synchronization

/// Grants that a test lays out, and what was done about them.
final class FixtureGrants: GrantSource {
  struct State: Sendable {
    var offer = GrantOffer(
      mayRequest: true, mayBreakGlass: true, approvals: 1, longest: 30 * 86_400, longestBreakGlass: 4 * 3600,
      review: 72 * 3600, roles: ["operator"])
    var grants: [GrantView] = []
    var wishes: [GrantWish] = []
    var deeds: [GrantDeed] = []
    var refusal: GrantRefusal?
    var tenants = [""]
    /// Grants of tenants other than the default one.
    var elsewhere: [String: [GrantView]] = [:]
  }

  private let kept = Mutex(State())

  func of(tenant: String) -> any GrantSource {
    guard !tenant.isEmpty else { return self }
    let other = FixtureGrants()
    let (grants, tenants) = (state.elsewhere[tenant] ?? [], state.tenants)
    other.change { ($0.grants, $0.tenants) = (grants, tenants) }
    return other
  }

  func tenants() async -> [String] { state.tenants }

  var state: State { kept.withLock { $0 } }

  func change(_ body: @Sendable (inout State) -> Void) { kept.withLock { body(&$0) } }

  func offer() async throws(GrantRefusal) -> GrantOffer { state.offer }

  func overview(_ filter: GrantFilter, offset: Int, limit: Int) async throws(GrantRefusal) -> GrantList {
    let all = state.grants
    func selected(_ filter: GrantFilter) -> [GrantView] {
      switch filter {
      case .all: all
      case .waiting: all.filter { !$0.next.isDisjoint(with: [.decide, .review]) }
      case .unreviewed: all.filter { $0.reviewDue != nil }
      case .state(let state): all.filter { $0.state == state }
      }
    }
    var list = GrantList()
    list.waiting = selected(.waiting)
    list.page = Array(selected(filter).dropFirst(offset).prefix(limit))
    list.selected = selected(filter).count
    for filter in [GrantFilter.all, .waiting, .unreviewed] + GrantView.State.allCases.map({ .state($0) }) {
      list.counts[filter] = selected(filter).count
    }
    return list
  }

  func grant(_ id: String) async throws(GrantRefusal) -> GrantView {
    guard let found = state.grants.first(where: { $0.id == id }) else { throw GrantRefusal(.unknown, "none") }
    return found
  }

  func request(_ wish: GrantWish) async throws(GrantRefusal) -> String {
    if let refusal = state.refusal { throw refusal }
    change { $0.wishes.append(wish) }
    return "urn:ngsi-ld:Grant:new"
  }

  func carryOut(_ deed: GrantDeed, on id: String) async throws(GrantRefusal) {
    if let refusal = state.refusal { throw refusal }
    change { $0.deeds.append(deed) }
  }

  /// A request of Kim's for the cameras of the north.
  static func view(
    _ id: String = "urn:ngsi-ld:Grant:1", _ state: GrantView.State = .requested, purpose: String = "missing-child",
    taken: Bool = false, next: Set<GrantView.Next> = []
  ) -> GrantView {
    let now = FixtureCity.noon
    return GrantView(
      id: id, state: state, grantee: .somebody("Kim"), purpose: purpose, legalBasis: "Act 9",
      incident: "urn:ngsi-ld:Incident:7", actions: ["read"], things: [.init(type: "Camera", scope: "/north")],
      attributes: ["video"], from: now.adding(seconds: -600), to: now.adding(seconds: 7500), isBreakGlass: taken,
      reviewDue: taken ? now.adding(seconds: 86_400) : nil,
      steps: [
        .init(
          kind: taken ? "break-glass" : "request", by: "Kim", agency: "police", at: now.adding(seconds: -600),
          note: "case 7", entry: 42)
      ], next: next)
  }
}
