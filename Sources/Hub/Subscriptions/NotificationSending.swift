import NGSI

/// A message to a subscriber.
public struct NotificationMessage: Sendable {
  public var url: String
  public var headers: [(String, String)]
  public var body: [UInt8]
  /// Seconds until the attempt counts as failed.
  public var timeout: Double

  public init(url: String, headers: [(String, String)], body: [UInt8], timeout: Double) {
    self.url = url
    self.headers = headers
    self.body = body
    self.timeout = timeout
  }

  /// Scheme, host and port of the receiver.
  var endpoint: String { url.split(separator: "/", omittingEmptySubsequences: false).prefix(3).joined(separator: "/") }
}

/// Carries notifications out of the hub. Implementations follow no redirect and read at most a little of the answer.
public protocol NotificationSending: Sendable {
  /// - Returns: `nil` when the receiver took it (2xx), otherwise a sentence that says why not.
  func send(_ message: NotificationMessage) async -> String?
}

/// Keeps notifications from leaving; for hubs that have no way out.
public struct NoNotifications: NotificationSending {
  public init() {}
  public func send(_ message: NotificationMessage) async -> String? { "this hub sends no notifications" }
}
