import NGSI
import Store

// A stored entity as the normalized form shows it, without making an `Entity`: most of an answer are names and values,
// which go from the page of the file straight into the text. What the form looks like is the `EntityWriter`'s alone.

/// Names by number as one context compacts them, as far as they have been asked for: JSON texts, one after the other.
struct ShownNames {
  let context: Context
  /// `"name":` of each.
  private var texts: [UInt8] = []
  /// Where the text of a number stands; empty when it has not been asked for.
  private var spans: [Range<Int32>] = []

  init(_ context: Context) { self.context = context }

  /// Writes `"name":`.
  @inline(__always)
  mutating func writeKey(
    _ number: Int64, to writer: inout JSONWriter, iri: (Int64) throws(StoreError) -> String
  ) throws(StoreError) {
    writer.separate()
    try write(number, leavingOut: 0, to: &writer, iri: iri)
  }

  /// Writes `"name"`.
  mutating func writeValue(
    _ number: Int64, to writer: inout JSONWriter, iri: (Int64) throws(StoreError) -> String
  ) throws(StoreError) {
    try write(number, leavingOut: 1, to: &writer, iri: iri)
  }

  @inline(__always)
  private mutating func write(
    _ number: Int64, leavingOut end: Int, to writer: inout JSONWriter, iri: (Int64) throws(StoreError) -> String
  ) throws(StoreError) {
    if number < 0 || number >= spans.count || spans[Int(number)].isEmpty {
      guard number >= 0, number < Names.limit else {
        let text = Self.text(context.compact(try iri(number)))
        return writer.json(text.dropLast(end))
      }
      try add(Int(number), iri: iri)
    }
    let span = spans[Int(number)]
    texts.withUnsafeBytes {
      writer.json(utf8: UnsafeRawBufferPointer(rebasing: $0[Int(span.lowerBound)..<Int(span.upperBound) - end]))
    }
  }

  private mutating func add(_ number: Int, iri: (Int64) throws(StoreError) -> String) throws(StoreError) {
    let text = Self.text(context.compact(try iri(Int64(number))))
    let missing = number + 1 - spans.count
    if missing > 0 { spans.append(contentsOf: repeatElement(0..<0, count: missing)) }
    spans[number] = Int32(texts.count)..<Int32(texts.count + text.count)
    texts += text
  }

  private static func text(_ name: String) -> [UInt8] {
    var writer = JSONWriter(capacity: 64)
    writer.key(name)
    return writer.bytes
  }
}

/// A form with what is asked of it for each instance.
private final class ShownForm {
  let writer: EntityWriter
  let keepsNames: Bool
  let showsTimes: Bool

  init(_ writer: EntityWriter) {
    self.writer = writer
    keepsNames = writer.context.isIdentity
    showsTimes = writer.showsTimes
  }
}

extension MemberFlags {
  /// Those that an instance of a sensor has; one with no others is shown without making an ``Attribute``.
  fileprivate static let frequent: MemberFlags = [
    .datasetId, .observedAt, .unitCode, .createdAt, .modifiedAt, .unmodified, .subAttributes,
  ]
}

extension ByteReader {
  /// Writes the entity that stands here.
  ///
  /// - Parameters:
  ///   - form: one that takes parts.
  ///   - names: of the form's context.
  ///   - shows: whether the attribute whose name has a number is among what is written.
  mutating func show(
    as form: EntityWriter, _ names: inout ShownNames, embeddedContext: JSON?, to writer: inout JSONWriter,
    shows: (Int64) throws(StoreError) -> Bool, iri: (Int64) throws(StoreError) -> String
  ) throws(StoreError) {
    let shown = ShownForm(form)
    try showHead(as: shown, &names, to: &writer, iri: iri)
    try descend()
    for _ in 0..<(try count()) {
      let number = Int64(truncatingIfNeeded: try unsigned())
      guard try shows(number) else {
        try skipInstances()
        continue
      }
      try showInstances(number, as: shown, &names, to: &writer, iri: iri)
    }
    ascend()
    form.close(embeddedContext: embeddedContext, to: &writer)
  }

