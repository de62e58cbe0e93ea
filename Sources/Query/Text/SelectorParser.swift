import NGSI
import Patterns

extension EntitySelector {
  /// Reads one member of `entities` (clause 5.2.33).
  public init(json: JSON, context: Context) throws(Problem) {
    self.init()
    guard let object = json.object else { throw .badRequest("a member of 'entities' must be a JSON object") }
    if let type = try Member.text("type", of: object, in: "an entity selector") {
      types = try TypeSelection(type, context: context)
    }
    for item in object["id"]?.items ?? [] {
      guard let id = item.string, IRI.isAbsolute(id) else {
        throw .badRequest("'id' of an entity selector must be a URI or an array of URIs")
      }
      ids.append(id)
      guard ids.count <= QueryLimits.terms else {
        throw Problem(.tooComplexQuery, "an entity selector may have at most \(QueryLimits.terms) ids")
      }
    }
    if let pattern = try Member.text("idPattern", of: object, in: "an entity selector") {
      idPattern = try Self.checkedPattern(pattern)
    }
  }

  /// Reads an `entities` array; `nil` types mean any.
  public static func list(json: JSON, context: Context) throws(Problem) -> [EntitySelector] {
    guard case .array(let items) = json, !items.isEmpty, items.count <= QueryLimits.terms else {
      throw .badRequest("'entities' must be an array of 1 to \(QueryLimits.terms) selectors")
    }
    var selectors: [EntitySelector] = []
    for item in items { selectors.append(try EntitySelector(json: item, context: context)) }
    return selectors
  }

  /// The pattern, if it is a regular expression that can be used.
  public static func checkedPattern(_ pattern: String) throws(Problem) -> String {
    do { _ = try Pattern.cached(pattern) } catch {
      throw .badRequest("idPattern '\(pattern.prefix(80))' cannot be used: \(error.detail)")
    }
    return pattern
  }
}
