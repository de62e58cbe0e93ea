import NGSI

extension IdentityProvider {
  /// Documents that are looked at in one go: the writer is held up for a few milliseconds.
  private static let mostSwept = 500

  /// Takes away what has run out.
  ///
  /// Documents of one kind lie in the order they were made; a few of the oldest are looked at, so that what is gone is
  /// found soon and a store full of living ones costs little.
  func sweep(at now: Int) async throws {
    let settings = settings
    let kinds: [(IdentityCollection, @Sendable (String, JSON) -> Bool)] = [
      (.codes, { _, body in body["keptUntil"]?.integer ?? 0 <= now }),
      (.deviceGrants, { _, body in body["expiresAt"]?.integer ?? 0 <= now }),
      (.userCodes, { _, body in body["expiresAt"]?.integer ?? 0 <= now }),
      (.refreshFamilies, { _, body in RefreshFamily(id: "", body)?.isOver(settings, at: now) ?? true }),
      (.revocations, { _, body in body["until"]?.integer ?? 0 <= now }),
      (.outsideUsed, { _, body in body["until"]?.integer ?? 0 <= now }),
      (.assertions, { _, body in body["until"]?.integer ?? 0 <= now }),
      (.sessions, { id, body in Session(id: id, body).map { !self.isAlive($0, at: now) } ?? true }),
    ]
    for (collection, isOver) in kinds {
      var isMore = true
      while isMore {
        isMore = try await storage.write { writer in
          let oldest = try writer.documents(in: collection, offset: 0, limit: Self.mostSwept)
          let over = oldest.filter { isOver($0.id, $0.body) }
          for (id, _) in over { _ = try writer.delete(id, in: collection) }
          return over.count == Self.mostSwept
        }
      }
    }
  }
}
