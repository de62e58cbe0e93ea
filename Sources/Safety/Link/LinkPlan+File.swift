import AgencyLink
import City
import Incidents
import NGSI

extension LinkPlan {
  private static let secret = Shape.object([
    .optional("file", .text(maxLength: 500), "a file, beside the manifest where its path is relative"),
    .optional("env", .pattern("[A-Z_][A-Z0-9_]{0,99}", example: "LINK_119_KEY"), "an environment variable"),
  ])
  private static let code = Shape.pattern("[A-Za-z0-9._-]{1,16}", example: "FIRE000000")
  private static let category = "[a-z0-9][a-z0-9-]{0,59}"

  /// What `links` of a plan look like.
  static let shape = Shape.list(
    .object([
      .required("id", .pattern("[a-z0-9][a-z0-9-]{0,59}", example: "119-dispatch"), "of the linked service"),
      .required(
        "name",
        .object([
          .required("ko", .text(maxLength: 200), "in Korean"), .required("en", .text(maxLength: 200), "in English"),
        ]), "what people read"),
      .required("party", .text(maxLength: 200), "the agency as incidents and dispatches name it"),
      .required("city", code, "sendCd of the city"),
      .required("agency", code, "sendCd of the agency"),
      .required("system", code, "sysCd of the city's system"),
      .required(
        "events", .map(.text(maxLength: 64), keyPattern: category, count: 1...200),
        "evtId by category: of these it is told, and these it tells of"),
      .optional("from", .choice(Severity.allCases.map(\.rawValue)), "it is told from this severity on"),
      .optional(
        "states",
        .object(
          ServiceLink.Happening.allCases.map { happening in
            .optional(
              happening.rawValue, .choice(OccurrenceStatus.allCases.map(\.rawValue) + ["none"]),
              "what is said then; \(happening.usual.rawValue) where it is not said")
          }), "what is said at which command"),
      .optional(
        "grades", .object(Severity.allCases.map { .optional($0.rawValue, .text(maxLength: 16), "evtGrad") }),
        "evtGrad by severity"),
      .optional(
        "peer", .text(maxLength: 500), "URL of the far side without a path; nothing is sent where there is none"),
      .optional("login", secret, "the key with which the city logs in there"),
      .optional("loginPath", .text(maxLength: 500), "path of logins there"),
      .optional("eventPath", .text(maxLength: 500), "path of events there"),
      .optional("exercise", .flag, "whether the far side is one of exercises; false where it is not said"),
      .optional("format", .choice(["json", "form"]), "how messages leave"),
      .optional("dialect", .choice(Message.Dialect.allCases.map(\.rawValue)), "how they are written"),
      .optional(
        "encryption", .choice(["none"] + BodyCipher.Encoding.allCases.map(\.rawValue)),
        "of bodies with ARIA-256, in both directions"),
      .optional("key", secret, "the key of bodies"),
      .optional(
        "takes",
        .object([
          .optional("login", secret, "the key with which the agency logs in here"),
          .optional("addresses", .list(.text(maxLength: 60), count: 1...100), "where it comes from: 10.1.0.0/16"),
          .optional("certificate", .text(maxLength: 200), "the device whose certificate it shows"),
        ]), "how the agency proves itself; nothing is taken from it where this is not said"),
    ]), count: 0...LinkedServices.bound)

  /// Reads the links of a plan.
  ///
  /// - Parameter categories: those of the plan.
  /// - Throws: `BadRequestData` with the member's name.
  init(json: JSON?, categories: Set<String>) throws(Problem) {
    guard let json, json != .null else {
      self.init()
      return
    }
    guard let items = json.array else { throw .badRequest("'links' is a list") }
    let wires: LinkedServices
    do throws(MessageError) {
      wires = try LinkedServices(json: ["services": .array(items.map(Self.wire))])
    } catch {
      throw .badRequest(error.description.replacing("services[", with: "links["))
    }
    var links: [ServiceLink] = []
    for (index, (item, wire)) in zip(items, wires.services).enumerated() {
      links.append(try ServiceLink(json: item, "links[\(index)]", wire, categories: categories))
    }
    // A session, and what is real or not, are told apart by the agency's code.
    for (index, link) in links.enumerated() {
      for other in links[..<index] where other.wire.agency == link.wire.agency {
        guard other.isExercise == link.isExercise else {
          throw .badRequest(
            "'links[\(index)].agency': \(link.wire.agency) is real by one link, and of exercises by another")
        }
        guard other.proof == nil || link.proof == nil || other.proof == link.proof else {
          throw .badRequest(
            "'links[\(index)].takes': \(link.wire.agency) proves itself in another way by '\(other.id)'")
        }
      }
    }
    self.init(links)
  }

