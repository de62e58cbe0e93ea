import Dispatch
import Hub
import NGSI

/// Runs what may take long on a thread that may wait.
enum OffLoop {
  static func run<Value: Sendable>(_ body: @escaping @Sendable () throws(Problem) -> Value) async throws(Problem)
    -> Value
  {
    let (caller, notes) = (Caller.current, AccessNotes.current)
    let result: Result<Value, Problem> = await withCheckedContinuation { continuation in
      DispatchQueue.global(qos: .userInitiated).async {
        let result = Caller.$current.withValue(caller) {
          AccessNotes.$current.withValue(notes) { Result { () throws(Problem) in try body() } }
        }
        continuation.resume(returning: result)
      }
    }
    return try result.get()
  }
}
