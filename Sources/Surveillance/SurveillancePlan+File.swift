import Cameras
import City
import Foundation
import Incidents
import NGSI
import Vision

extension SurveillancePlan {
  static let idPrefix = "urn:ngsi-ld:Camera:"

  private static let code = Shape.pattern("[a-z0-9][a-z0-9-]{0,59}", example: "gate-1")
  private static let days = Shape.number(0.01...3_650)
  private static let path = Shape.text(maxLength: 1_000)
  private static let secret = Shape.object([
    .optional("env", .pattern("[A-Za-z_][A-Za-z0-9_]{0,99}", example: "GATE_LOGIN"), "an environment variable"),
    .optional("file", path, "a file, relative to this one"),
  ])

  /// What the file looks like.
  public static let shape = Shape.object([
    .required(
      "keep",
      .object([
        .required("clips", days, "days for which clips of events stay"),
        .required("exports", days, "days for which what was exported can be fetched"),
        .optional(
          "gigabytes", .number(0.01...1_000_000), "room for clips, and again for exports; 20 where it is not said"),
        .required("source", .text(maxLength: 500), "the law or decision that says so"),
      ]), "how long video stays"),
    .optional(
      "events",
      .list(
        .object([
          .required("rule", .choice(Zone.Name.allCases.map(\.rawValue)), "of the cameras' zones"),
          .required("category", code, "of the incident that it is reported as"),
          .optional(
            "severity", .choice(Severity.allCases.map(\.rawValue)), "that of the category where it is not said"),
        ]), count: 0...20), "which rules raise an alarm; the others are only shown"),
    .required(
      "cameras",
      .list(
        .object([
          .required("id", code, "of the camera, once in a file"),
          .required(
            "name",
            .object([
              .required("ko", .text(maxLength: 200), "in Korean"), .required("en", .text(maxLength: 200), "in English"),
            ]), "what people read"),
          .required(
            "source", path,
            "an rtsp: or rtsps: address without name and password, or a video file that is played again and again"),
          .optional("login", secret, "where name:password is to be had"),
          .required("place", .position, "where it stands"),
          .optional(
            "bearing", .number(0...360), "degrees clockwise from north that it looks to; all round where it is not said"
          ),
          .optional("fieldOfView", .number(1...360), "degrees; 90 where it is not said"),
          .optional("range", .number(1...5_000), "metres at which people are seen; 100 where it is not said"),
          .optional("plan", path, "zones and masks of its picture, relative to this file"),
          .optional("scope", .pattern("(/[^/ ]{1,100}){1,10}", example: "/north"), "of its entity"),
          .optional("showsHeads", .flag, "heads are not made coarse; false where it is not said"),
          .optional(
            "synthetic", .flag, "nobody real is in its pictures, which need no grant then; false where it is not said"),
        ]), count: 1...500), "the city's cameras"),
  ])

  /// Reads the file, and the plans that it names.
  ///
  /// - Parameter categories: codes of incidents that the city knows.
  /// - Throws: ``FileProblems`` with file, line, key, what was found and what was expected.
  public init(path: String, categories: Set<String>) throws(FileProblems) {
    let file = try YAMLReader.read(path: path, as: Self.shape)
    let folder = URL(filePath: path).deletingLastPathComponent()
    var problems: [FileProblem] = []
    let keep = file.value["keep"]
    let day = 86_400.0
    let keeping = Keeping(
      clips: (keep?["clips"]?.number ?? 0) * day, exports: (keep?["exports"]?.number ?? 0) * day,
      most: Int((keep?["gigabytes"]?.number ?? 20) * 1e9))
    var reporting: [Zone.Name: Reporting] = [:]
    for (index, json) in (file.value["events"]?.array ?? []).enumerated() {
      guard let rule = json["rule"]?.string.flatMap(Zone.Name.init), let category = json["category"]?.string else {
        continue
      }
      if !categories.contains(category) {
        problems.append(
          file.problem(
            at: "events[\(index)].category", found: "'\(category)'", expected: "a category of the safety plan"))
      }
      let severity = json["severity"]?.string.flatMap(Severity.init) ?? .unknown
      reporting[rule] = Reporting(category: category, severity: severity)
    }
    var cameras: [Camera] = []
    for (index, json) in (file.value["cameras"]?.array ?? []).enumerated() {
      let key = "cameras[\(index)]"
      guard let camera = try Self.camera(json, key, file, folder, &problems) else { continue }
      if cameras.contains(where: { $0.id == camera.id }) {
        problems.append(
          file.problem(at: key + ".id", found: "'\(camera.shortName)' again", expected: "an id of its own"))
      }
      cameras.append(camera)
    }
    if !problems.isEmpty { throw FileProblems(problems) }
    self.init(cameras: cameras, reporting: reporting, keeping: keeping)
  }

  private static func camera(
    _ json: JSON, _ key: String, _ file: CheckedFile, _ folder: URL, _ problems: inout [FileProblem]
  ) throws(FileProblems) -> Camera? {
    guard let id = json["id"]?.string, let pair = json["place"]?.array, pair.count == 2,
      let longitude = pair[0].number, let latitude = pair[1].number,
      let place = Position(longitude: longitude, latitude: latitude), var source = json["source"]?.string
    else { return nil }
    if !source.contains("://") { source = URL(filePath: source, relativeTo: folder).absoluteURL.path }
    do throws(VideoError) { _ = try VideoSource(source) } catch {
      problems.append(
        file.problem(
          at: key + ".source", found: "'\(source.prefix(80))'", expected: "a file, an rtsp: or rtsps: address"))
    }
    if source.contains("://"), URLComponents(string: source)?.user != nil {
      problems.append(
        file.problem(at: key + ".source", found: "a name in the address", expected: "'login' with env or file"))
    }
    var login: Secret?
    if let said = json["login"] {
      switch (said["env"]?.string, said["file"]?.string) {
      case (let name?, nil): login = .environment(name)
      case (nil, let path?): login = .file(URL(filePath: path, relativeTo: folder).absoluteURL.path)
      default: problems.append(file.problem(at: key + ".login", found: "neither or both", expected: "'env' or 'file'"))
      }
    }
    let plan = try json["plan"]?.string.map { path throws(FileProblems) in
      try CameraPlan(path: URL(filePath: path, relativeTo: folder).absoluteURL.path)
    }
    return Camera(
      id: idPrefix + id, name: Name(ko: json["name"]?["ko"]?.string ?? id, en: json["name"]?["en"]?.string ?? id),
      source: source, login: login, place: place, bearing: json["bearing"]?.number,
      fieldOfView: json["fieldOfView"]?.number ?? 90, range: json["range"]?.number ?? 100, zones: plan?.zones ?? [],
      privacy: PrivacyPlan(masks: plan?.masks ?? [], hidesHeads: !(json["showsHeads"]?.bool ?? false)),
      scope: json["scope"]?.string, isSynthetic: json["synthetic"]?.bool ?? false)
  }
}
