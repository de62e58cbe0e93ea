import NGSI
import Query

/// Writes the temporal evolution of entities (clauses 4.5.6 to 4.5.9 and 4.5.19).
public struct EvolutionWriter: Sendable {
  public enum Form: Sendable, Hashable {
    case normalized
    case concise
    /// `[[value, time], …]` for each attribute.
    case simplified
    case aggregated(Aggregation, from: DateTime?, to: DateTime?)

    /// Whether instances are shown whole, with their `instanceId`.
    public var showsInstances: Bool {
      switch self {
      case .normalized, .concise: true
      case .simplified, .aggregated: false
      }
    }
  }

  let context: Context
  let form: Form
  let systemAttributes: Bool
  /// Which of its times stands beside a value.
  let timeProperty: TemporalFilter.Property
  let languages: [String]

  public init(
    context: Context, form: Form, systemAttributes: Bool = false, timeProperty: TemporalFilter.Property = .observedAt,
    languages: [String] = []
  ) {
    self.context = context
    self.form = form
    self.systemAttributes = systemAttributes
    self.timeProperty = timeProperty
    self.languages = languages
  }

  private var entityWriter: EntityWriter {
    var representation = Representation(
      form == .concise ? .concise : .normalized, systemAttributes: systemAttributes, languages: languages)
    representation.showsDeletion = timeProperty == .deletedAt
    return EntityWriter(context: context, representation: representation)
  }

  /// - Parameter kinds: those of attributes that stand in the entity without instances (``EvolutionPage/beyondCut``).
  /// - Throws: ``Problem`` when the aggregation would make too many periods.
  public func write(
    _ view: EntityView, kinds: [String: AttributeKind] = [:], embeddedContext: JSON? = nil, to writer: inout JSONWriter
  ) throws(Problem) {
    let entity = view.entity
    writer.open("{")
    writeHead(of: entity, hidesId: view.hidesId, hidesType: view.hidesType, to: &writer)
    if systemAttributes {
      for (key, time) in [
        ("createdAt", entity.createdAt), ("modifiedAt", entity.modifiedAt), ("deletedAt", entity.deletedAt),
      ] {
        guard let time else { continue }
        writer.key(key)
        writer.write(time.description)
      }
    }
    for set in entity.attributes { try write(set, kind: kinds[set.name], to: &writer) }
    if let embeddedContext {
      writer.key("@context" as StaticString)
      writer.write(embeddedContext)
    }
    writer.close("}")
  }

  func writeHead(of entity: Entity, hidesId: Bool, hidesType: Bool, to writer: inout JSONWriter) {
    if !hidesId {
      writer.key("id" as StaticString)
      writer.write(entity.id)
    }
    if !hidesType {
      writer.key("type" as StaticString)
      let types = entity.types.map { JSON.string(context.compact($0)) }
      writer.write(types.count == 1 ? types[0] : .array(types))
    }
  }

  private func write(_ set: AttributeSet, kind: AttributeKind?, to writer: inout JSONWriter) throws(Problem) {
    writer.key(context.compact(set.name))
    switch form {
    case .normalized, .concise:
      let single = entityWriter
      writer.open("[")
      for instance in set.instances {
        writer.separate()
        single.write(instance, to: &writer)
      }
      writer.close("]")
    case .simplified:
      try each(set, kind: kind, to: &writer) { kind, instances, writer throws(Problem) in
        let single = entityWriter
        writer.key(kind.temporalValuesMember)
        writer.open("[")
        for instance in instances {
          writer.separate()
          writer.open("[")
          writer.write(single.shown(instance))
          writer.separate()
          if let time = time(of: instance) { writer.write(time) } else { writer.write("") }
          writer.close("]")
        }
        writer.close("]")
      }
    case .aggregated(let aggregation, let from, let to):
      try each(set, kind: kind, to: &writer) { _, instances, writer throws(Problem) in
        let timed = instances.compactMap { instance in time(of: instance).map { ($0, instance.value) } }
        for (method, values) in try aggregation.aggregate(timed, from: from, to: to) {
          writer.key(method.rawValue)
          writer.open("[")
          for value in values {
            writer.separate()
            writer.write([value.value, .string(value.from.description), .string(value.to.description)])
          }
          writer.close("]")
        }
      }
    }
  }

  /// One object for each kind and `datasetId` of the set; an array of them when there are several.
  private func each(
    _ set: AttributeSet, kind: AttributeKind?, to writer: inout JSONWriter,
    _ body: (AttributeKind, [Attribute], inout JSONWriter) throws(Problem) -> Void
  ) throws(Problem) {
    var groups: [(kind: AttributeKind, datasetId: String?, instances: [Attribute])] = []
    for instance in set.instances {
      let shown = instance.inLanguage(languages)
      if let last = groups.indices.last(where: {
        groups[$0].kind == shown.kind && groups[$0].datasetId == shown.datasetId
      }) {
        groups[last].instances.append(shown)
      } else {
        groups.append((shown.kind, shown.datasetId, [shown]))
      }
    }
    if let kind, groups.isEmpty { groups = [(kind, nil, [])] }
    if groups.count != 1 { writer.open("[") }
    for group in groups {
      if groups.count != 1 { writer.separate() }
      writer.open("{")
      writer.key("type" as StaticString)
      writer.write(group.kind.rawValue)
      if let datasetId = group.datasetId {
        writer.key("datasetId" as StaticString)
        writer.write(datasetId)
      }
      try body(group.kind, group.instances, &writer)
      writer.close("}")
    }
    if groups.count != 1 { writer.close("]") }
  }

  /// Whether an entity may be written value by value (``ValueWriter``).
  var takesValues: Bool { form == .simplified && languages.isEmpty && timeProperty == .observedAt }

  private func time(of instance: Attribute) -> DateTime? {
    switch timeProperty {
    case .observedAt: instance.observedAt ?? instance.modifiedAt
    case .createdAt: instance.createdAt
    case .modifiedAt: instance.modifiedAt
    case .deletedAt: instance.deletedAt
    }
  }
}
