/// Why a measurement could not be made; the sentence says what to do.
public struct BenchError: Error, Sendable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}
