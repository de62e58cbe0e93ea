import Hummingbird
import NGSI

/// What every page has around its content.
enum PageFrame {
  /// - Parameters:
  ///   - template: name of the template, which fills the blocks of `layout`.
  ///   - title: text before the city's name in the window title; empty on the first page.
  ///   - section: which link of the navigation is the current one.
  ///   - strings: beginning of the keys of the texts that the page's modules need.
  static func answer(
    _ visit: Visit, template: String, title: String, section: String, content: [String: Any],
    strings: String = "js", status: HTTPResponse.Status = .ok
  ) -> Response {
    let room = visit.room
    let site = room.source.site
    let name = site.name.in(visit.language)
    let other = visit.language.other
    var page = content
    page["t"] = room.strings.table(visit.language)
    page["lang"] = visit.language.rawValue
    page["otherLang"] = other.rawValue
    page["otherLangHref"] = visit.path + "?" + visit.query.with(["lang": other.rawValue])
    page["static"] = "/static/\(room.resources.version)"
    page["title"] = title.isEmpty ? "\(name) · Madang" : "\(title) · \(name)"
    page["cityName"] = name
    page["cityNameOther"] = site.name.in(other) == name ? "" : site.name.in(other)
    page["otherLanguageTag"] = other.rawValue
    page["mode"] = site.mode.rawValue
    page["modeText"] = visit.text("mode_" + site.mode.rawValue)
    page["isSynthetic"] = site.mode == .simulated
    page["openAccess"] = site.openAccess
    page["clock"] = room.time.text(visit.now)
    page["clockOffset"] = room.time.offset(visit.now)
    page["nowMilliseconds"] = visit.now.microseconds / 1000
    page["timeZone"] = room.time.zone.identifier
    page["strings"] = JSONWriter.text(room.strings.scriptTable(visit.language, prefix: strings))
    page["section_\(section)"] = true
    // Who may not watch the city is not led to its pages.
    page["seesCity"] = room.source.reader?.mayWatch ?? true
    page["hasOperations"] = room.source.safety != nil
    page["homeHref"] = room.source.reader?.mayWatch == false ? "/grants" : "/"
    if let reader = room.source.reader {
      page["readerName"] = reader.agency.map { "\(reader.name) (\($0))" } ?? reader.name
      page["csrf"] = reader.csrf ?? ""
    }
    if room.assets.hasMap, let script = room.assets.address(Assets.mapName),
      let worker = room.assets.address(Assets.workerName), let style = room.assets.address("maplibre-gl.css")
    {
      page["map"] = ["mapScript": script, "mapWorker": worker, "mapStyle": style]
    }
    if room.assets.hasCharts, let script = room.assets.address(Assets.chartName) {
      page["charts"] = ["chartScript": script]
    }
    return Answer.html(room.render(template, page), visit, status: status)
  }
}

enum ErrorPage {
  static func notFound(_ visit: Visit) -> Response {
    problem(visit, .notFound, "notFound", path: Percent.decode(visit.path))
  }

  static func noEntity(_ visit: Visit, id: String) -> Response { problem(visit, .notFound, "noEntity", path: id) }

  static func failed(_ visit: Visit) -> Response { problem(visit, .internalServerError, "failed", path: "") }

  static func staleForm(_ visit: Visit) -> Response {
    problem(visit, .forbidden, "staleForm", path: "", back: visit.path)
  }

  static func tooLong(_ visit: Visit) -> Response {
    problem(visit, .contentTooLarge, "tooLong", path: "", back: visit.path)
  }

  /// - Parameter back: the page to go on with; the first one where it is not said.
  private static func problem(
    _ visit: Visit, _ status: HTTPResponse.Status, _ key: String, path: String, back: String? = nil
  ) -> Response {
    let title = visit.text(key + "Title")
    var content: [String: Any] = [
      "problemTitle": title, "problemText": visit.text(key + "Text"), "problemPath": String(path.prefix(300)),
      "problemStatus": "\(status.code)",
    ]
    if let back { content["problemBack"] = back }
    return PageFrame.answer(
      visit, template: "error", title: title, section: "none", content: content, status: status)
  }
}
