import CAP
import Incidents
import NGSI

/// What somebody wants people to be warned of, before it becomes a message.
struct WarningDraft: Sendable {
  static let members: Set<String> = [
    "id", "incident", "exercise", "test", "scope", "restriction", "addresses", "note", "category", "responseTypes",
    "urgency", "severity",
    "certainty", "onset", "expires", "web", "contact", "info", "areas",
  ]
  /// Seconds that a warning may last.
  static let longest = 30.0 * 86_400

  var scope: CAPAlert.Scope
  var restriction: String?
  var addresses: [String]
  var note: String?
  /// In each language one, with all but their time.
  var infos: [CAPAlert.Info]
  var expires: DateTime

  /// Reads a draft.
  ///
  /// - Parameters:
  ///   - incident: what it is about: its category and severity are used where nothing is said.
  ///   - time: now.
  /// - Throws: `BadRequestData` with the member's name.
  init(json: JSON, _ plan: WarningPlan, incident: Incident?, title: Procedure.Title?, at time: DateTime) throws(Problem)
  {
    let fields = try Fields(json, "", only: Self.members)
    scope = try fields.choice("scope") ?? .open
    restriction = try fields.optional("restriction", most: 1_000)
    addresses = try fields.texts("addresses", most: 200)
    note = try fields.optional("note")
    guard (scope == .restricted) == (restriction != nil), (scope == .closed) == !addresses.isEmpty else {
      throw .badRequest("'restriction' belongs to the scope Restricted, and 'addresses' to Private")
    }
    let categories: [CAPAlert.Info.Category] = try Self.choices(fields, "category")
    guard !categories.isEmpty else { throw .badRequest("'category' is a list of CAP's categories, with one at least") }
    var common = CAPAlert.Info(
      categories: categories, event: "", urgency: try fields.need("urgency", fields.choice("urgency")),
      severity: try fields.choice("severity") ?? incident.flatMap { .init(rawValue: $0.severity.rawValue) } ?? .unknown,
      certainty: try fields.need("certainty", fields.choice("certainty")))
    common.responses = try Self.choices(fields, "responseTypes")
    common.effective = time
    common.onset = try fields.time("onset")
    expires = try fields.need("expires", fields.time("expires"))
    guard expires > time, expires <= time.adding(seconds: Self.longest) else {
      throw .badRequest("'expires' is a time after now, within 30 days")
    }
    if let onset = common.onset, onset > expires { throw .badRequest("'onset' comes after 'expires'") }
    common.expires = expires
    common.web = try fields.optional("web", most: 1_000)
    if let web = common.web, !web.hasPrefix("https://"), !web.hasPrefix("http://") {
      throw .badRequest("'web' is a URL")
    }
    common.contact = try fields.optional("contact", most: 500)
    let texts = try Self.texts(fields, title)
    infos = []
    for (language, text) in texts {
      var info = common
      info.language = language
      info.event = text.event
      info.headline = text.headline
      info.description = text.description
      info.instruction = text.instruction
      info.senderName = language.hasPrefix("ko") ? plan.name.korean : plan.name.english
      info.areas = try Self.areas(fields, plan, language)
      infos.append(info)
    }
  }

  private static func choices<Value: RawRepresentable & CaseIterable>(_ fields: Fields, _ name: String) throws(Problem)
    -> [Value] where Value.RawValue == String
  {
    var values: [Value] = []
    for text in try fields.texts(name, most: Value.allCases.count) {
      guard let value = Value(rawValue: text) else {
        throw .badRequest("'\(name)' has only \(Value.allCases.map(\.rawValue).joined(separator: ", "))")
      }
      values.append(value)
    }
    return values
  }

  private struct Text {
    var event: String
    var headline: String?
    var description: String?
    var instruction: String?
  }

