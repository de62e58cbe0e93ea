import Hummingbird
import NGSI

/// `/grants`: what waits for the reader, and all grants that the reader may see, by state.
enum GrantsPage {
  static let shown = 50
  static let waitingShown = 20
  static let maxOffset = 1_000_000

  static func answer(_ visit: Visit) async throws -> Response {
    guard let source = visit.grants else { return open(visit) }
    let tenants = await source.tenants()
    // Who may not reach the default one begins with his own.
    if visit.query["tenant"] == nil, !tenants.contains(""), let own = tenants.first {
      return Answer.seeOther(Visit.grantsPath("", "", of: own))
    }
    let filter = GrantFilter(visit.query["state"]) ?? .all
    let offset = min(max(visit.query["offset"].flatMap { Int($0) } ?? 0, 0), maxOffset)
    let (offer, list): (GrantOffer, GrantList)
    do throws(GrantRefusal) {
      (offer, list) = (try await source.offer(), try await source.overview(filter, offset: offset, limit: shown))
    } catch { return refused(visit, error) }
    let waiting = list.waiting.prefix(waitingShown)
    var content: [String: Any] = [
      "mayRequest": offer.mayRequest, "mayBreakGlass": offer.mayBreakGlass,
      "mayNothing": !offer.mayRequest && !offer.mayBreakGlass,
      "isFirst": filter == .all && offset == 0,
      "waiting": waiting.map(visit.row), "isIdle": list.waiting.isEmpty,
      "waitingTitle": visit.text("waitingTitle", ["n": NumberText.short(Double(list.waiting.count))]),
      "filters": GrantFilter.listed.compactMap { filterLink(visit, $0, list, chosen: filter) },
      "rows": list.page.map(visit.row), "isNothing": list.page.isEmpty,
      "isNothingAtAll": list.page.isEmpty && filter == .all && offset == 0,
      "range": list.page.isEmpty
        ? ""
        : visit.text(
          "range",
          [
            "from": NumberText.short(Double(offset + 1)), "to": NumberText.short(Double(offset + list.page.count)),
            "total": NumberText.short(Double(list.selected)),
          ]),
    ]
    content.merge(visit.grantLinks) { _, new in new }
    content["tenants"] = visit.tenantLinks(tenants)
    content["hasTenants"] = tenants.count > 1
    if list.waiting.count > waiting.count { content["waitingHref"] = visit.grantsPath("", "state=waiting") }
    if offset > 0 { content["previousHref"] = href(visit, offset: max(0, offset - shown)) }
    if offset + list.page.count < list.selected, !list.page.isEmpty {
      content["nextHref"] = href(visit, offset: offset + shown)
    }
    return PageFrame.answer(
      visit, template: "grants", title: visit.text("grantsTitle"), section: "grants", content: content)
  }

  /// Where access is open: nobody is asked who he is, and nothing is granted.
  static func open(_ visit: Visit, status: HTTPResponse.Status = .ok) -> Response {
    PageFrame.answer(
      visit, template: "grants-open", title: visit.text("grantsTitle"), section: "grants", content: [:], status: status)
  }

  /// Where the page cannot be made.
  static func refused(_ visit: Visit, _ refusal: GrantRefusal) -> Response {
    let isUnknown = refusal.kind == .unknown
    var content: [String: Any] = [
      "sentence": visit.text(isUnknown ? "noGrant" : "refusedFailed"), "detail": isUnknown ? "" : refusal.detail,
    ]
    content.merge(visit.grantLinks) { _, new in new }
    return PageFrame.answer(
      visit, template: "grants-refused", title: visit.text("grantsTitle"), section: "grants",
      content: content.withoutEmpty, status: refusal.status)
  }

  private static func href(_ visit: Visit, offset: Int) -> String {
    "/grants?" + visit.query.with(["offset": offset == 0 ? nil : "\(offset)", "lang": nil])
  }

  private static func filterLink(
    _ visit: Visit, _ filter: GrantFilter, _ list: GrantList, chosen: GrantFilter
  ) -> [String: Any]? {
    let count = list.counts[filter] ?? 0
    guard count > 0 || filter == .all || filter == chosen else { return nil }
    return [
      "filterHref": visit.grantsPath("", filter == .all ? "" : "state=" + filter.name),
      "filterChosen": filter == chosen,
      "filterText": visit.text(filter.key), "filterCount": NumberText.short(Double(count)),
    ]
  }
}

extension GrantFilter {
  /// In the order in which they are offered.
  static let listed: [GrantFilter] =
    [.all, .waiting, .unreviewed] + GrantView.State.allCases.map { .state($0) }

  /// Reads an address; `nil` for what it does not understand.
  init?(_ name: String?) {
    guard let name, let filter = Self.listed.first(where: { $0.name == name }) else { return nil }
    self = filter
  }

  var name: String {
    switch self {
    case .all: "all"
    case .waiting: "waiting"
    case .unreviewed: "unreviewed"
    case .state(let state): state.rawValue
    }
  }

  var key: String {
    switch self {
    case .all: "filterAll"
    case .waiting: "filterWaiting"
    case .unreviewed: "filterUnreviewed"
    case .state(let state): "grant_" + state.rawValue
    }
  }
}

extension GrantRefusal {
  var status: HTTPResponse.Status {
    switch kind {
    case .forbidden: .forbidden
    case .invalid: .badRequest
    case .conflict: .conflict
    case .unknown: .notFound
    case .tooMany: .tooManyRequests
    case .failed: .serviceUnavailable
    }
  }
}
