import NGSI

/// How a stored @context came to be stored (clause 5.13.1).
public enum ContextKind: String, Sendable, CaseIterable {
  /// Fetched from its address in the course of a request; kept for the hub's own use.
  case cached = "Cached"
  /// Given by a client; served.
  case hosted = "Hosted"
  /// Made by the hub for a client's array or object that needs an address; served.
  case implicitlyCreated = "ImplicitlyCreated"
}

/// What is known of a stored @context (clause 5.13.3.5).
public struct StoredContext: Sendable {
  public var localId: String
  public var kind: ContextKind
  /// Where it was fetched from; `nil` for what is served from here.
  public var url: String?
  public var createdAt: DateTime
  /// When a newer copy is fetched; `nil` for what does not grow old.
  public var expiresAt: DateTime?
  /// Size of the document in bytes.
  public var bytes: Int
  public let usage: ContextUsage
  /// Part of the program rather than of the store: a core context.
  public var isBuiltIn = false

  /// The metadata as a client sees it.
  ///
  /// - Parameter address: where this hub serves it.
  public func json(address: String) -> JSON {
    var object = JSONObject()
    object["URL"] = .string(url ?? address)
    object["localId"] = .string(localId)
    object["kind"] = .string(kind.rawValue)
    object["createdAt"] = .string(createdAt.description)
    object["expiresAt"] = expiresAt.map { .string($0.description) }
    if isBuiltIn {
      object["extraInfo"] = "built in, never fetched"
    } else {
      object["lastUsage"] = usage.lastUsage.map { .string($0.description) }
      object["numberOfHits"] = .integer(Int64(usage.hits))
      object["extraInfo"] = .string("\(bytes) bytes")
    }
    return .object(object)
  }
}
