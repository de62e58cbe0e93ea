import NGSI
import Store
import Synchronization

/// What a write did although something is wrong, for the one who asked for it.
///
/// Whoever wants to hear of it binds one with ``current`` around the call.
public final class WriteNotes: Sendable {
  @TaskLocal public static var current: WriteNotes?

  /// Notes that are kept of one write.
  static let bound = 20

  private let notes = Mutex<[(id: String, text: String)]>([])

  public init() {}

  /// One line for each entity.
  public var texts: [String] { notes.withLock { $0.map { "\($0.id): \($0.text)" } } }

  /// A write may run more than once: the last note on an entity stands.
  func note(_ id: String, _ text: String) {
    notes.withLock { notes in
      if let index = notes.firstIndex(where: { $0.id == id }) {
        notes[index].text = text
      } else if notes.count < Self.bound {
        notes.append((id, text))
      }
    }
  }
}

extension Hub {
  /// Whether writes in a tenant may have something to note.
  public func mayWarn(in tenant: Tenant) -> Bool { !models.isEmpty && models.mode(in: tenant) == .warn }

  /// Failures that a refusal or a note names.
  private static let mostNamed = 5

  /// Asks whether the caller may make this change, and holds the entity as it would be against the data models of its
  /// types, inside the transaction that writes it.
  ///
  /// - Throws: `BadRequestData` when the tenant is strict and the entity does not meet one of them.
  func judge(
    _ update: EntityUpdate, in tenant: Tenant, by writing: Writing, _ notes: WriteNotes?
  ) throws(Problem) {
    try permit(update, by: writing)
    guard !models.isEmpty, !update.isUnchanged, update.entity.deletedAt == nil,
      let (models, mode) = models.models(of: update.entity.types, in: tenant)
    else { return }
    for model in models {
      let failures = model.failures(of: update.entity)
      self.models.count(model.type, failed: !failures.isEmpty, in: tenant)
      guard !failures.isEmpty else { continue }
      let name = model.document["type"]?.string ?? model.type
      let more = failures.count > Self.mostNamed ? "; and \(failures.count - Self.mostNamed) more" : ""
      let text =
        "the entity does not meet the data model of \(name): "
        + failures.prefix(Self.mostNamed).joined(separator: "; ") + more
      if mode == .strict { throw .badRequest(text) }
      notes?.note(update.entity.id, text)
    }
  }
}