  /// The part of a link that the messages are made of.
  private static func wire(_ item: JSON) -> JSON {
    let names: Set = [
      "id", "name", "city", "agency", "system", "format", "dialect", "encryption", "loginPath", "eventPath",
    ]
    let members = (item.object?.members ?? []).filter { names.contains($0.key) }
    var wire = JSONObject(uniqueMembers: members)
    wire["events"] = .array((item["events"]?.object?.members ?? []).map(\.value))
    return .object(wire)
  }
}

extension ServiceLink {
  private static let members: Set<String> = [
    "id", "name", "party", "city", "agency", "system", "events", "from", "states", "grades", "peer", "login",
    "loginPath", "eventPath", "exercise", "format", "dialect", "encryption", "key", "takes",
  ]

  fileprivate init(json: JSON, _ path: String, _ wire: LinkedService, categories: Set<String>) throws(Problem) {
    let fields = try Fields(json, path, only: Self.members)
    self.wire = wire
    agency = try fields.text("party", most: 200)
    isExercise = try fields.flag("exercise") ?? false
    from = try fields.choice("from")
    events = [:]
    for member in fields.object["events"]?.object?.members ?? [] {
      guard categories.contains(member.key) else {
        throw .badRequest("'\(path).events': there is no category '\(member.key.prefix(60))'")
      }
      events[member.key] = member.value.string ?? ""
    }
    states = [:]
    let said = try Fields(
      fields.object["states"] ?? [:], path + ".states", only: Set(Happening.allCases.map(\.rawValue)))
    for happening in Happening.allCases {
      guard let text = try said.optional(happening.rawValue, most: 10) else { continue }
      guard text != "none" else {
        states[happening] = .some(nil)
        continue
      }
      guard let status = OccurrenceStatus(rawValue: text) else {
        throw .badRequest("'\(path).states.\(happening.rawValue)' is one of 10, 40, 50, 90, 91, none")
      }
      states[happening] = status
    }
    grades = [:]
    let graded = try Fields(
      fields.object["grades"] ?? [:], path + ".grades", only: Set(Severity.allCases.map(\.rawValue)))
    for severity in Severity.allCases { grades[severity] = try graded.optional(severity.rawValue, most: 16) }
    peer = try fields.optional("peer", most: 500)
    loginKey = try Self.secret(fields, "login", path)
    bodyKey = try Self.secret(fields, "key", path)
    guard (wire.encryption == .none) == (bodyKey == nil) else {
      throw .badRequest("'\(path).key' is there where 'encryption' is, and only there")
    }
    if let peer {
      guard Self.isPeer(peer) else {
        throw .badRequest("'\(path).peer' is an http or https URL without user, path and query")
      }
      guard wire.loginPath.hasPrefix("/"), wire.eventPath.hasPrefix("/") else {
        throw .badRequest("'\(path).loginPath' and 'eventPath' begin with a slash")
      }
      guard loginKey != nil else {
        throw .badRequest("'\(path).login' is missing: the far side gives no session without")
      }
    }
    proof = try fields.object["takes"].map { json throws(Problem) in try Proof(json: json, path + ".takes") }
  }

  private static func isPeer(_ url: String) -> Bool {
    guard let scheme = ["http://", "https://"].first(where: { url.lowercased().hasPrefix($0) }) else { return false }
    let rest = url.dropFirst(scheme.count)
    return !rest.isEmpty && !rest.contains { "/?#@\\ ".contains($0) } && rest.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
  }

  fileprivate static func secret(_ fields: Fields, _ name: String, _ path: String) throws(Problem) -> Secret? {
    guard let json = fields.object[name] else { return nil }
    let place = try Fields(json, "\(path).\(name)", only: ["file", "env"])
    switch (try place.optional("file", most: 500), try place.optional("env", most: 100)) {
    case (let file?, nil): return .file(file)
    case (nil, let name?): return .environment(name)
    default: throw .badRequest("'\(path).\(name)' is {file: …} or {env: …}")
    }
  }
}

extension ServiceLink.Proof {
  fileprivate init(json: JSON, _ path: String) throws(Problem) {
    let fields = try Fields(json, path, only: ["login", "addresses", "certificate"])
    key = try ServiceLink.secret(fields, "login", path)
    addresses = []
    for text in try fields.texts("addresses", most: 100) {
      guard let range = AddressRange(text) else {
        throw .badRequest("'\(path).addresses': '\(text.prefix(60))' is no address, and none with a number of bits")
      }
      addresses.append(range)
    }
    certificate = try fields.optional("certificate", most: 200)
    guard key != nil || !addresses.isEmpty || certificate != nil else {
      throw .badRequest("'\(path)' says nothing: anybody could be the agency")
    }
  }
}
