import NGSI

/// A message to a subscriber.
public struct NotificationMessage: Sendable {
  public var url: String
  public var headers: [(String, String)]
  public var body: [UInt8]
  /// `notifierInfo` of the endpoint: how to send it, where the protocol leaves a choice.
  public var settings: [(String, String)]
  /// Seconds until the attempt counts as failed.
  public var timeout: Double

  public init(
    url: String, headers: [(String, String)], body: [UInt8], settings: [(String, String)] = [], timeout: Double
  ) {
    self.url = url
    self.headers = headers
    self.body = body
    self.settings = settings
    self.timeout = timeout
  }

  /// Scheme, host and port of the receiver.
  var endpoint: String { url.split(separator: "/", omittingEmptySubsequences: false).prefix(3).joined(separator: "/") }
}

/// Carries notifications out of the hub. Implementations follow no redirect and read at most a little of the answer.
public protocol NotificationSending: Sendable {
  /// - Returns: `nil` when the receiver took it (2xx), otherwise a sentence that says why not.
  func send(_ message: NotificationMessage) async -> String?

  /// Why nothing can be sent to an endpoint, known without asking it; `nil` when something can.
  ///
  /// - Parameters:
  ///   - url: `uri` of the endpoint.
  ///   - mediaType: what it accepts.
  ///   - settings: its `notifierInfo`.
  func refusal(of url: String, mediaType: String, settings: [(String, String)]) -> String?
}

extension NotificationSending {
  public func refusal(of url: String, mediaType: String, settings: [(String, String)]) -> String? {
    let scheme = url.split(separator: ":").first?.lowercased()
    return scheme == "http" || scheme == "https" ? nil : "it must be an http or https URL"
  }
}

/// Keeps notifications from leaving; for hubs that have no way out.
public struct NoNotifications: NotificationSending {
  public init() {}
  public func send(_ message: NotificationMessage) async -> String? { "this hub sends no notifications" }
}
