import NGSI

extension Procedure.Title {
  public init(json: JSON?, _ path: String) throws(Problem) {
    let fields = try Fields(json, path, only: ["ko", "en"])
    self.init(korean: try fields.text("ko", most: 500), english: try fields.text("en", most: 500))
  }

  public var json: JSON { .object(JSONObject(of: ["ko": .string(korean), "en": .string(english)])) }
}

extension Procedure {
  /// Reads a procedure, as it stands in a manifest or in a record.
  ///
  /// - Throws: `BadRequestData` with the member's name.
  public init(json: JSON?, _ path: String = "procedure") throws(Problem) {
    let fields = try Fields(json, path, only: ["id", "title", "categories", "steps"])
    try self.init(
      id: fields.text("id", most: 100), title: Title(json: fields.object["title"], path + ".title"),
      categories: fields.texts("categories", most: 100),
      steps: fields.list("steps", most: Self.mostSteps) { json, path throws(Problem) in try Step(json: json, path) })
  }

  public var json: JSON {
    .object(
      JSONObject(of: [
        "id": .string(id), "title": title.json,
        "categories": categories.isEmpty ? nil : .array(categories.map(JSON.string)),
        "steps": .array(steps.map(\.json)),
      ]))
  }
}

extension Procedure.Step {
  init(json: JSON?, _ path: String) throws(Problem) {
    let fields = try Fields(json, path, only: ["id", "title", "roles", "after", "within", "if", "maySkip"])
    let condition = try fields.optional("if", most: 1_000)
    var read: Procedure.Condition?
    if let condition {
      do throws(Problem) { read = try Procedure.Condition(condition) } catch {
        throw .badRequest("'\(path).if': \(error.detail)")
      }
    }
    self.init(
      id: try fields.text("id", most: 100), title: try Procedure.Title(json: fields.object["title"], path + ".title"),
      roles: try fields.texts("roles", most: 20), after: try fields.texts("after", most: 50),
      within: try fields.number("within", in: 0...(30 * 86_400)), condition: read,
      maySkip: try fields.flag("maySkip") ?? true)
  }

  public var json: JSON {
    .object(
      JSONObject(of: [
        "id": .string(id), "title": title.json, "roles": roles.isEmpty ? nil : .array(roles.map(JSON.string)),
        "after": after.isEmpty ? nil : .array(after.map(JSON.string)), "within": within.map(JSON.double),
        "if": condition.map { .string($0.text) }, "maySkip": maySkip ? nil : false,
      ]))
  }
}
