import City
import Incidents
import NGSI

/// What happens in a simulated city in one shift: calls and devices that raise alarms, units that can be sent, cameras, and what a
/// simulated operator does where nobody else does. Synthetic throughout; a city that is live has none.
public struct Evening: Sendable {
  /// Something that stands or drives in the city.
  struct Thing: Sendable {
    var id: String
    var name: String
    var agency: String?
    var place: Position
    /// Metres in a second.
    var speed: Double
  }

  struct Event: Sendable {
    enum What: Sendable {
      case report(Report)
      /// A device of the hub that raises an alarm: type, attribute, name and place.
      case device(type: String, attribute: String, Thing)
      /// Done by the simulated operator, where the incident still allows it.
      case command(Command)
      /// The incident goes on as that of another source.
      case merge(into: String)
    }

    /// Seconds since the beginning, or since the incident was opened that it is about.
    var after: Double
    var what: What
    /// The source whose incident it is about.
    var of: String?
  }

  let cameras: [Thing]
  let units: [Thing]
  let events: [Event]

  static let shape = Shape.object([
    .optional(
      "cameras",
      .list(
        .object([
          .required("id", .pattern("[A-Za-z0-9-]{1,60}", example: "cam-1"), "of the camera"),
          .required("name", .text(maxLength: 100), "what people call it"), .required("at", .position, "where it hangs"),
        ]), count: 0...1_000), "cameras"),
    .optional(
      "units",
      .list(
        .object([
          .required("id", .pattern("[A-Za-z0-9-]{1,60}", example: "pump-1"), "of the unit"),
          .required("name", .text(maxLength: 100), "what it is called when it is sent"),
          .required("agency", .text(maxLength: 60), "whose it is"), .required("at", .position, "where it stands"),
          .optional("speed", .number(0.5...60), "metres in a second; 11 where it is not said"),
        ]), count: 0...500), "units that can be sent"),
    .required(
      "events",
      .list(
        .object([
          .required(
            "after", .number(0...86_400), "seconds since the beginning, or since that incident"),
          .optional("source", .text(maxLength: 200), "who reports"),
          .optional(
            "channel", .choice(Report.Channel.allCases.map(\.rawValue)),
            "how it comes; a telephone"),
          .optional("category", .text(maxLength: 100), "what is reported"),
          .optional("severity", .choice(Severity.allCases.map(\.rawValue)), "as it is reported"),
          .optional("at", .position, "where"), .optional("uncertainty", .number(0...5_000), "metres"),
          .optional("address", .text(maxLength: 300), "where, in words"),
          .optional("text", .text(maxLength: 1_000), "what is said"),
          .optional("contact", .text(maxLength: 60), "who is called back"),
          .optional("silent", .flag, "who calls must not be heard"),
          .optional("device", .text(maxLength: 100), "type of a device of the hub that raises the alarm"),
          .optional("attribute", .text(maxLength: 100), "its attribute that becomes true"),
          .optional("of", .text(maxLength: 200), "the source whose incident something is done about"),
          .optional(
            "do", .choice(["acknowledge", "assign", "dispatch", "step", "note", "tell", "merge", "resolve", "close"]),
            "what the simulated operator does"),
          .optional("into", .text(maxLength: 200), "the source with whose incident it is merged"),
          .optional("unit", .text(maxLength: 100), "name of the unit that is sent"),
          .optional("agency", .text(maxLength: 60), "its agency"),
          .optional("step", .text(maxLength: 60), "that is done"),
          .optional("outcome", .choice(Command.Outcome.Kind.allCases.map(\.rawValue)), "how it ends"),
        ]), count: 1...1_000), "what happens"),
  ])

  /// Reads the file of an evening.
  ///
  /// - Parameters:
  ///   - seed: of the city; the same seed gives the same evening.
  /// - Throws: ``FileProblems`` with file, line, key, what was found and what was expected.
  public init(path: String, seed: UInt64) throws(FileProblems) {
    let file = try YAMLReader.read(path: path, as: Self.shape)
    do throws(Problem) { try self.init(json: file.value, seed: seed) } catch {
      throw FileProblems([file.problem(at: "", found: error.detail, expected: "an evening that can be played")])
    }
  }

