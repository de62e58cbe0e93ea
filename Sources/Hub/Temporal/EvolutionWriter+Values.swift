import NGSI
import Store

extension EvolutionWriter {
  /// Writes the simplified evolution of one entity as its values come from the store.
  ///
  /// - Returns: false when it cannot be written so; what was written until then does not count.
  func write(
    _ id: String, _ query: EvolutionQuery, in tenant: Tenant, from reader: any StoreReader, embeddedContext: JSON?,
    to writer: inout JSONWriter
  ) throws -> Bool {
    guard takesValues else { return false }
    var hasAttribute = false
    let isWhole = try reader.forEachValue(
      of: id, query, in: tenant,
      entity: { entity in
        writer.open("{")
        writeHead(of: entity, hidesId: false, hidesType: false, to: &writer)
      },
      attribute: { name, kind in
        if hasAttribute { Self.closeAttribute(to: &writer) }
        hasAttribute = true
        writer.key(context.compact(name))
        writer.open("{")
        writer.key("type" as StaticString)
        writer.write(kind.rawValue)
        writer.key(kind.temporalValuesMember)
        writer.open("[")
      },
      value: { time, value in
        writer.separate()
        writer.open("[")
        writer.write(value)
        writer.separate()
        writer.write(time)
        writer.close("]")
      })
    guard isWhole else { return false }
    if hasAttribute { Self.closeAttribute(to: &writer) }
    if let embeddedContext {
      writer.key("@context" as StaticString)
      writer.write(embeddedContext)
    }
    writer.close("}")
    return true
  }

  private static func closeAttribute(to writer: inout JSONWriter) {
    writer.close("]")
    writer.close("}")
  }
}

extension Hub {
  /// Writes the evolution of one entity: the same as writing what ``evolutions(_:in:)`` gives for it, and cheaper.
  ///
  /// - Returns: its text; `nil` when it has to be written in that other way.
  public func evolution(
    _ id: String, _ query: EvolutionQuery, in tenant: Tenant, as form: EvolutionWriter, embeddedContext: JSON?
  ) throws(Problem) -> [UInt8]? {
    let query = try seen(query, in: tenant)
    return try read { reader in
      try self.requireTenant(tenant, reader)
      var writer = JSONWriter(capacity: 1 << 16)
      let isWhole = try form.write(
        id, query, in: tenant, from: reader, embeddedContext: embeddedContext, to: &writer)
      return isWhole ? writer.bytes : nil
    }
  }
}
