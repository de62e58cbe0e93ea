import NGSI
import Store

/// Whose key: an account or a subject, and among which others it has its name.
struct RegisterName: Sendable, Hashable {
  /// What it is to the entry.
  enum Part: String {
    case actor, subject
  }

  let part: Part
  let name: String
  /// The kind of the account, or the tenant of the subject; empty where it is not said.
  let space: String

  init(_ part: Part, _ name: String, of space: String?) {
    self.part = part
    self.name = name
    self.space = space ?? ""
  }

  /// What a commitment is to: the name, after a line with the space where it has one. No space has two lines.
  var committed: String { space.isEmpty ? name : space + "\n" + name }

  /// What its key is filed under.
  var label: String { space.isEmpty ? part.rawValue + ":" + name : part.rawValue + "@" + committed }
}

/// Who it was and whom it concerned: the clear text beside an entry, each part sealed with the key of the one it names.
/// The keys lie in the store's documents; a key that is deleted takes its lines with it.
struct Register {
  private static let keys = "evidence.key"
  private static let names = "evidence.key-of"

  /// Keys that one transaction has looked up or made.
  struct Keys {
    private var known: [RegisterName: (id: String, key: CommitmentKey)] = [:]

    /// The key of a name, made where there is none.
    mutating func key(of name: RegisterName, _ writer: any StoreWriter) throws -> (id: String, key: CommitmentKey) {
      if let found = known[name] { return found }
      let found = try Register.key(of: name, writer)
      known[name] = found
      return found
    }
  }

  private static func key(of name: RegisterName, _ writer: any StoreWriter) throws -> (
    id: String, key: CommitmentKey
  ) {
    let label = name.label
    if let id = try writer.document(label, collection: names, in: .default)?.body.string,
      let key = try key(id, writer)
    {
      return (id, key)
    }
    let key = CommitmentKey.random()
    let id = Base64URL.text(Array(CommitmentKey.random().bytes.prefix(16)))
    try writer.put(
      StoredDocument(id: id, body: ["key": .string(Base64URL.text(key.bytes)), "of": .string(label)]),
      collection: keys, in: .default)
    try writer.put(StoredDocument(id: label, body: .string(id)), collection: names, in: .default)
    return (id, key)
  }

  /// - Returns: `nil` when the key was destroyed.
  static func key(_ id: String, _ reader: any StoreReader) throws -> CommitmentKey? {
    guard let body = try reader.document(id, collection: keys, in: .default)?.body else { return nil }
    guard let key = body["key"]?.string.flatMap(Base64URL.bytes).flatMap({ CommitmentKey($0) }) else {
      throw EvidenceError.damaged("a key of the register cannot be read")
    }
    return key
  }

  /// The key of a name, where there is one.
  static func existingKey(of name: RegisterName, _ reader: any StoreReader) throws -> CommitmentKey? {
    guard let id = try reader.document(name.label, collection: names, in: .default)?.body.string else { return nil }
    return try key(id, reader)
  }

  /// Destroys the key of a name; false where there is none.
  static func destroyKey(of name: RegisterName, _ writer: any StoreWriter) throws -> Bool {
    guard let id = try writer.document(name.label, collection: names, in: .default)?.body.string else { return false }
    _ = try writer.deleteDocument(name.label, collection: names, in: .default)
    return try writer.deleteDocument(id, collection: keys, in: .default)
  }
}

/// A line of the register, as far as its keys are still there.
public struct RegisterLine: Sendable, Hashable {
  public var position: UInt64
  public var time: DateTime
  /// The public statement.
  public var statement: JSONObject
  public var actor: String?
  /// As ``Act/actorKind``.
  public var actorKind: String?
  public var source: String?
  public var subject: String?
  /// Of the subject; `nil` for the default one.
  public var tenant: String?
  public var reason: String?
  public var detail: String?
  /// Parts whose key was destroyed.
  public var erased: [String] = []
}

extension Register {
  /// Seals what an act says of people. Reason and detail go with the subject where there is one.
  static func sealed(
    _ act: Act, nonce: [UInt8], actor: (id: String, key: CommitmentKey)?, subject: (id: String, key: CommitmentKey)?
  ) throws(EvidenceError) -> [UInt8]? {
    var line = JSONObject()
    func add(_ part: RegisterName.Part, _ holder: (id: String, key: CommitmentKey)?, _ texts: [(String, String?)])
      throws(EvidenceError)
    {
      guard let holder else { return }
      var clear = JSONObject()
      for (name, text) in texts { if let text { clear[name] = .string(text) } }
      let sealed = try holder.key.seal(JSONWriter.bytes(.object(clear)), nonce: nonce)
      line[part.rawValue] = ["key": .string(holder.id), "sealed": .string(Base64URL.text(sealed))]
    }
    let why = [("reason", act.reason), ("detail", act.detail)]
    try add(
      .actor, actor,
      [("actor", act.actor), ("actorKind", act.actorKind), ("source", act.source)] + (subject == nil ? why : []))
    let tenant = act.tenant.flatMap { $0.isEmpty ? nil : $0 }
    try add(.subject, subject, [("subject", act.subject), ("tenant", tenant)] + why)
    return line.isEmpty ? nil : JSONWriter.bytes(.object(line))
  }

  /// Reads a line as far as it can be read.
  static func line(_ record: EvidenceRecord, at position: UInt64, _ reader: any StoreReader) throws -> RegisterLine {
    // A submission is a signed note, whose first line is its statement.
    let text = Array(record.entry.prefix { $0 != 0x0A })
    guard let statement = try? JSONParser.parse(text).object else {
      throw EvidenceError.damaged("entry \(position) is no statement")
    }
    var line = RegisterLine(position: position, time: record.time, statement: statement)
    guard let register = record.register else { return line }
    let nonce = statement["nonce"]?.string.flatMap(Base64URL.bytes) ?? []
    let parts = try JSONParser.parse(register)
    for part in [RegisterName.Part.actor, .subject] {
      guard let box = parts[part.rawValue] else { continue }
      guard let id = box["key"]?.string, let sealed = box["sealed"]?.string.flatMap(Base64URL.bytes) else {
        throw EvidenceError.damaged("the register's line of entry \(position) cannot be read")
      }
      guard let key = try key(id, reader) else {
        line.erased.append(part.rawValue)
        continue
      }
      let clear = try JSONParser.parse(try key.open(sealed, nonce: nonce))
      line.actor = clear["actor"]?.string ?? line.actor
      line.actorKind = clear["actorKind"]?.string ?? line.actorKind
      line.source = clear["source"]?.string ?? line.source
      line.subject = clear["subject"]?.string ?? line.subject
      line.tenant = clear["tenant"]?.string ?? line.tenant
      line.reason = clear["reason"]?.string ?? line.reason
      line.detail = clear["detail"]?.string ?? line.detail
    }
    return line
  }
}
