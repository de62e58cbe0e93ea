import NGSI

/// Somebody whom an outside provider speaks for, as it spoke at the login. No account is kept of him here.
struct OutsidePerson: Sendable, Hashable {
  let issuer: String
  let subject: String
  let name: String
  /// Roles there, of those that the manifest names. What they are here is looked up with each request.
  let roles: [String]

  /// What he is called in rules and in the evidence log, so that nobody takes another's name.
  var account: String { issuer + "#" + subject }

  static let longestName = 200

  init(issuer: String, subject: String, name: String, roles: [String]) {
    self.issuer = issuer
    self.subject = subject
    self.name = name
    self.roles = roles
  }

  var json: JSON {
    ["issuer": .string(issuer), "subject": .string(subject), "name": .string(name), "roles": JSON(roles)]
  }

  init?(_ json: JSON) {
    guard let issuer = json["issuer"]?.string, let subject = json["subject"]?.string else { return nil }
    self.init(
      issuer: issuer, subject: subject, name: json["name"]?.string ?? subject, roles: json["roles"]?.strings ?? [])
  }
}
