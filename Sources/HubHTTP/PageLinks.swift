import NIOHTTP1
import Hub
import NGSI
import Store

extension Exchange {
  /// The page that `limit` and `offset` ask for.
  ///
  /// - Throws: when they are out of bounds, or `limit` is 0 without `count` (clause 6.3.10).
  func page(allowsZero: Bool = true) throws(Problem) -> (page: Page, countsTotal: Bool) {
    let counts = try items.flag("count")
    let limit = try items.integer("limit", in: 0...Int.max) ?? hub.limits.defaultPage
    guard limit <= hub.limits.maxPage else {
      throw Problem(.tooManyResults, "'limit' may be at most \(hub.limits.maxPage)")
    }
    guard limit > 0 || (counts && allowsZero) else {
      throw .badRequest("'limit' may be 0 only together with count=true")
    }
    let offset = try items.integer("offset", in: 0...hub.limits.maxOffset) ?? 0
    return (Page(limit: limit, offset: offset), counts)
  }

  /// Adds the count header and the links to the pages before and after.
  func addPaging(_ response: inout APIResponse, page: Page, total: Int?, hasMore: Bool, path: String) {
    if let total { response.headers[first: HeaderName.resultsCount] = String(total) }
    guard page.limit > 0, request.method == .GET else { return }
    // Who follows a link names the map in a header; without it, each page would make a map of its own.
    let rest = items.encoded(without: Parameters.entityMap.union(["limit", "offset"]))
    // The media type of the page (clause 6.3.10).
    let type = response.headers[first: HeaderName.contentType] ?? MediaType.json.rawValue
    func link(_ offset: Int, _ relation: String) -> String {
      let query = (rest.isEmpty ? "" : rest + "&") + "limit=\(page.limit)&offset=\(offset)"
      return "</ngsi-ld/v1\(path)?\(query)>; rel=\"\(relation)\"; type=\"\(type)\""
    }
    if page.offset > 0 {
      response.headers.add(name: HeaderName.link, value: link(max(0, page.offset - page.limit), "prev"))
    }
    if hasMore { response.headers.add(name: HeaderName.link, value: link(page.offset + page.limit, "next")) }
  }
}
