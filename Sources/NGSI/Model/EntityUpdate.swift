/// What happened to one attribute instance.
public struct AttributeChange: Sendable, Hashable {
  public enum Kind: Sendable, Hashable {
    case created
    case updated
    case deleted
  }

  public var kind: Kind
  /// Expanded attribute IRI.
  public var name: String
  /// The instance before; `nil` when it was created.
  public var old: Attribute?
  /// The instance after; `nil` when it was deleted.
  public var new: Attribute?

  public var datasetId: String? { (new ?? old)?.datasetId }

  public init(created new: Attribute, name: String) {
    kind = .created
    self.name = name
    self.new = new
  }

  public init(updated old: Attribute, to new: Attribute, name: String) {
    kind = .updated
    self.name = name
    self.old = old
    self.new = new
  }

  public init(deleted old: Attribute, name: String) {
    kind = .deleted
    self.name = name
    self.old = old
  }
}

/// A member that an update left alone, and why (clause 5.2.19).
public struct NotUpdated: Sendable, Hashable {
  /// Expanded name.
  public var name: String
  public var reason: String

  public init(name: String, reason: String) {
    self.name = name
    self.reason = reason
  }

  public var json: JSON { ["attributeName": .string(name), "reason": .string(reason)] }
}

/// The outcome of one write operation on one entity: the new entity, and exactly what differs from the old one.
///
/// Made by the pure functions on ``Entity`` (``Entity/updatingAttributes(_:at:)`` and its neighbours).
public struct EntityUpdate: Sendable, Hashable {
  /// The entity before; `nil` when it has been created.
  public var before: Entity?
  /// The entity after. A deleted one is as it was, with `deletedAt`.
  public var entity: Entity
  /// One for each attribute instance that was written, in the order of the request.
  public var changes: [AttributeChange] = []
  /// Expanded types that the entity did not have before.
  public var addedTypes: [String] = []
  /// Expanded types that a replacement took away.
  public var removedTypes: [String] = []
  public var scopesChanged = false
  public var expiresAtChanged = false
  /// Expanded names that were written, each once (clause 5.2.18); `scope` as ``Core/scope``.
  public var updated: [String] = []
  public var notUpdated: [NotUpdated] = []

  /// Whether nothing was written; then `entity` equals `before`, times included.
  public var isUnchanged: Bool {
    changes.isEmpty && addedTypes.isEmpty && removedTypes.isEmpty && !scopesChanged && !expiresAtChanged
  }

  /// Whether something that the request asked for was not done (HTTP 207 rather than 204).
  public var isPartial: Bool { !notUpdated.isEmpty }

  /// `UpdateResult` (clause 5.2.18), names fully qualified as clause 6.3.6 wants them.
  public var json: JSON {
    ["updated": .array(updated.map(JSON.string)), "notUpdated": .array(notUpdated.map(\.json))]
  }
}
