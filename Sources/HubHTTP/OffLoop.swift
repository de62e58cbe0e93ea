import Hub
import NGSI
import NIOPosix
import Store

extension Hub {
  /// ``quality(of:in:)`` on a thread that may wait.
  public func judgedQuality(of dataset: Dataset, in tenant: Tenant) async throws(Problem) -> DatasetQuality {
    try await offLoop { hub throws(Problem) in try hub.quality(of: dataset, in: tenant) }
  }

  /// ``grantOverview(_:page:in:)`` on a thread that may wait.
  public func surveyedGrants(_ selection: GrantSelection, page: Page, in tenant: Tenant) async throws(Problem)
    -> GrantOverview
  {
    try await offLoop { hub throws(Problem) in try hub.grantOverview(selection, page: page, in: tenant) }
  }

  /// Runs a read that may take long on a thread that may wait, so that it holds up no other request.
  func offLoop<Value: Sendable>(_ body: @escaping @Sendable (Hub) throws(Problem) -> Value) async throws(Problem)
    -> Value
  {
    let (caller, notes) = (Caller.current, AccessNotes.current)
    do {
      return try await NIOThreadPool.singleton.runIfActive {
        try Caller.$current.withValue(caller) { try AccessNotes.$current.withValue(notes) { try body(self) } }
      }
    } catch let problem as Problem {
      throw problem
    } catch {
      throw Problem(.unavailable, "the hub is stopping")
    }
  }
}
