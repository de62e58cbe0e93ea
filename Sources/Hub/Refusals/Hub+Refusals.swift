import NGSI
import Store

extension Hub {
  /// Notes that input was refused. It is counted at once and durable within about a second; what a crash takes with it
  /// are counts of that second, never stored data.
  public func noteRefused(_ input: RefusedInput) { refusals.note(input, at: now()) }

  /// The verification history of a tenant, latest first.
  ///
  /// - Parameters:
  ///   - door, source, problem: only lines that have exactly this.
  public func refusedInput(
    door: String? = nil, source: String? = nil, problem: String? = nil, in tenant: Tenant, page: Page
  ) throws(Problem) -> (lines: [Refusal], total: Int) {
    try permit(.administer, in: tenant)
    return refusals.lines(
      in: tenant,
      where: { line in
        door.map { $0 == line.door } ?? true && source.map { $0 == line.source } ?? true
          && problem.map { $0 == line.problem } ?? true
      }, page: page)
  }

  /// Takes lines off the history, all of the tenant's where no ids are given; gives how many.
  public func discardRefused(_ ids: [String]?, in tenant: Tenant) throws(Problem) -> Int {
    try permit(.administer, in: tenant)
    return refusals.discard(ids, in: tenant)
  }

  func resumeRefusals() throws(Problem) {
    let documents = try read {
      try $0.documents(RefusalBook.collection, in: .default, page: Page(limit: self.limits.refusals * 2))
    }
    refusals.resume(documents)
  }

  /// Makes the history durable, a step each second; the rest when the hub stops.
  func keepRefusals() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: .seconds(1))
      _ = await flushRefusals()
    }
  }

  /// Writes a step of what changed; false when there was nothing to write or it failed.
  func flushRefusals() async -> Bool {
    guard let changes = refusals.takeChanges() else { return false }
    do throws(Problem) {
      try await write { writer in
        for line in changes.put {
          let document = StoredDocument(id: line.id, body: line.json)
          try writer.put(document, collection: RefusalBook.collection, in: .default)
        }
        for id in changes.removed {
          _ = try writer.deleteDocument(id, collection: RefusalBook.collection, in: .default)
        }
      }
      refusals.hasWritten(changes, successfully: true)
      return true
    } catch {
      log.warning("the history of refused input waits for the disk", metadata: ["error": "\(error.detail)"])
      refusals.hasWritten(changes, successfully: false)
      return false
    }
  }
}
