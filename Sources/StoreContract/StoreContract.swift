import NGSI
import Query
import Store

/// What every storage engine must do, as cases that a test target of the engine runs.
///
/// ```swift
/// @Test(arguments: StoreContract.cases)
/// func contract(_ aCase: StoreContract.Case) async throws { try await aCase.run(maker) }
/// ```
public enum StoreContract {
  /// Makes an empty store for each case.
  public typealias Maker = @Sendable (_ now: @escaping @Sendable () -> DateTime) async throws -> any Store

  public struct Case: Sendable, CustomStringConvertible {
    public let name: String
    private let body: @Sendable (Subject) async throws -> Void

    init(_ name: String, _ body: @escaping @Sendable (Subject) async throws -> Void) {
      self.name = name
      self.body = body
    }

    public var description: String { name }

    /// - Throws: ``Violation``, or what the store throws where it should not.
    public func run(_ maker: Maker) async throws {
      let clock = TestClock()
      let store = try await maker { clock.now }
      do { try await body(Subject(store: store, clock: clock)) } catch {
        await store.close()
        throw error
      }
      await store.close()
    }
  }

  public static let cases: [Case] =
    writeCases + entityCases + writtenCases + queryCases + historyCases + historyQueryCases + historyModelCases
    + listCases + concurrencyCases + trimmingCases + evidenceCases
}

/// A store under test with the clock it goes by.
struct Subject: Sendable {
  let store: any Store
  let clock: TestClock
}

/// A promise of the contract that was not kept.
public struct Violation: Error, CustomStringConvertible {
  public let description: String
}

func expect(
  _ condition: Bool, _ message: @autoclosure () -> String, file: StaticString = #fileID, line: UInt = #line
) throws {
  if !condition { throw Violation(description: "\(file):\(line): \(message())") }
}

func expectEqual<Value: Equatable>(
  _ found: Value, _ expected: Value, _ message: @autoclosure () -> String = "", file: StaticString = #fileID,
  line: UInt = #line
) throws {
  guard found != expected else { return }
  throw Violation(
    description: "\(file):\(line): \(message()) found \(short(found)), expected \(short(expected))")
}

private func short(_ value: some Any) -> String {
  let text = "\(value)"
  return text.count > 600 ? text.prefix(600) + "…" : text
}

/// The error that a test's body throws.
struct Refusal: Error, Equatable {
  let number: Int
}

extension Store {
  /// Writes and expects this error.
  func refuse<Failure: Error & Equatable>(
    _ expected: Failure, file: StaticString = #fileID, line: UInt = #line,
    _ body: @escaping @Sendable (any StoreWriter) throws -> Void
  ) async throws {
    do {
      try await write(body)
    } catch let error as Failure {
      try expectEqual(error, expected, file: file, line: line)
      return
    }
    throw Violation(description: "\(file):\(line): the write should have thrown \(expected)")
  }
}
