import NGSI
import Store

/// How grants may be.
public struct GrantSettings: Sendable, Hashable {
  /// People other than who asks and who gets it that have to approve.
  public var approvals = 1
  /// Longest time of a grant, in seconds.
  public var longest = 30 * 86_400.0
  /// Longest time of one that is taken, in seconds.
  public var longestBreakGlass = 4 * 3600.0
  /// One that was taken is to be reviewed so many seconds after it was.
  public var review = 72 * 3600.0

  public init() {}
}

/// Reads what clients ask for.
struct GrantParser {
  let settings: GrantSettings
  let now: DateTime

  private static let longestText = 1000
  private static let mostThings = 100
  private static let mostAttributes = 100
  /// What may be granted.
  private static let actions: [HubAction] = [.read, .create, .update, .delete]
  private static let members: Set<String> = [
    "grantee", "purpose", "incident", "legalBasis", "reason", "actions", "things", "attributes", "command", "from",
    "to", "recorded", "breakGlass",
  ]

  /// - Throws: `BadRequestData` that names the member.
  func grant(_ object: JSONObject, id: String, by caller: Caller, in tenant: Tenant) throws(Problem) -> Grant {
    if let other = object.members.first(where: { !Self.members.contains($0.key) }) {
      throw .badRequest("a grant has no '\(other.key.prefix(60))'")
    }
    let isBreakGlass = object["breakGlass"] == true
    guard object["breakGlass"].map({ $0.bool != nil }) ?? true else {
      throw .badRequest("'breakGlass' is true or false")
    }
    let what = try self.what(object)
    if case .command = what, isBreakGlass { throw .badRequest("a command is approved, the glass is not broken for it") }
    let (from, to) = try times(object, longest: isBreakGlass ? settings.longestBreakGlass : settings.longest)
    guard !isBreakGlass || from <= now else { throw .badRequest("who breaks the glass needs it now: leave out 'from'") }
    var grantee = Grant.Grantee.party(caller.kind, id: caller.id)
    if let named = object["grantee"] {
      guard let read = Grant.Grantee(json: named) else {
        throw .badRequest("'grantee' has 'id' with 'kind' Person, Client or Device, or 'agency', or 'role'")
      }
      grantee = read
    }
    guard !isBreakGlass || grantee == .party(caller.kind, id: caller.id) else {
      throw .badRequest("the glass is broken for oneself: leave out 'grantee'")
    }
    let incident = try optional("incident", object)
    if let incident, !IRI.isAbsolute(incident) { throw .badRequest("'incident' must be the URI of an entity") }
    let step = Grant.Step(
      kind: isBreakGlass ? .breakGlass : .request, by: Grant.Party(caller), at: now, note: try text("reason", object))
    return Grant(
      id: id, tenant: tenant, grantee: grantee, purpose: try text("purpose", object), incident: incident,
      legalBasis: try text("legalBasis", object), what: what, from: from, to: to,
      recorded: try recorded(object["recorded"]), state: isBreakGlass ? .approved : .requested, steps: [step])
  }

  private func what(_ object: JSONObject) throws(Problem) -> Grant.What {
    if let command = object["command"] {
      guard object["things"] == nil, object["actions"] == nil, object["attributes"] == nil else {
        throw .badRequest("a grant is for a 'command', or for 'actions' on 'things'")
      }
      return .command(try Grant.Command(command))
    }
    let names = object["actions"]?.items ?? [.string(HubAction.read.rawValue)]
    var actions: [HubAction] = []
    for name in names {
      guard let action = name.string.flatMap(HubAction.init(rawValue:)), Self.actions.contains(action) else {
        throw .badRequest("'actions' are of read, create, update, delete")
      }
      if !actions.contains(action) { actions.append(action) }
    }
    guard let items = object["things"]?.array, (1...Self.mostThings).contains(items.count), !actions.isEmpty else {
      throw .badRequest("'things' says which entities are meant, \(Self.mostThings) at most")
    }
    var things: [Grant.Thing] = []
    for item in items { things.append(try thing(item)) }
    let attributes = object["attributes"]?.items ?? []
    guard attributes.count <= Self.mostAttributes, attributes.allSatisfy({ $0.string?.isEmpty == false }) else {
      throw .badRequest("'attributes' are \(Self.mostAttributes) names at most")
    }
    return .access(actions, things, attributes: attributes.compactMap(\.string).map { Context.core.expand($0) })
  }

  private func thing(_ json: JSON) throws(Problem) -> Grant.Thing {
    guard case .object(let object) = json, !object.isEmpty,
      object.members.allSatisfy({ ["id", "type", "scope"].contains($0.key) })
    else { throw .badRequest("a thing has 'id', 'type' or 'scope', or several of them") }
    let thing = Grant.Thing(
      id: try optional("id", object), type: try optional("type", object).map { Context.core.expand($0) },
      scope: try optional("scope", object))
    if let id = thing.id, !IRI.isAbsolute(id) { throw .badRequest("the 'id' of a thing is a URI") }
    if let scope = thing.scope, !scope.hasPrefix("/") || scope.hasSuffix("/") {
      throw .badRequest("the 'scope' of a thing begins with / and does not end with it")
    }
    return thing
  }

  private func times(_ object: JSONObject, longest: Double) throws(Problem) -> (DateTime, DateTime) {
    func time(_ name: String) throws(Problem) -> DateTime? {
      guard let text = try optional(name, object) else { return nil }
      guard let time = DateTime(text) else {
        throw .badRequest("'\(name)' must be a time such as 2026-01-31T12:00:00Z")
      }
      return time
    }
    let from = max(try time("from") ?? now, now)
    guard let to = try time("to") else { throw .badRequest("'to' says when the grant ends") }
    guard to > from else { throw .badRequest("the grant would end before it begins") }
    let seconds = to.secondsSince1970 - from.secondsSince1970
    guard seconds <= longest else {
      throw .badRequest("the grant would last for \(Int(seconds)) seconds; \(Int(longest)) are the most")
    }
    return (from, to)
  }

  /// The span in which what may be seen was recorded: it may lie before the grant, for what happened then.
  private func recorded(_ json: JSON?) throws(Problem) -> Grant.Recorded? {
    guard let json else { return nil }
    guard let object = json.object, object.members.allSatisfy({ ["from", "to"].contains($0.key) }),
      let from = object["from"]?.string.flatMap({ DateTime($0) }),
      let to = object["to"]?.string.flatMap({ DateTime($0) }),
      from < to
    else { throw .badRequest("'recorded' has the times 'from' and 'to', the first before the second") }
    return Grant.Recorded(from: from, to: to)
  }

  private func text(_ name: String, _ object: JSONObject) throws(Problem) -> String {
    guard let text = try optional(name, object) else { throw .badRequest("a grant needs '\(name)'") }
    return text
  }

  private func optional(_ name: String, _ object: JSONObject) throws(Problem) -> String? {
    guard let value = object[name] else { return nil }
    guard let text = value.string, !text.isEmpty, text.utf8.count <= Self.longestText else {
      throw .badRequest("'\(name)' is a text of at most \(Self.longestText) bytes")
    }
    return text
  }
}
