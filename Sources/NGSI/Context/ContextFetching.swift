/// A @context document as it came from its address.
public struct FetchedContext: Sendable {
  public var bytes: [UInt8]
  /// Seconds that the sender lets it be kept (`Cache-Control`, `Expires`; clause 6.3.16); `nil` when it says nothing.
  public var lifetime: Double?

  public init(bytes: [UInt8], lifetime: Double? = nil) {
    self.bytes = bytes
    self.lifetime = lifetime
  }
}

/// Gets @context documents. The implementation bounds time, size and redirects, and decides which hosts may be asked.
public protocol ContextFetching: Sendable {
  /// - Throws: ``Problem`` `LdContextNotAvailable` when the document cannot be had.
  func fetch(_ url: String) async throws(Problem) -> FetchedContext
  /// Where the uses of the document at this address are counted; `nil` where nobody counts them.
  func usage(of url: String) -> ContextUsage?
}

extension ContextFetching {
  public func usage(of url: String) -> ContextUsage? { nil }
}

/// Fetches nothing: for hubs and tools without a network.
public struct NoContextFetching: ContextFetching {
  public init() {}

  public func fetch(_ url: String) async throws(Problem) -> FetchedContext {
    throw Problem(.ldContextNotAvailable, "the @context \(url) is not at hand, and nothing may be fetched here")
  }
}
