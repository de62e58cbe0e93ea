import Hub
import NGSI
import NIOPosix

extension Hub {
  /// Runs a read that may take long on a thread that may wait, so that it holds up no other request.
  func offLoop<Value: Sendable>(_ body: @escaping @Sendable (Hub) throws(Problem) -> Value) async throws(Problem)
    -> Value
  {
    do {
      return try await NIOThreadPool.singleton.runIfActive { try body(self) }
    } catch let problem as Problem {
      throw problem
    } catch {
      throw Problem(.unavailable, "the hub is stopping")
    }
  }
}
