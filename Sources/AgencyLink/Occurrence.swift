import CLibcrypto
import NGSI

/// What names an occurrence: who sends it, what kind of event it is, and its number.
public struct OccurrenceKey: Sendable, Hashable {
  public let sender: String
  public let event: String
  public let number: String

  public init(sender: String, event: String, number: String) {
    self.sender = sender
    self.event = event
    self.number = number
  }

  public init(_ envelope: Envelope, _ body: EventBody) {
    self.init(sender: envelope.sender, event: body.event, number: body.number)
  }
}

/// An occurrence that another agency told of, as far as it told. Kept for each ``OccurrenceKey`` by the caller.
public struct Occurrence: Sendable, Hashable {
  /// What a message does to an occurrence. Each of them is answered with success.
  public enum Taking: Sendable, Hashable {
    /// The first that is heard of it.
    case opened
    /// The first that is heard of it is no beginning: messages before it were lost or are late. It says all that the
    /// beginning says, so nothing waits for that.
    case openedLate
    case changed
    case ended
    /// The same message again: nothing is done, and it counts as said.
    case duplicate
    /// Older than what is known: kept in the record, and changes nothing.
    case stale
  }

  /// What is answered with a failure, as the sender has to know of it.
  public enum Refusal: Error, Sendable, Hashable, CustomStringConvertible {
    case mayNotFollow(OccurrenceStatus, after: OccurrenceStatus)

    public var description: String {
      switch self {
      case .mayNotFollow(let status, let before): "'body.ocrSts' \(status.rawValue) may not follow \(before.rawValue)"
      }
    }
  }

  /// Messages that are known again; the same as an older one is taken for stale by its time.
  public static let remembered = 64

  public private(set) var body: EventBody
  /// Digests of messages, the newest last.
  public private(set) var heard: [Digest]

  public var status: OccurrenceStatus { body.status }

  /// The first message of an occurrence.
  public static func first(_ body: EventBody) -> (Occurrence, Taking) {
    let taking: Taking = body.status == .occurred ? .opened : body.status.isFinal ? .ended : .openedLate
    return (Occurrence(body: body, heard: [Digest(body)]), taking)
  }

  init(body: EventBody, heard: [Digest]) {
    self.body = body
    self.heard = heard
  }

  /// Takes a further message about it.
  ///
  /// Order is that of `ocrEvtStsTime`, where both messages have one; otherwise that of arrival. Two beginnings that say
  /// different things are a beginning and a change: what the second says is not lost.
  public mutating func take(_ next: EventBody) throws(Refusal) -> Taking {
    let digest = Digest(next)
    if heard.contains(digest) { return .duplicate }
    if let known = body.statusAt, let said = next.statusAt, said < known {
      remember(digest)
      return .stale
    }
    // A beginning that comes after a later state, and has no time that says so.
    if next.status == .occurred, status != .occurred {
      remember(digest)
      return .stale
    }
    let isRepeated = next.status == status && !status.isFinal
    guard isRepeated || status.followers.contains(next.status) else {
      throw .mayNotFollow(next.status, after: status)
    }
    remember(digest)
    body = next
    return next.status.isFinal ? .ended : .changed
  }

  private mutating func remember(_ digest: Digest) {
    heard.append(digest)
    heard.removeFirst(max(0, heard.count - Self.remembered))
  }
}

/// A message's body in 32 bytes (SHA-256 of its JSON in the module's dialect).
public struct Digest: Sendable, Hashable {
  public let bytes: [UInt8]

  init(bytes: [UInt8]) { self.bytes = bytes }

  public init(_ body: EventBody) {
    let text = JSONWriter.bytes(Message.Body.event(body).json(.module))
    var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var count: UInt32 = 0
    // It fails only without memory or without SHA-256, and then nothing of the program works.
    precondition(EVP_Digest(text, text.count, &digest, &count, EVP_sha256(), nil) == 1)
    bytes = Array(digest.prefix(Int(count)))
  }
}
