import Dispatch
import NGSI

/// Runs what may take long on a thread that may wait.
enum OffLoop {
  static func run<Value: Sendable>(_ body: @escaping @Sendable () throws(Problem) -> Value) async throws(Problem)
    -> Value
  {
    let result: Result<Value, Problem> = await withCheckedContinuation { continuation in
      DispatchQueue.global(qos: .userInitiated).async { continuation.resume(returning: Result(catching: body)) }
    }
    return try result.get()
  }
}
