import Hub
import NGSI
import Query
import Store

/// Puts together instances that several have of one history (ETSI GS CIM 009 clauses 4.5.5 and 5.7.3.4).
///
/// Two instances of different versions are one when they have the same dataset, and the same time or `instanceId`; the one
/// that was changed later stays.
struct HistoryMerging {
  private let property: TemporalFilter.Property
  /// All that was added; `nil` when nothing was.
  private(set) var whole: Entity?

  init(_ query: EvolutionQuery) { property = query.time?.property ?? .observedAt }

  mutating func add(_ entity: Entity, onlyWhereNothingIs: Bool = false) {
    guard var known = whole else { return whole = entity }
    for type in entity.types where !known.types.contains(type) { known.types.append(type) }
    known.createdAt = [known.createdAt, entity.createdAt].compactMap(\.self).min()
    known.modifiedAt = [known.modifiedAt, entity.modifiedAt].compactMap(\.self).max()
    for set in entity.attributes {
      var instances = known[attribute: set.name]?.instances ?? []
      // Instances of one version are all its own, whatever their times.
      var places: [Key: Int] = [:]
      for (place, instance) in instances.enumerated() {
        for key in keys(instance, of: set.name) { places[key] = place }
      }
      for instance in set.instances {
        guard let place = keys(instance, of: set.name).lazy.compactMap({ places[$0] }).first else {
          instances.append(instance)
          continue
        }
        guard !onlyWhereNothingIs, let mine = instance.modifiedAt else { continue }
        if instances[place].modifiedAt.map({ $0 < mine }) ?? true { instances[place] = instance }
      }
      known[attribute: set.name] = AttributeSet(name: set.name, instances: instances)
    }
    whole = known
  }

  private enum Key: Hashable {
    case instance(datasetId: String?, String)
    case time(datasetId: String?, DateTime)
    /// Tells apart instances that have no time of their own. Of scopes, that is what holds from the beginning.
    case value(datasetId: String?, DateTime?, JSON)
  }

  private func keys(_ instance: Attribute, of name: String) -> [Key] {
    let dataset = instance.datasetId
    let byTime: Key =
      if let own = instance.time(property) { .time(datasetId: dataset, own) } else {
        .value(datasetId: dataset, name == Core.scope ? nil : instance.order(property), instance.value)
      }
    return instance.instanceId.map { [.instance(datasetId: dataset, $0), byTime] } ?? [byTime]
  }
}

/// The span that an answer with histories covers where it is cut short (clause 6.3.10).
public struct HistoryCut: Sendable, Hashable {
  public var from: DateTime
  public var to: DateTime

  init(_ span: (from: DateTime, to: DateTime)) {
    (from, to) = (min(span.from, span.to), max(span.from, span.to))
  }
}

/// Brings histories that were put together into the order that was asked for, and leaves out what was not.
struct HistoryShaping {
  private let query: EvolutionQuery
  private let property: TemporalFilter.Property
  /// What all of several answers cover: what lies beyond it is left for the next question.
  let cut: HistoryCut?
  private(set) var beyondCut: [String: [String: AttributeKind]]

  /// - Parameter cuts: of the answers that were cut short.
  init(_ query: EvolutionQuery, _ cuts: [HistoryCut], beyondCut: [String: [String: AttributeKind]] = [:]) {
    self.query = query
    self.beyondCut = beyondCut
    property = query.time?.property ?? .observedAt
    guard var common = cuts.first else {
      cut = nil
      return
    }
    for one in cuts {
      common.from = query.newestFirst ? max(common.from, one.from) : min(common.from, one.from)
      common.to = query.newestFirst ? max(common.to, one.to) : min(common.to, one.to)
    }
    cut = common
  }

  mutating func shaped(_ entity: Entity) -> Entity {
    let wanted = Set(query.attributes)
    var entity = entity
    entity.attributes = entity.attributes.compactMap { set in
      guard wanted.isEmpty || wanted.contains(set.name) else { return nil }
      let all = set.instances.filter(isWanted)
      var instances = all.filter(isInSpan)
      if let kind = all.first?.kind, instances.isEmpty { beyondCut[entity.id, default: [:]][set.name] = kind }
      let newestFirst = query.newestFirst
      let places = instances.enumerated().sorted { left, right in
        let (mine, theirs) = (left.element.order(property), right.element.order(property))
        if mine == theirs { return left.offset < right.offset }
        return newestFirst ? theirs < mine : mine < theirs
      }
      instances = places.map(\.element)
      if let count = query.lastN, instances.count > count {
        instances = newestFirst ? Array(instances.prefix(count)) : Array(instances.suffix(count))
      }
      let isShown = !instances.isEmpty || beyondCut[entity.id]?[set.name] != nil
      return isShown ? AttributeSet(name: set.name, instances: instances) : nil
    }
    return entity
  }

  private func isInSpan(_ instance: Attribute) -> Bool {
    guard let cut else { return true }
    let time = instance.order(property)
    return query.newestFirst ? cut.from <= time : time <= cut.to
  }

  private func isWanted(_ instance: Attribute) -> Bool {
    query.datasetIds.isEmpty || query.datasetIds.contains(instance.datasetId ?? "@none")
  }
}

extension SourceAnswer {
  /// How far an answer that was cut short goes, by its `Content-Range`; `nil` where it does not say so, or where nothing
  /// of it lies in that span, so that whoever goes on from there would come no further.
  func cut(of histories: [Entity], _ query: EvolutionQuery) -> HistoryCut? {
    guard let text = header("Content-Range")?.split(separator: "/").first,
      let middle = text.firstRange(of: "Z-"), let space = text.firstIndex(of: " "), space < middle.lowerBound,
      let first = DateTime(String(text[text.index(after: space)...middle.lowerBound])),
      let second = DateTime(String(text[middle.upperBound...]))
    else { return nil }
    let cut = HistoryCut((first, second))
    let property = query.time?.property ?? .observedAt
    let reaches = histories.contains { history in
      history.attributes.contains { set in
        set.instances.contains { instance in
          let time = instance.order(property)
          return query.newestFirst ? cut.from <= time : time <= cut.to
        }
      }
    }
    return reaches ? cut : nil
  }
}

extension Attribute {
  func time(_ property: TemporalFilter.Property) -> DateTime? {
    switch property {
    case .observedAt: observedAt
    case .createdAt: createdAt
    case .modifiedAt: modifiedAt
    case .deletedAt: deletedAt
    }
  }

  /// The time that places it in an answer about a property.
  func order(_ property: TemporalFilter.Property) -> DateTime {
    time(property) ?? observedAt ?? deletedAt ?? modifiedAt ?? createdAt ?? DateTime(microseconds: 0)
  }
}
