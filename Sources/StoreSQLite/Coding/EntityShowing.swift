import NGSI
import Store

// A stored entity as the normalized form shows it, without making an `Entity`: most of an answer are names and values,
// which go from the page of the file straight into the text. What the form looks like is the `EntityWriter`'s alone.

/// Names by number as one context compacts them, as far as they have been asked for.
struct ShownNames {
  let context: Context
  private var names: [String?] = []

  init(_ context: Context) { self.context = context }

  @inline(__always)
  mutating func name(
    _ number: Int64, iri: (Int64) throws(StoreError) -> String
  ) throws(StoreError) -> String {
    if number >= 0, number < names.count, let name = names[Int(number)] { return name }
    return try look(number, iri: iri)
  }

  private mutating func look(
    _ number: Int64, iri: (Int64) throws(StoreError) -> String
  ) throws(StoreError) -> String {
    let name = context.compact(try iri(number))
    if number >= 0, number < Names.limit {
      let missing = Int(number) + 1 - names.count
      if missing > 0 { names.append(contentsOf: repeatElement(nil, count: missing)) }
      names[Int(number)] = name
    }
    return name
  }
}

extension ByteReader {
  /// Writes the entity that stands here.
  ///
  /// - Parameters:
  ///   - form: one that takes parts.
  ///   - names: of the form's context.
  ///   - time: an entity that has expired by then is not written.
  /// - Returns: whether it was written.
  mutating func show(
    as form: EntityWriter, _ names: inout ShownNames, at time: DateTime, embeddedContext: JSON?,
    to writer: inout JSONWriter, iri: (Int64) throws(StoreError) -> String
  ) throws(StoreError) -> Bool {
    let entity = try head(iri: iri)
    if let expires = entity.expiresAt, expires <= time { return false }
    form.open(entity, to: &writer)
    try descend()
    for _ in 0..<(try count()) {
      let number = Int64(truncatingIfNeeded: try unsigned())
      try showInstances(number, as: form, &names, to: &writer, iri: iri)
    }
    ascend()
    form.close(embeddedContext: embeddedContext, to: &writer)
    return true
  }

  /// Writes an attribute whose name has been read.
  private mutating func showInstances(
    _ number: Int64, as form: EntityWriter, _ names: inout ShownNames, to writer: inout JSONWriter,
    iri: (Int64) throws(StoreError) -> String
  ) throws(StoreError) {
    writer.key(try names.name(number, iri: iri))
    let instances = try count()
    if instances == 1 { return try showInstance(as: form, &names, to: &writer, iri: iri) }
    form.openInstances(to: &writer)
    for _ in 0..<instances {
      writer.separate()
      try showInstance(as: form, &names, to: &writer, iri: iri)
    }
    form.closeInstances(to: &writer)
  }

  private mutating func showInstance(
    as form: EntityWriter, _ names: inout ShownNames, to writer: inout JSONWriter,
    iri: (Int64) throws(StoreError) -> String
  ) throws(StoreError) {
    let (kind, flags) = try instanceHead()
    form.openInstance(of: kind, to: &writer)
    if form.keepsValue(of: kind) {
      try showJSON(to: &writer)
    } else {
      form.write(try json(), of: kind, to: &writer)
    }
    form.writeMembers(of: try members(of: kind, flags, iri: iri), to: &writer)
    if flags.contains(.subAttributes) {
      try descend()
      for _ in 0..<(try count()) {
        let number = Int64(truncatingIfNeeded: try unsigned())
        let name = try iri(number)
        if EntityWriter.isSeal(name) {
          form.writeSubAttribute(AttributeSet(name: name, instances: try instances(iri: iri)), to: &writer)
        } else {
          try showInstances(number, as: form, &names, to: &writer, iri: iri)
        }
      }
      ascend()
    }
    form.closeInstance(to: &writer)
  }

  /// Writes the JSON value that stands here.
  private mutating func showJSON(to writer: inout JSONWriter) throws(StoreError) {
    switch try byte() {
    case 0: writer.write(JSON.null)
    case 1: writer.write(JSON.bool(false))
    case 2: writer.write(JSON.bool(true))
    case 3: writer.write(try signed())
    case 4: writer.write(Double(bitPattern: try fixed()))
    case 5: writer.json(try slice())
    case 6: writer.write(utf8: try slice())
    case 7:
      try descend()
      writer.open("[")
      for _ in 0..<(try count()) {
        writer.separate()
        try showJSON(to: &writer)
      }
      writer.close("]")
      ascend()
    case 8:
      try descend()
      writer.open("{")
      for _ in 0..<(try count()) {
        writer.key(utf8: try slice())
        try showJSON(to: &writer)
      }
      writer.close("}")
      ascend()
    default: throw ByteReader.damaged
    }
  }
}