  private static func texts(_ fields: Fields, _ title: Procedure.Title?) throws(Problem) -> [(String, Text)] {
    let texts = try fields.list("info", most: 10) { json, path throws(Problem) -> (String, Text) in
      let fields = try Fields(json, path, only: ["language", "event", "headline", "description", "instruction"])
      let language = try fields.text("language", most: 20)
      let isTag = language.split(separator: "-", omittingEmptySubsequences: false).allSatisfy {
        (1...8).contains($0.utf8.count)
          && $0.utf8.allSatisfy { $0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A || $0 >= 0x30 && $0 <= 0x39 }
      }
      guard isTag, language.first?.isLetter == true else {
        throw .badRequest("'\(path).language' is a language such as ko-KR")
      }
      return (
        language,
        Text(
          event: try fields.text("event", most: 200), headline: try fields.optional("headline", most: 500),
          description: try fields.optional("description"), instruction: try fields.optional("instruction"))
      )
    }
    guard Set(texts.map { $0.0.lowercased() }).count == texts.count else {
      throw .badRequest("'info' has one language twice")
    }
    if !texts.isEmpty { return texts }
    guard let title else { throw .badRequest("'info' is a list of what is said in each language, with one at least") }
    return [("ko-KR", Text(event: title.korean)), ("en-US", Text(event: title.english))]
  }

  private static func areas(_ fields: Fields, _ plan: WarningPlan, _ language: String) throws(Problem) -> [CAPAlert
    .Area]
  {
    let isKorean = language.hasPrefix("ko")
    let areas = try fields.list("areas", most: 100) { json, path throws(Problem) -> CAPAlert.Area in
      let fields = try Fields(json, path, only: ["description", "polygon", "circle", "geocodes", "district"])
      let district: WarningPlan.District?
      if let code = try fields.optional("district", most: 60) {
        district = plan.districts.first { $0.code == code }
        guard district != nil else { throw .badRequest("'\(path).district': the plan has no district '\(code)'") }
      } else {
        district = nil
      }
      var area = CAPAlert.Area(description: "")
      switch fields.object["description"] {
      case nil: area.description = district.map { isKorean ? $0.name.korean : $0.name.english } ?? ""
      case .object?:
        let title = try Procedure.Title(json: fields.object["description"], path + ".description")
        area.description = isKorean ? title.korean : title.english
      default: area.description = try fields.text("description", most: 500)
      }
      guard !area.description.isEmpty else { throw .badRequest("'\(path).description' is missing") }
      if let district {
        area.geocodes.append(.init(plan.geocode, district.code))
        area.polygons.append(district.ring)
      }
      if let polygon = fields.object["polygon"] { area.polygons += try rings(polygon, path + ".polygon") }
      if let circle = fields.object["circle"] {
        let part = try Fields(circle, path + ".circle", only: ["longitude", "latitude", "radius"])
        let point = CAPAlert.Point(
          latitude: try part.need("latitude", part.number("latitude", in: -90...90)),
          longitude: try part.need("longitude", part.number("longitude", in: -180...180)))
        let metres = try part.need("radius", part.number("radius", in: 1...1_000_000))
        guard let read = CAPAlert.Circle(centre: point, radius: metres / 1_000) else {
          throw .badRequest("'\(path).circle'")
        }
        area.circles.append(read)
      }
      area.geocodes += try fields.list("geocodes", most: 50) { json, path throws(Problem) in
        let part = try Fields(json, path, only: ["name", "value"])
        return .init(try part.text("name", most: 100), try part.text("value", most: 100))
      }
      guard !area.polygons.isEmpty || !area.circles.isEmpty || !area.geocodes.isEmpty else {
        throw .badRequest("'\(path)' has neither polygon, circle, district nor geocodes")
      }
      return area
    }
    guard !areas.isEmpty else { throw .badRequest("'areas' says where, with one area at least") }
    return areas
  }

  private static func rings(_ json: JSON, _ path: String) throws(Problem) -> [CAPAlert.Polygon] {
    let polygons: [JSON]
    switch json["type"]?.string {
    case "Polygon": polygons = json["coordinates"].map { [$0] } ?? []
    case "MultiPolygon": polygons = json["coordinates"]?.array ?? []
    default: throw .badRequest("'\(path)' is a Polygon or a MultiPolygon (GeoJSON)")
    }
    guard (1...100).contains(polygons.count) else { throw .badRequest("'\(path)' has 1 to 100 rings") }
    var rings: [CAPAlert.Polygon] = []
    for polygon in polygons {
      guard let lines = polygon.array, lines.count == 1, let positions = lines[0].array else {
        throw .badRequest("'\(path)' has a ring and no holes: CAP knows none")
      }
      let points = positions.prefix(CAPAlert.Polygon.bound + 1).compactMap { CAPAlert.Point(geoJSON: $0) }
      guard points.count == min(positions.count, CAPAlert.Polygon.bound + 1) else {
        throw .badRequest("'\(path)' has a position that is none")
      }
      rings.append(try CAPAlert.Polygon(points, at: path))
    }
    return rings
  }
}
