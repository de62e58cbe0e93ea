import Hub
import NGSI
import Query

/// One question to one source: what is asked for and registered, both (ETSI GS CIM 009 clause 4.3.6.1).
struct SourceAsk: Sendable, Hashable {
  var types: TypeSelection?
  var ids: [String] = []
  var idPattern: String?
  /// Expanded names; `nil` asks for all.
  var attributes: Set<String>?

  /// The questions that together ask a source for all that it has registered of what a query selects.
  static func all(_ match: SourceMatch, _ query: EntityQuery) throws(Problem) -> [SourceAsk] {
    var selectors = query.selectors
    if selectors.isEmpty {
      var selector = EntitySelector()
      (selector.ids, selector.idPattern, selector.types) = (query.ids, query.idPattern, query.types)
      selectors = [selector]
    }
    let wanted = Set(query.attributes)
    var asks: [SourceAsk] = []
    for part in match.information {
      var names: Set<String>? = wanted.isEmpty ? nil : wanted
      if !part.attributes.isEmpty { names = wanted.isEmpty ? part.attributes : part.attributes.intersection(wanted) }
      for selector in selectors {
        for ask in try questions(part, selector) {
          var ask = ask
          ask.attributes = names
          if !asks.contains(ask) { asks.append(ask) }
        }
      }
    }
    return asks
  }

  private static func questions(
    _ part: Registration.Information, _ selector: EntitySelector
  ) throws(Problem) -> [SourceAsk] {
    guard !part.entities.isEmpty else {
      return [SourceAsk(types: selector.types, ids: selector.ids, idPattern: selector.idPattern)]
    }
    var asks: [SourceAsk] = []
    var named = SourceAsk()
    var namedTypes: [String] = []
    var plainTypes: [String] = []
    for info in part.entities where try info.covers(selector) {
      let types = selector.types?.plainTypes.map { plain in info.types.filter(plain.contains) } ?? info.types
      if let id = info.id {
        if !named.ids.contains(id) { named.ids.append(id) }
        for type in types where !namedTypes.contains(type) { namedTypes.append(type) }
      } else if let pattern = info.idPattern {
        let ids = try info.ids(of: selector.ids)
        asks.append(
          SourceAsk(
            types: narrowed(selector.types, types), ids: ids,
            idPattern: ids.isEmpty ? selector.idPattern ?? pattern : nil))
      } else {
        for type in types where !plainTypes.contains(type) { plainTypes.append(type) }
      }
    }
    if !named.ids.isEmpty {
      named.types = narrowed(selector.types, namedTypes)
      asks.insert(named, at: 0)
    }
    if !plainTypes.isEmpty {
      asks.append(
        SourceAsk(
          types: narrowed(selector.types, plainTypes), ids: selector.ids,
          idPattern: selector.ids.isEmpty ? selector.idPattern : nil))
    }
    return asks
  }

  /// What is asked for, less the types that are not registered; a selection that combines types stays as it is.
  private static func narrowed(_ asked: TypeSelection?, _ types: [String]) -> TypeSelection? {
    if let asked, asked.plainTypes == nil, asked != .anything { return asked }
    return types.count == 1 ? .type(types[0]) : .any(types.map(TypeSelection.type))
  }
}

extension TypeSelection {
  /// The types of a selection that is a plain list of them.
  var plainTypes: [String]? {
    switch self {
    case .type(let type): return [type]
    case .any(let parts):
      var types: [String] = []
      for part in parts {
        guard case .type(let type) = part else { return nil }
        types.append(type)
      }
      return types
    case .all, .anything: return nil
    }
  }

  /// The selection as clause 4.17 writes it.
  func text(_ name: (String) -> String, isInner: Bool = false) -> String {
    switch self {
    case .type(let type): return name(type)
    case .anything: return "*"
    case .any(let parts):
      let text = parts.map { $0.text(name, isInner: true) }.joined(separator: ",")
      return isInner ? "(\(text))" : text
    case .all(let parts):
      let text = parts.map { $0.text(name, isInner: true) }.joined(separator: ";")
      return isInner ? "(\(text))" : text
    }
  }
}