  private mutating func showHead(
    as form: ShownForm, _ names: inout ShownNames, to writer: inout JSONWriter,
    iri: (Int64) throws(StoreError) -> String
  ) throws(StoreError) {
    guard try byte() == 1 else { throw ByteReader.damaged }
    form.writer.open(utf8: try slice(), to: &writer)
    let types = try count()
    form.writer.openTypes(types, to: &writer)
    for _ in 0..<types {
      writer.separate()
      try names.writeValue(Int64(truncatingIfNeeded: try unsigned()), to: &writer, iri: iri)
    }
    form.writer.closeTypes(types, to: &writer)
    var scopes: [String] = []
    for _ in 0..<(try count()) { scopes.append(try text()) }
    let times = try byte()
    let created = times & 1 != 0 ? try time() : nil
    let modified = times & 2 != 0 ? try time() : nil
    let deleted = times & 4 != 0 ? try time() : nil
    let expires = times & 8 != 0 ? try time() : nil
    form.writer.writeRest(
      ofHead: scopes, created: created, modified: modified, deleted: deleted, expires: expires, to: &writer)
  }

  /// Writes an attribute whose name has been read.
  private mutating func showInstances(
    _ number: Int64, as form: ShownForm, _ names: inout ShownNames, to writer: inout JSONWriter,
    iri: (Int64) throws(StoreError) -> String
  ) throws(StoreError) {
    try names.writeKey(number, to: &writer, iri: iri)
    let instances = try count()
    if instances == 1 { return try showInstance(as: form, &names, to: &writer, iri: iri) }
    EntityWriter.openInstances(to: &writer)
    for _ in 0..<instances {
      writer.separate()
      try showInstance(as: form, &names, to: &writer, iri: iri)
    }
    EntityWriter.closeInstances(to: &writer)
  }

  private mutating func showInstance(
    as form: ShownForm, _ names: inout ShownNames, to writer: inout JSONWriter,
    iri: (Int64) throws(StoreError) -> String
  ) throws(StoreError) {
    let (kind, flags) = try instanceHead()
    EntityWriter.openInstance(of: kind, to: &writer)
    if EntityWriter.keepsValue(of: kind, names: form.keepsNames) {
      try showJSON(to: &writer)
    } else {
      form.writer.write(try json(), of: kind, to: &writer)
    }
    if flags.isSubset(of: .frequent) {
      try showMembers(flags, as: form, to: &writer)
    } else {
      form.writer.writeMembers(of: try members(of: kind, flags, iri: iri), to: &writer)
    }
    if flags.contains(.subAttributes) {
      try descend()
      for _ in 0..<(try count()) {
        let number = Int64(truncatingIfNeeded: try unsigned())
        let name = try iri(number)
        if EntityWriter.isSeal(name) {
          form.writer.writeSubAttribute(AttributeSet(name: name, instances: try instances(iri: iri)), to: &writer)
        } else {
          try showInstances(number, as: form, &names, to: &writer, iri: iri)
        }
      }
      ascend()
    }
    EntityWriter.closeInstance(to: &writer)
  }

  /// Writes frequent members, which stand here in the order of ``members(of:_:iri:)``.
  @inline(__always)
  private mutating func showMembers(
    _ flags: MemberFlags, as form: ShownForm, to writer: inout JSONWriter
  ) throws(StoreError) {
    let datasetId = flags.contains(.datasetId) ? try slice() : nil
    let observedAt = flags.contains(.observedAt) ? try time() : nil
    let unitCode = flags.contains(.unitCode) ? try slice() : nil
    let created = flags.contains(.createdAt) ? try time() : nil
    let changed = flags.contains(.modifiedAt) ? try time() : nil
    EntityWriter.writeMembers(
      unitCode: unitCode, observedAt: observedAt, datasetId: datasetId, created: form.showsTimes ? created : nil,
      modified: form.showsTimes ? flags.contains(.unmodified) ? created : changed : nil, to: &writer)
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
