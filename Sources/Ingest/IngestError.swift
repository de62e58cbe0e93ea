/// Why an import or a replay cannot go on; a sentence for the person who started it.
public struct IngestError: Error, Sendable, Hashable, CustomStringConvertible {
  public var description: String

  public init(_ description: String) { self.description = description }
}
