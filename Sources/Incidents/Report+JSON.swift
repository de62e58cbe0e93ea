import NGSI

extension Party {
  /// - Throws: `BadRequestData` with the member's name.
  public init(json: JSON?, _ path: String = "by") throws(Problem) {
    let fields = try Fields(json, path, only: ["kind", "id", "agency", "roles"])
    self.init(
      try fields.need("kind", fields.choice("kind")), id: try fields.optional("id", most: 500) ?? "",
      agency: try fields.optional("agency", most: 200), roles: try fields.texts("roles", most: 100))
  }

  public var json: JSON {
    .object(
      JSONObject(of: [
        "kind": .string(kind.rawValue), "id": id.isEmpty ? nil : .string(id), "agency": agency.map(JSON.string),
        "roles": roles.isEmpty ? nil : .array(roles.map(JSON.string)),
      ]))
  }
}

extension Position {
  /// - Throws: `BadRequestData` for what is no place on Earth.
  public init(json: JSON?, _ path: String) throws(Problem) {
    let fields = try Fields(json, path, only: ["longitude", "latitude", "uncertainty", "confidence"])
    let position = Position(
      longitude: try fields.need("longitude", fields.number("longitude", in: -180...180)),
      latitude: try fields.need("latitude", fields.number("latitude", in: -90...90)),
      uncertainty: try fields.number("uncertainty", in: 0...20_000_000),
      confidence: try fields.integer("confidence", in: 0...100))
    guard let position else { throw .badRequest("'\(path)' is no place on Earth") }
    self = position
  }

  public var json: JSON {
    .object(
      JSONObject(of: [
        "longitude": .double(longitude), "latitude": .double(latitude), "uncertainty": uncertainty.map(JSON.double),
        "confidence": confidence.map { .integer(Int64($0)) },
      ]))
  }
}

extension Report {
  private static let members: Set<String> = [
    "source", "number", "channel", "category", "severity", "observedAt", "position", "address", "text", "about",
    "contact", "silent", "doubts",
  ]

  /// - Throws: `BadRequestData` with the member's name.
  public init(json: JSON?, _ path: String = "report") throws(Problem) {
    let fields = try Fields(json, path, only: Self.members)
    var doubts: Set<Doubt> = []
    for name in try fields.texts("doubts", most: Doubt.allCases.count) {
      guard let doubt = Doubt(rawValue: name) else { throw .badRequest("'\(path).doubts' has no '\(name.prefix(60))'") }
      doubts.insert(doubt)
    }
    self.init(
      source: try fields.text("source", most: 200), number: try fields.text("number", most: 200),
      channel: try fields.need("channel", fields.choice("channel")), category: try fields.text("category", most: 100),
      severity: try fields.choice("severity") ?? .unknown, observedAt: try fields.time("observedAt"),
      position: fields.object["position"] == nil
        ? nil : try Position(json: fields.object["position"], path + ".position"),
      address: try fields.optional("address", most: 500), text: try fields.optional("text"),
      about: try fields.texts("about", most: 20), contact: try fields.optional("contact", most: 200),
      isSilent: try fields.flag("silent") ?? false, doubts: doubts)
  }

  public var json: JSON {
    .object(
      JSONObject(of: [
        "source": .string(source), "number": .string(number), "channel": .string(channel.rawValue),
        "category": .string(category), "severity": severity == .unknown ? nil : .string(severity.rawValue),
        "observedAt": observedAt.map { .string($0.description) }, "position": position?.json,
        "address": address.map(JSON.string), "text": text.map(JSON.string),
        "about": about.isEmpty ? nil : .array(about.map(JSON.string)), "contact": contact.map(JSON.string),
        "silent": isSilent ? true : nil,
        "doubts": doubts.isEmpty ? nil : .array(doubts.map(\.rawValue).sorted().map(JSON.string)),
      ]))
  }
}
