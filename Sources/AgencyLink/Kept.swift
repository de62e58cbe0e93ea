import NGSI

// Events and occurrences as a store keeps them: in the words of the wire, so that what is kept can be read by who knows it.

extension EventBody {
  /// ``init(kept:)`` reads it, but for parts of a second and what was doubted.
  public var json: JSON { Message.Body.event(self).json(.module) }

  /// - Throws: ``MessageError`` for what was not kept by ``json``.
  public init(kept json: JSON) throws(MessageError) { try self.init(json, "body", Bounds()) }
}

extension Occurrence {
  public var json: JSON {
    ["body": body.json, "heard": .array(heard.map { .string(Base64.encode($0.bytes)) })]
  }

  /// - Throws: ``MessageError`` for what was not kept by ``json``.
  public init(kept json: JSON) throws(MessageError) {
    guard let body = json["body"] else { throw MessageError("body", .missing) }
    let digests = (json["heard"]?.array ?? []).compactMap { $0.string.flatMap(Base64.decode) }
    self.init(body: try EventBody(kept: body), heard: digests.map(Digest.init(bytes:)))
  }
}
