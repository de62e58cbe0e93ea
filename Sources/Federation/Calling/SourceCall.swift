import NGSI

/// A request to a context source.
public struct SourceCall: Sendable {
  public enum Method: String, Sendable {
    case get = "GET"
    case post = "POST"
    case put = "PUT"
    case patch = "PATCH"
    case delete = "DELETE"
  }

  public var method: Method
  public var url: String
  public var headers: [(name: String, value: String)]
  public var body: [UInt8]?
  /// Seconds until it counts as failed, the reading of the answer included.
  public var timeout: Double
  /// Most bytes of an answer that are read.
  public var answerBytes: Int
  /// Where whoever reads the answer takes room for its bytes, before they are kept.
  public var share: AnswerShare

  /// Scheme, host and port.
  public var origin: String {
    url.split(separator: "/", omittingEmptySubsequences: false).prefix(3).joined(separator: "/")
  }
}

/// What came of a ``SourceCall``.
public enum SourceReply: Sendable {
  case answered(status: Int, headers: [(name: String, value: String)], body: [UInt8])
  /// No answer, or not all of it, in time.
  case late
  /// The answer is longer than may be read.
  case tooLong
  /// The answers of all requests in flight take all the room there is (``SourceCall/share``).
  case noRoom
  /// A sentence that says why it could not be reached.
  case unreachable(String)
}

/// Carries calls to context sources out of the hub. Implementations follow no redirect.
public protocol SourceCalling: Sendable {
  func call(_ call: SourceCall) async -> SourceReply
}

/// Reaches no source; for hubs that have no way out.
public struct NoSources: SourceCalling {
  public init() {}
  public func call(_ call: SourceCall) async -> SourceReply { .unreachable("this hub calls no context sources") }
}
