import NGSI

/// Someone who may log in.
public struct Person: Sendable, Hashable {
  /// Never given to anyone else; the `sub` of tokens.
  public let id: String
  /// What is typed at the door: 1 to 64 of `a-z 0-9 . _ - @`.
  public var username: String
  public var name: String
  public var email: String?
  public var standing: Standing
  /// In the form of ``PasswordHash``; `nil` for who has none.
  var password: String?
  /// The password was given by someone else: it opens nothing but the page for a new one.
  var mustChangePassword = false
  var oneTimeCode: OneTimeCodeKey?
  var passkeys: [Passkey] = []
  public var isDisabled = false
  /// Raised when all sessions and grants of the person are to end.
  var sessionEpoch = 0
  /// Seconds since 1970.
  public let createdAt: Int

  public init(
    id: String, username: String, name: String, email: String? = nil, standing: Standing = Standing(), createdAt: Int
  ) {
    self.id = id
    self.username = username
    self.name = name
    self.email = email
    self.standing = standing
    self.createdAt = createdAt
  }

  /// The user name as it is kept; `nil` when it can be none.
  public static func normalized(username text: String) -> String? {
    let text = text.lowercased()
    let isFit = text.utf8.allSatisfy { byte in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
        || byte == UInt8(ascii: "@")
    }
    return isFit && (1...64).contains(text.utf8.count) ? text : nil
  }
}

/// What a person or a client is to the city: the facts that rules of access look at.
public struct Standing: Sendable, Hashable {
  /// E.g. `administrator`, `operator`, `auditor` (the `roles` of RFC 9068 section 2.2.3.1).
  public var roles: [String] = []
  /// The `groups` of RFC 9068 section 2.2.3.1.
  public var groups: [String] = []
  /// E.g. `police`, `fire`.
  public var agency: String?
  /// Tenants that may be acted in; none stands for the default one.
  public var tenants: [String] = []

  /// Who may make people and clients.
  public static let administrator = "administrator"
  /// Which client may ask about tokens that are not its own (RFC 7662).
  public static let resourceServer = "resource-server"

  public init(roles: [String] = [], groups: [String] = [], agency: String? = nil, tenants: [String] = []) {
    self.roles = roles
    self.groups = groups
    self.agency = agency
    self.tenants = tenants
  }

  static let mostNames = 64
  static let longestName = 128

  /// Reads the members `roles`, `groups`, `agency` and `tenants`.
  init(_ json: JSON) {
    roles = json["roles"]?.strings ?? []
    groups = json["groups"]?.strings ?? []
    agency = json["agency"]?.string
    tenants = json["tenants"]?.strings ?? []
  }

  /// Adds the members that are not empty.
  func write(to object: inout JSONObject) {
    if !roles.isEmpty { object["roles"] = JSON(roles) }
    if !groups.isEmpty { object["groups"] = JSON(groups) }
    if let agency { object["agency"] = .string(agency) }
    if !tenants.isEmpty { object["tenants"] = JSON(tenants) }
  }

  /// Whether it keeps to the bounds.
  var isFit: Bool {
    [roles, groups, tenants, agency.map { [$0] } ?? []].allSatisfy { names in
      names.count <= Self.mostNames && names.allSatisfy { (1...Self.longestName).contains($0.utf8.count) }
    }
  }
}

/// The key of a person's authenticator application (RFC 6238).
struct OneTimeCodeKey: Sendable, Hashable {
  /// Sealed, so that who reads the store alone cannot make codes.
  var sealed: String
  /// The time step of the last code that was taken: it and all before are refused from then on.
  var lastStep: Int64
  /// Whether a code of it was ever shown; until then it asks for nothing.
  var isConfirmed: Bool
}

extension Person {
  var json: JSON {
    var object = JSONObject([
      "username": .string(username), "name": .string(name), "email": email.map(JSON.string),
      "createdAt": .integer(Int64(createdAt)), "password": password.map(JSON.string),
      "mustChangePassword": mustChangePassword ? true : nil, "isDisabled": isDisabled ? true : nil,
      "sessionEpoch": .integer(Int64(sessionEpoch)),
    ])
    standing.write(to: &object)
    if let oneTimeCode {
      object["oneTimeCode"] = [
        "sealed": .string(oneTimeCode.sealed), "lastStep": .integer(oneTimeCode.lastStep),
        "isConfirmed": .bool(oneTimeCode.isConfirmed),
      ]
    }
    if !passkeys.isEmpty { object["passkeys"] = .array(passkeys.map(\.json)) }
    return .object(object)
  }

  init?(id: String, _ json: JSON) {
    guard let username = json["username"]?.string, let name = json["name"]?.string,
      let createdAt = json["createdAt"]?.integer
    else { return nil }
    self.init(
      id: id, username: username, name: name, email: json["email"]?.string, standing: Standing(json),
      createdAt: Int(createdAt))
    password = json["password"]?.string
    mustChangePassword = json["mustChangePassword"]?.bool ?? false
    if let key = json["oneTimeCode"], let sealed = key["sealed"]?.string {
      oneTimeCode = OneTimeCodeKey(
        sealed: sealed, lastStep: key["lastStep"]?.integer ?? 0, isConfirmed: key["isConfirmed"]?.bool ?? false)
    }
    passkeys = (json["passkeys"]?.array ?? []).compactMap(Passkey.init)
    isDisabled = json["isDisabled"]?.bool ?? false
    sessionEpoch = Int(json["sessionEpoch"]?.integer ?? 0)
  }

  /// What administrators see: no secret.
  var shown: JSON {
    var object = JSONObject([
      "id": .string(id), "username": .string(username), "name": .string(name), "email": email.map(JSON.string),
      "createdAt": .integer(Int64(createdAt)), "isDisabled": .bool(isDisabled),
      "hasOneTimeCode": .bool(oneTimeCode?.isConfirmed ?? false), "passkeys": .integer(Int64(passkeys.count)),
    ])
    standing.write(to: &object)
    return .object(object)
  }
}

extension JSON {
  /// The texts of an array, without what is none.
  var strings: [String]? { array?.compactMap(\.string) }

  init(_ texts: [String]) { self = .array(texts.map(JSON.string)) }
}

extension JSONObject {
  /// The members that there are, in this order.
  init(_ members: KeyValuePairs<String, JSON?>) {
    self.init(uniqueMembers: members.compactMap { key, value in value.map { Member(key: key, value: $0) } })
  }
}
