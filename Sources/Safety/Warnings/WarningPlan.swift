import CAP
import City
import Incidents
import NGSI

/// Who warns in the city's name, and how its districts are called.
public struct WarningPlan: Sendable, Hashable {
  public struct District: Sendable, Hashable {
    public var code: String
    public var name: Procedure.Title
    public var ring: CAPAlert.Polygon
  }

  /// CAP's `sender`: told apart from all others in the world, such as an address of the city's.
  public var sender: String
  public var name: Procedure.Title
  /// The list that codes of districts are of (`valueName` of geocodes).
  public var geocode: String
  public var districts: [District]
  /// Category of incidents by CAP's, for warnings of others that are taken as reports.
  public var categories: [CAPAlert.Info.Category: String]
}

extension WarningPlan {
  private static let title = Shape.object([
    .required("ko", .text(maxLength: 200), "in Korean"), .required("en", .text(maxLength: 200), "in English"),
  ])

  /// What `warnings` of a plan looks like.
  static let shape = Shape.object([
    .required("sender", .pattern("[^ ,<&]{1,200}", example: "safety@city.example"), "who warns, for CAP"),
    .required("name", title, "who warns, for people"),
    .optional("geocode", .text(maxLength: 100), "the list that codes of districts are of"),
    .optional(
      "districts",
      .list(
        .object([
          .required("code", .text(maxLength: 60), "of the district"), .required("name", title, "of the district"),
          .required(
            "ring", .list(.position, count: 4...CAPAlert.Polygon.bound), "its border; the last point is the first"),
        ]), count: 0...1_000), "districts that can be warned by their code"),
    .optional(
      "categories",
      .object(
        CAPAlert.Info.Category.allCases.map {
          .optional($0.rawValue, .pattern("[a-z0-9][a-z0-9-]{0,59}", example: "fire"), "category of incidents")
        }), "what warnings of others are about, as reports of incidents"),
  ])

  /// - Parameter categories: those of the plan.
  /// - Throws: `BadRequestData` with the member's name.
  init(json: JSON, categories known: Set<String>) throws(Problem) {
    let fields = try Fields(json, "warnings", only: ["sender", "name", "geocode", "districts", "categories"])
    sender = try fields.text("sender", most: 200)
    guard CAPAlert.isName(sender) else { throw .badRequest("'warnings.sender' has no spaces, commas, < and &") }
    name = try Procedure.Title(json: fields.object["name"], "warnings.name")
    geocode = try fields.optional("geocode", most: 100) ?? "DISTRICT"
    districts = try fields.list("districts", most: 1_000) { json, path throws(Problem) in
      let fields = try Fields(json, path, only: ["code", "name", "ring"])
      let points = (fields.object["ring"]?.array ?? []).compactMap { CAPAlert.Point(geoJSON: $0) }
      return District(
        code: try fields.text("code", most: 60), name: try Procedure.Title(json: fields.object["name"], path + ".name"),
        ring: try CAPAlert.Polygon(points, at: path + ".ring"))
    }
    guard Set(districts.map(\.code)).count == districts.count else {
      throw .badRequest("'warnings.districts' has one code twice")
    }
    categories = [:]
    let named = try Fields(
      fields.object["categories"] ?? [:], "warnings.categories",
      only: Set(CAPAlert.Info.Category.allCases.map(\.rawValue)))
    for category in CAPAlert.Info.Category.allCases {
      guard let id = try named.optional(category.rawValue, most: 100) else { continue }
      guard known.contains(id) else { throw .badRequest("'warnings.categories': there is no category '\(id)'") }
      categories[category] = id
    }
  }
}

extension CAPAlert.Point {
  /// `[longitude, latitude]`; a height is passed over.
  init?(geoJSON: JSON) {
    guard let position = geoJSON.array, (2...3).contains(position.count), let x = position[0].number,
      let y = position[1].number
    else { return nil }
    self.init(latitude: y, longitude: x)
  }

  var geoJSON: JSON { [.double(longitude), .double(latitude)] }
}

extension CAPAlert.Polygon {
  /// - Throws: `BadRequestData` that names the member.
  init(_ points: [CAPAlert.Point], at path: String) throws(Problem) {
    do throws(Fault) { try self.init(points) } catch { throw .badRequest("'\(path)' \(error.words)") }
  }
}