  init(json: JSON, seed: UInt64) throws(Problem) {
    func things(_ name: String) throws(Problem) -> [Thing] {
      var things: [Thing] = []
      for one in json[name]?.array ?? [] {
        things.append(
          Thing(
            id: one["id"]?.string ?? "", name: one["name"]?.string ?? "", agency: one["agency"]?.string,
            place: try Self.place(one["at"]), speed: one["speed"]?.number ?? 11))
      }
      return things
    }
    cameras = try things("cameras")
    units = try things("units")
    var events: [Event] = []
    for (index, one) in (json["events"]?.array ?? []).enumerated() {
      let of = one["of"]?.string
      events.append(
        Event(
          after: (one["after"]?.number ?? 0) * Self.shift(of ?? "\(index)", seed), what: try Self.what(one, index),
          of: of))
    }
    self.events = events
  }

  /// Evenings differ by their seed, each time by a fifth at most; what is done about one incident keeps its order.
  private static func shift(_ name: String, _ seed: UInt64) -> Double {
    var hash = seed ^ 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    hash ^= hash >> 29
    return 0.8 + 0.4 * Double(hash % 1_000) / 1_000
  }

  private static func place(_ json: JSON?) throws(Problem) -> Position {
    guard let pair = json?.array, pair.count == 2, let longitude = pair[0].number, let latitude = pair[1].number,
      let place = Position(longitude: longitude, latitude: latitude)
    else { throw .badRequest("'at' is a position [longitude, latitude]") }
    return place
  }

  private static func what(_ one: JSON, _ index: Int) throws(Problem) -> Event.What {
    let text = one["text"]?.string
    if let name = one["do"]?.string {
      guard one["of"]?.string != nil else { throw .badRequest("event \(index + 1): 'of' says about which incident") }
      if name == "merge" {
        guard let into = one["into"]?.string else { throw .badRequest("event \(index + 1): 'merge' has 'into'") }
        return .merge(into: into)
      }
      return .command(try command(name, one, index))
    }
    if let type = one["device"]?.string {
      guard let attribute = one["attribute"]?.string, let source = one["source"]?.string else {
        throw .badRequest("event \(index + 1): a device has 'attribute' and 'source', the end of its id")
      }
      return .device(
        type: type, attribute: attribute,
        Thing(id: source, name: text ?? source, agency: nil, place: try place(one["at"]), speed: 0))
    }
    guard let category = one["category"]?.string, let source = one["source"]?.string else {
      throw .badRequest("event \(index + 1): it is a report with 'category' and 'source', a 'device', or 'do'")
    }
    var report = Report(
      source: source, number: "evening \(index + 1)",
      channel: one["channel"]?.string.flatMap(Report.Channel.init(rawValue:)) ?? .voice, category: category,
      severity: one["severity"]?.string.flatMap(Severity.init(rawValue:)) ?? .unknown)
    if one["at"] != nil {
      let at = try place(one["at"])
      report.position = Position(
        longitude: at.longitude, latitude: at.latitude, uncertainty: one["uncertainty"]?.number)
    }
    report.address = one["address"]?.string
    report.text = text
    report.contact = one["contact"]?.string
    report.isSilent = one["silent"]?.bool ?? false
    return .report(report)
  }

  private static func command(_ name: String, _ one: JSON, _ index: Int) throws(Problem) -> Command {
    func need(_ member: String) throws(Problem) -> String {
      guard let text = one[member]?.string else { throw .badRequest("event \(index + 1): '\(name)' has '\(member)'") }
      return text
    }
    return switch name {
    case "acknowledge": .acknowledge
    case "assign": .assign(EveningPlayer.operator)
    case "dispatch":
      .dispatch(Dispatch(unit: try need("unit"), agency: try need("agency"), task: one["text"]?.string ?? ""))
    case "step": .step(id: try need("step"), .done(note: one["text"]?.string))
    case "note": .note(try need("text"), audience: [])
    case "tell": .tell(try need("text"))
    case "resolve":
      .resolve(.init(Command.Outcome.Kind(rawValue: try need("outcome")) ?? .handled, text: try need("text")))
    default: .close(summary: try need("text"))
    }
  }
}
