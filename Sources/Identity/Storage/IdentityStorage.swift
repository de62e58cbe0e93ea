public import NGSI

/// Kinds of documents that the provider keeps.
public enum IdentityCollection: String, Sendable, CaseIterable {
  /// By id of the person.
  case people = "identity.people"
  /// By user name: whose it is.
  case usernames = "identity.usernames"
  /// By id of the client.
  case clients = "identity.clients"
  /// By id of the credential: whose it is.
  case passkeys = "identity.passkeys"
  /// By hash of the cookie.
  case sessions = "identity.sessions"
  /// By hash of the authorization code.
  case codes = "identity.codes"
  /// By id of the family: all refresh tokens that came one from the other.
  case refreshFamilies = "identity.refresh"
  /// By hash of the device code.
  case deviceGrants = "identity.devices"
  /// By hash of the user code: which device grant it is.
  case userCodes = "identity.usercodes"
  /// What must not be believed any more although its signature holds.
  case revocations = "identity.revocations"
  /// By hash of client and `jti`: assertions that were used (RFC 7523 section 3).
  case assertions = "identity.assertions"
  /// By hash: answers of outside providers to logins, and their codes, that were used.
  case outsideUsed = "identity.outside"
  /// By person and client: which scopes a person has let a client have.
  case consents = "identity.consents"
}

/// Reads on one moment.
public protocol IdentityReader {
  func document(_ id: String, in collection: IdentityCollection) throws -> JSON?
  /// In the order they were made.
  func documents(in collection: IdentityCollection, offset: Int, limit: Int) throws -> [(id: String, body: JSON)]
  func count(in collection: IdentityCollection) throws -> Int
}

/// Reads and writes inside one transaction.
public protocol IdentityWriter: IdentityReader {
  /// Stores a document in place of the one with this id, if there is one; it keeps its place in the order.
  func put(_ body: JSON, id: String, in collection: IdentityCollection) throws
  /// False when there is none.
  func delete(_ id: String, in collection: IdentityCollection) throws -> Bool
  /// Notes in the city's evidence log what this transaction does: both are there afterwards, or neither.
  func note(_ event: IdentityEvent) throws
}

/// Where the provider keeps what must outlive it.
///
/// What is done in one ``write(_:)`` is done whole or not at all, in order with all others, and is durable when it returns:
/// a code that is used twice at the same moment is given out once.
public protocol IdentityStorage: Sendable {
  /// Runs on the calling thread, without a thread hop.
  func read<Value>(_ body: (any IdentityReader) throws -> Value) throws -> Value
  /// Runs a read-modify-write; the body may run more than once and must not wait for anything.
  func write<Value: Sendable>(_ body: @escaping @Sendable (any IdentityWriter) throws -> Value) async throws -> Value
  /// Notes in the evidence log what anybody can cause as often as he likes, a wrong password say: the first at once, the
  /// others together, so that the log cannot be flooded.
  func tell(_ event: IdentityEvent) async throws
}

extension IdentityReader {
  func person(_ id: String) throws -> Person? { try document(id, in: .people).flatMap { Person(id: id, $0) } }

  func person(named username: String) throws -> Person? {
    guard let username = Person.normalized(username: username),
      let id = try document(username, in: .usernames)?.string
    else { return nil }
    return try person(id)
  }

  func client(_ id: String) throws -> Client? { try document(id, in: .clients).flatMap { Client(id: id, $0) } }
}

extension IdentityWriter {
  func put(_ person: Person) throws { try put(person.json, id: person.id, in: .people) }
  func put(_ client: Client) throws { try put(client.json, id: client.id, in: .clients) }
}
