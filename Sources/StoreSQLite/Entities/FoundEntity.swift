import NGSI
import Store

/// An entity where it lies in the file, read only as far as somebody asks; valid until its statement goes on.
struct FoundEntity {
  let key: Int64
  let bytes: UnsafeRawBufferPointer
  let session: ReadSession

  /// All of it.
  func whole() throws(StoreError) -> Entity {
    var reader = ByteReader(bytes)
    return try reader.entity { number throws(StoreError) in try session.iri(number) }
  }

  /// The entity with no other attributes than these.
  ///
  /// - Parameter attributes: numbers of their names.
  func part(_ attributes: [Int64]) throws(StoreError) -> Entity {
    var reader = ByteReader(bytes)
    return try reader.entity(with: attributes) { number throws(StoreError) in try session.iri(number) }
  }

  /// Writes it, in parts where the form takes them.
  func write(
    as form: EntityWriter, _ names: inout ShownNames, embeddedContext: JSON?, to writer: inout JSONWriter
  ) throws(StoreError) {
    guard form.takesParts else {
      return form.write(try whole(), embeddedContext: embeddedContext, to: &writer)
    }
    var reader = ByteReader(bytes)
    try reader.show(as: form, &names, embeddedContext: embeddedContext, to: &writer) { number throws(StoreError) in
      try session.iri(number)
    }
  }
}

extension ReadSession {
  /// Gives the entity with a key to the body; `nil` when there is none.
  func found<Value>(key: Int64, _ body: (FoundEntity) throws -> Value) throws -> Value? {
    let statement = try connection.statement(.entityByKey).bind(1, key)
    defer { statement.reset() }
    guard try statement.step() else { return nil }
    return try statement.withBytes(0) { bytes in
      try body(FoundEntity(key: key, bytes: bytes, session: self))
    }
  }
}
