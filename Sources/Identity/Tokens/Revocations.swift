import NGSI
import Synchronization

/// Tokens that must not be believed any more although their signature holds: by `jti`, by grant, or all of a subject.
///
/// Kept in the store, and in memory, where each check looks. An entry lasts as long as the tokens that it is about.
final class Revocations: Sendable {
  enum Target: Sendable, Hashable {
    case token(String)
    case grant(String)
    /// All tokens of a person or client that were made before.
    case subject(String)
    /// All tokens of a client, whoever it acts for, that were made before.
    case client(String)

    var key: String {
      switch self {
      case .token(let id): "token:" + id
      case .grant(let id): "grant:" + id
      case .subject(let id): "subject:" + id
      case .client(let id): "client:" + id
      }
    }
  }

  struct Entry: Sendable, Hashable {
    /// Seconds since 1970.
    var at: Int
    var until: Int
  }

  /// At the bound nothing more is revoked by clients until some run out; administrators still may.
  static let most = 100_000

  private let entries = Mutex<[String: Entry]>([:])
  private let added = Atomic<Int>(0)

  init(_ storage: any IdentityStorage) throws {
    var known: [String: Entry] = [:]
    try storage.read { reader in
      for (id, body) in try reader.documents(in: .revocations, offset: 0, limit: .max) {
        guard let at = body["at"]?.integer, let until = body["until"]?.integer else { continue }
        known[id] = Entry(at: Int(at), until: Int(until))
      }
    }
    entries.withLock { $0 = known }
  }

  /// Writes a revocation down in the transaction of the act that causes it.
  static func write(_ target: Target, _ entry: Entry, to writer: any IdentityWriter) throws {
    try writer.put(
      ["at": .integer(Int64(entry.at)), "until": .integer(Int64(entry.until))], id: target.key, in: .revocations)
  }

  /// Makes it known, once it is written.
  func add(_ target: Target, _ entry: Entry) {
    entries.withLock { $0[target.key] = entry }
    added.add(1, ordering: .releasing)
  }

  /// How many were made known since the start: a token that was good at this count is good while it stays.
  var changes: Int { added.load(ordering: .acquiring) }

  /// Forgets what has run out.
  func forget(before now: Int) { entries.withLock { $0 = $0.filter { $0.value.until > now } } }

  var count: Int { entries.withLock { $0.count } }

  func isRevoked(_ token: AccessToken) -> Bool {
    entries.withLock { entries in
      guard !entries.isEmpty else { return false }
      if entries[Target.token(token.id).key] != nil { return true }
      if let grant = token.grant, entries[Target.grant(grant).key] != nil { return true }
      return [Target.subject(token.subject), .client(token.clientId)].contains { target in
        entries[target.key].map { token.issuedAt <= $0.at } ?? false
      }
    }
  }
}
