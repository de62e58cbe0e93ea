import NGSI
import Query
import Store

/// An entity where it lies in the file, read only as far as somebody asks; valid until its statement goes on.
struct FoundEntity {
  let key: Int64
  let bytes: UnsafeRawBufferPointer
  let session: ReadSession
  /// The part that may be seen, where that had to be looked at.
  var shown: Entity?
  /// Knows which attributes may be seen, where not all may and that can be told by their names.
  var onlooker: Onlooker?

  init(key: Int64, bytes: UnsafeRawBufferPointer, session: ReadSession) {
    (self.key, self.bytes, self.session) = (key, bytes, session)
  }

  /// All of it that may be seen.
  func whole() throws(StoreError) -> Entity {
    if let shown { return shown }
    var reader = ByteReader(bytes)
    let entity = try reader.entity { number throws(StoreError) in try session.iri(number) }
    return onlooker?.shown(entity) ?? entity
  }

  /// The entity without its attributes.
  func head() throws(StoreError) -> Entity {
    var reader = ByteReader(bytes)
    return try reader.head { number throws(StoreError) in try session.iri(number) }
  }

  /// The entity with no other attributes than these.
  ///
  /// - Parameter attributes: numbers of their names.
  func part(_ attributes: [Int64]) throws(StoreError) -> Entity {
    if let shown { return shown }
    var reader = ByteReader(bytes)
    let part = try reader.entity(with: attributes) { number throws(StoreError) in try session.iri(number) }
    return onlooker?.shown(part) ?? part
  }

  /// Writes it, in parts where the form takes them.
  func write(
    as form: EntityWriter, _ names: inout ShownNames, embeddedContext: JSON?, to writer: inout JSONWriter
  ) throws(StoreError) {
    guard form.takesParts, shown == nil else {
      return form.write(try whole(), embeddedContext: embeddedContext, to: &writer)
    }
    var reader = ByteReader(bytes)
    try reader.show(as: form, &names, embeddedContext: embeddedContext, to: &writer) { number throws(StoreError) in
      try onlooker?.shows(number, of: session) ?? true
    } iri: { number throws(StoreError) in
      try session.iri(number)
    }
  }
}

extension FoundEntity {
  /// Tells who watches that this becomes a part of an answer.
  func give(under query: EntityQuery) throws {
    guard let visibility = query.visibility, let shown else { return }
    guard visibility.isGiven(shown) else {
      throw StoreError.tooComplex("the answer would have more entities than may be recorded at once; ask for fewer")
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
