import NGSI
import Store

/// Input that was refused, as it is reported.
public struct RefusedInput: Sendable {
  /// Where it came in: the operation of the API, an ingest door, a connector.
  public var door: String
  /// From whom: an address, a connector's name.
  public var source: String
  public var tenant: Tenant
  public var problem: Problem
  public var entityId: String?
  /// The first bytes of what came.
  public var sample: String

  public init(
    door: String, source: String, tenant: Tenant, problem: Problem, entityId: String? = nil, sample: String = ""
  ) {
    self.door = door
    self.source = source
    self.tenant = tenant
    self.problem = problem
    self.entityId = entityId
    self.sample = sample
  }
}

/// One line of the verification history: all input that one source was refused at one door for one reason.
public struct Refusal: Sendable, Hashable, Identifiable {
  public var id: String
  public var tenant: Tenant
  public var door: String
  public var source: String
  /// Type of the problem, such as `BadRequestData`.
  public var problem: String
  /// The latest problem's own words.
  public var detail: String
  public var count: Int
  public var firstAt: DateTime
  public var lastAt: DateTime
  /// Some of the entities it was about, latest first.
  public var entityIds: [String]
  /// The first bytes of the latest input.
  public var sample: String

  static let mostIds = 5
  static let mostDetail = 1_000
  static let mostSample = 512
}

extension Refusal {
  /// What makes two refusals one line: the words of the problem without what changes from input to input (what stands
  /// in quotes, numbers, URIs).
  static func reason(_ detail: String) -> String {
    var reason = ""
    for word in detail.prefix(400).split(separator: " ") {
      if word.contains("://") || word.hasPrefix("urn:") {
        reason += "… "
        continue
      }
      var last: Character?
      for character in word {
        let shown: Character = character.isNumber ? "#" : character
        if shown != "#" || last != "#" { reason.append(shown) }
        last = shown
      }
      reason.append(" ")
    }
    var masked = ""
    var isQuoted = false
    for character in reason {
      if character == "'" || character == "\"" {
        isQuoted.toggle()
        if isQuoted { masked += "'…'" }
      } else if !isQuoted {
        masked.append(character)
      }
    }
    return masked
  }

  var json: JSON {
    [
      "id": .string(id), "tenant": .string(tenant.name), "door": .string(door), "source": .string(source),
      "problem": .string(problem), "detail": .string(detail), "count": .integer(Int64(count)),
      "firstAt": .string(firstAt.description), "lastAt": .string(lastAt.description),
      "entityIds": .array(entityIds.map(JSON.string)), "sample": .string(sample),
    ]
  }

  init?(_ document: StoredDocument) {
    let body = document.body
    guard let first = body["firstAt"]?.string.flatMap({ DateTime($0) }),
      let last = body["lastAt"]?.string.flatMap({ DateTime($0) }), let count = body["count"]?.integer
    else { return nil }
    func text(_ name: String) -> String { body[name]?.string ?? "" }
    self.init(
      id: document.id, tenant: Tenant(text("tenant")), door: text("door"), source: text("source"),
      problem: text("problem"), detail: text("detail"), count: Int(count), firstAt: first, lastAt: last,
      entityIds: (body["entityIds"]?.array ?? []).compactMap(\.string), sample: text("sample"))
  }
}
