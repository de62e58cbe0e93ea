import City
import Incidents
import NGSI

extension SafetyPlan {
  private static let title = Shape.object([
    .required("ko", .text(maxLength: 200), "in Korean"), .required("en", .text(maxLength: 200), "in English"),
  ])
  private static let code = Shape.pattern("[a-z0-9][a-z0-9-]{0,59}", example: "fire")
  private static let seconds = Shape.number(1...(30 * 86_400))
  private static let severity = Shape.choice(Severity.allCases.map(\.rawValue))

  /// What a plan's file looks like.
  public static let shape = Shape.object([
    .required(
      "categories",
      .list(
        .object([
          .required("id", code, "code of the category"), .required("title", title, "what people read"),
          .optional("severity", severity, "of reports that say nothing of it (CAP 1.2)"),
        ]), count: 1...500), "what incidents may be about"),
    .optional(
      "procedures",
      .list(
        .object([
          .required("id", code, "of the procedure"), .required("title", title, "what people read"),
          .optional("categories", .list(code, count: 1...100), "incidents that it is begun with"),
          .required(
            "steps",
            .list(
              .object([
                .required("id", code, "of the step"), .required("title", title, "what people read"),
                .optional(
                  "roles", .list(.text(maxLength: 60), count: 1...20), "who may do it; anybody where nobody is named"),
                .optional("after", .list(code, count: 1...50), "steps that come first"),
                .optional("within", seconds, "seconds in which it is to be done, from when it can be begun"),
                .optional("if", .text(maxLength: 1_000), "done only then: a query (q) on the incident's entity"),
                .optional("maySkip", .flag, "whether it may be skipped, with a reason; true where it is not said"),
              ]), count: 1...Procedure.mostSteps), "what is to be done"),
        ]), count: 0...500), "what is to be done about them"),
    .optional(
      "targets",
      .list(
        .object([
          .required("milestone", .choice(ResponseTargets.Milestone.allCases.map(\.rawValue)), "what is to come about"),
          .optional("categories", .list(code, count: 1...100), "of these alone"),
          .optional("from", severity, "from this severity on"),
          .required("within", seconds, "seconds from when the incident was opened"),
          .required("source", .text(maxLength: 300), "law, contract or plan that sets it"),
        ]), count: 0...500), "within which time"),
    .optional(
      "alarms",
      .list(
        .object([
          .required("type", .text(maxLength: 200), "type of the devices"),
          .required("when", .text(maxLength: 1_000), "what is an alarm: a query (q) on the device's entity"),
          .optional("channel", .choice(Report.Channel.allCases.map(\.rawValue)), "how it comes; a sensor"),
          .required("category", code, "of the incident"), .optional("severity", severity, "else the category's"),
        ]), count: 0...200), "devices of the hub that raise alarms"),
    .optional(
      "joining",
      .list(
        .object([
          .required("categories", .list(code, count: 1...100), "reports of these may be about one event"),
          .required("metres", .number(0...100_000), "between their places, besides what is not known of either"),
          .required("seconds", .number(0...604_800), "since the incident was last reported"),
          .optional("automatic", .flag, "joined without asking; false where it is not said"),
        ]), count: 0...500), "when reports are about one event"),
    .optional(
      "sameSource", .number(0...86_400),
      "seconds in which a sensor that reports again means the same; 600 where it is not said"),
    .optional("links", LinkPlan.shape, "what is exchanged with other agencies"),
    .optional("warnings", WarningPlan.shape, "who warns in the city's name"),
  ])

  /// Reads a plan's file.
  ///
  /// - Throws: ``FileProblems`` with file, line, key, what was found and what was expected.
  public init(path: String, centre: Position?, radius: Double) throws(FileProblems) {
    let file = try YAMLReader.read(path: path, as: Self.shape)
    do throws(Problem) { try self.init(json: file.value, centre: centre, radius: radius) } catch {
      throw FileProblems([file.problem(at: "", found: error.detail, expected: "a plan that holds together")])
    }
  }
}
