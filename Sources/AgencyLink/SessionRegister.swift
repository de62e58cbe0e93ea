import NGSI

/// Sessions that others have with us: who logged in, under which key, until when. The far side's half of ``Session``.
///
/// An agency has one session: another login ends the one before, so a key that was lost can be replaced.
public struct SessionRegister: Sendable, Hashable {
  public enum Refusal: Error, Sendable, Hashable {
    case wrongKey
    /// No session, or one that has ended: the answer is the same.
    case noSession
  }

  private struct Entry: Sendable, Hashable {
    var key: String
    var until: DateTime
  }

  /// Seconds that a session lasts.
  public let lifetime: Double
  /// API keys by `sendCd`.
  private let apiKeys: [String: String]
  private var sessions: [String: Entry] = [:]

  public init(apiKeys: [String: String], lifetime: Double = 3_600) {
    self.apiKeys = apiKeys
    self.lifetime = lifetime
  }

  /// - Parameter key: from a good source of randomness, 128 bits at least; it is the answer's message.
  public mutating func logIn(_ sender: String, apiKey: String, giving key: String, at time: DateTime) throws(Refusal) {
    // A sender that is not known takes as long as one that is.
    let known = apiKeys[sender]
    guard Self.isSame(known ?? apiKey + " ", apiKey), known != nil else { throw .wrongKey }
    sessions[sender] = Entry(key: key, until: time.adding(seconds: lifetime))
  }

  /// Whether a message of a sender came under its session.
  public func check(_ sender: String, secret: String?, at time: DateTime) throws(Refusal) {
    guard let secret, let entry = sessions[sender], time < entry.until, Self.isSame(entry.key, secret) else {
      throw .noSession
    }
  }

  /// Compares in a time that says nothing of where two keys differ.
  private static func isSame(_ left: String, _ right: String) -> Bool {
    let left = Array(left.utf8)
    let right = Array(right.utf8)
    guard left.count == right.count else { return false }
    return zip(left, right).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
  }
}
