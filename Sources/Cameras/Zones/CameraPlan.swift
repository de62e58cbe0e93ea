import City
import NGSI
import Vision

/// What a city has laid down for one camera: rules for parts of its picture, and parts that nobody may see. Data of the city, read
/// from a file in YAML or JSON (`docs/cctv.md` describes it).
public struct CameraPlan: Sendable, Hashable {
  public var zones: [Zone]
  /// Parts of the picture that are covered before it is shown or kept; 0 to 1, as in zones.
  public var masks: [Polygon]

  public init(zones: [Zone] = [], masks: [Polygon] = []) {
    self.zones = zones
    self.masks = masks
  }
}

extension CameraPlan {
  private static let part = Shape.number(0...1)
  private static let point = Shape.list(part, count: 2...2)
  private static let polygon = Shape.list(point, count: 3...100)
  private static let seconds = Shape.number(0...86_400)

  /// What a plan's file looks like.
  public static let shape = Shape.object([
    .optional(
      "zones",
      .list(
        .object([
          .required("id", .pattern("[a-z0-9][a-z0-9-]{0,59}", example: "yard"), "of the zone, once in a file"),
          .required("rule", .choice(Zone.Name.allCases.map(\.rawValue)), "what is looked for"),
          .optional("area", polygon, "corners, parts of the picture's width and height; not for lines"),
          .optional("line", .list(point, count: 2...2), "begin and end, likewise; for lines alone"),
          .optional(
            "direction", .choice(Zone.Direction.allCases.map(\.rawValue)),
            "as seen from the line's begin to its end; both where it is not said"),
          .optional("dwell", seconds, "seconds for which it must last"),
          .optional("people", .integer(2...10_000), "how many are a crowd"),
          .optional("away", part, "parts of the picture's height that people are away from an abandoned object"),
          .optional("inertia", seconds, "seconds before it counts as ended, or a line as crossed"),
          .optional("leastHeight", part, "of people who count, in parts of the picture's height"),
        ]), count: 0...200), "rules for parts of the picture"),
    .optional("masks", .list(polygon, count: 0...100), "parts of the picture that are never shown or kept"),
  ])

  /// Seconds of dwell where a file says none.
  static func usualDwell(_ rule: Zone.Name) -> Double {
    switch rule {
    case .intrusion: 0.5
    case .lineCrossing: 0
    case .loitering: 60
    case .crowd: 5
    case .abandonedObject: 60
    }
  }

  /// Reads a plan's file.
  /// - Throws: ``FileProblems`` with file, line, key, what was found and what was expected.
  public init(path: String) throws(FileProblems) {
    try self.init(file: try YAMLReader.read(path: path, as: Self.shape))
  }

  /// Reads a plan's text; `file` is the name that errors show.
  /// - Throws: ``FileProblems``
  public init(text: String, file: String) throws(FileProblems) {
    try self.init(file: try YAMLReader.read(text: text, file: file, as: Self.shape))
  }

  private init(file: CheckedFile) throws(FileProblems) {
    var problems: [FileProblem] = []
    zones = []
    for (index, json) in (file.value["zones"]?.array ?? []).enumerated() {
      let path = "zones[\(index)]"
      guard let zone = Self.zone(json, path, file, &problems) else { continue }
      if zones.contains(where: { $0.id == zone.id }) {
        problems.append(file.problem(at: path + ".id", found: "'\(zone.id)' again", expected: "an id of its own"))
      }
      zones.append(zone)
    }
    masks = (file.value["masks"]?.array ?? []).map { Self.polygon($0) }
    if !problems.isEmpty { throw FileProblems(problems) }
  }

  private static func zone(
    _ json: JSON, _ path: String, _ file: CheckedFile, _ problems: inout [FileProblem]
  ) -> Zone? {
    guard let id = json["id"]?.string, let name = json["rule"]?.string.flatMap(Zone.Name.init) else { return nil }
    let allowed: Set<String> =
      switch name {
      case .intrusion, .loitering: ["area", "dwell"]
      case .lineCrossing: ["line", "direction"]
      case .crowd: ["area", "people", "dwell"]
      case .abandonedObject: ["area", "dwell", "away"]
      }
    var isRight = true
    for key in ["area", "line", "direction", "dwell", "people", "away"] where json[key] != nil && !allowed.contains(key)
    {
      let known = allowed.sorted().joined(separator: ", ")
      problems.append(
        file.problem(at: "\(path).\(key)", found: "a key of other rules", expected: "for \(name.rawValue): \(known)"))
      isRight = false
    }
    for key in allowed.intersection(["area", "line", "people"]).sorted() where json[key] == nil {
      problems.append(file.problem(at: path, found: "no '\(key)'", expected: "'\(key)', which \(name.rawValue) needs"))
      isRight = false
    }
    guard isRight else { return nil }
    let area = json["area"].map(polygon) ?? Polygon([])
    let dwell = json["dwell"]?.number ?? usualDwell(name)
    let rule: Zone.Rule
    switch name {
    case .intrusion: rule = .intrusion(area: area, dwell: dwell)
    case .loitering: rule = .loitering(area: area, dwell: dwell)
    case .crowd: rule = .crowd(area: area, people: Int(json["people"]?.integer ?? 2), dwell: dwell)
    case .abandonedObject:
      rule = .abandonedObject(area: area, dwell: dwell, away: json["away"]?.number ?? 0.15)
    case .lineCrossing:
      let line = polygon(json["line"] ?? .null).corners
      guard line.count == 2, line[0] != line[1] else {
        problems.append(file.problem(at: path + ".line", found: "one point", expected: "two different points"))
        return nil
      }
      let direction = json["direction"]?.string.flatMap(Zone.Direction.init) ?? .both
      rule = .lineCrossing(begin: line[0], end: line[1], direction: direction)
    }
    return Zone(
      id: id, rule: rule, inertia: json["inertia"]?.number ?? Zone.usualInertia(name),
      leastHeight: json["leastHeight"]?.number ?? 0)
  }

  private static func polygon(_ json: JSON) -> Polygon {
    Polygon(
      (json.array ?? []).compactMap { corner in
        guard let numbers = corner.array, numbers.count == 2, let x = numbers[0].number, let y = numbers[1].number
        else {
          return nil
        }
        return Point(x: x, y: y)
      })
  }
}
