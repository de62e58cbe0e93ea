import Hummingbird
import NGSI

/// `/oauth/people`: who may log in, kept by administrators.
extension IdentityProvider {
  static let mostListed = 100

  func people(_ request: Incoming) throws -> Response {
    let offset = request.parameters["offset"].flatMap(Int.init).map { max(0, $0) } ?? 0
    let limit =
      request.parameters["limit"].flatMap(Int.init).map { min(max(1, $0), Self.mostListed) } ?? Self.mostListed
    let (people, count) = try storage.read { reader in
      (try reader.documents(in: .people, offset: offset, limit: limit), try reader.count(in: .people))
    }
    let shown = people.compactMap { Person(id: $0.id, $0.body)?.shown }
    return Reply.json(["people": .array(shown), "count": .integer(Int64(count))])
  }

  func person(_ id: String) throws -> Response {
    guard let person = try storage.read({ try $0.person(id) }) else { return Reply.nothingHere }
    return Reply.json(person.shown)
  }

  /// Makes a person. Without a `password` one is made that opens only the page for another, and given back once.
  func addPerson(_ request: Incoming, by administrator: Authenticated) async throws -> Response {
    let json = try Self.json(request)
    guard let username = json["username"]?.string.flatMap(Person.normalized) else {
      throw OAuthError(.invalidRequest, "username must have from 1 to 64 of a-z, 0-9 and . _ - @")
    }
    var person = Person(
      id: Secret.make(bytes: 16), username: username, name: json["name"]?.string ?? username, createdAt: now())
    try Self.change(&person, json)
    let password = json["password"]?.string
    if let password, let problem = PasswordRule.problem(password, of: username) {
      throw OAuthError(.invalidRequest, pages.table("en")[problem] ?? problem)
    }
    let oneTime = password == nil ? Secret.make(bytes: 15) : nil
    if let oneTime {
      person.password = try PasswordHash(of: oneTime, cost: .machineMade).text
    } else if let password {
      person.password = try await hashed(password, for: request.source)
    }
    person.mustChangePassword = oneTime != nil
    let made = person
    let most = settings.mostPeople
    let events = changes(from: nil, to: made, request, by: administrator)
    try await storage.write { writer in
      guard try writer.count(in: .people) < most else {
        throw OAuthError(.invalidRequest, "there are \(most) people already")
      }
      guard try writer.document(username, in: .usernames) == nil else {
        throw OAuthError(.invalidRequest, "the user name is taken")
      }
      try writer.put(made)
      try writer.put(.string(made.id), id: username, in: .usernames)
      for event in events { try writer.note(event) }
    }
    var object = made.shown.object ?? JSONObject()
    object["oneTimePassword"] = oneTime.map(JSON.string)
    return Reply.json(.object(object), status: .created)
  }

  /// Changes what is given. `isDisabled: true` ends all sessions and tokens of the person at once, and so does
  /// `resetPassword: true`, which gives a new one-time password; `resetOneTimeCode: true` takes the authenticator
  /// application away.
  func changePerson(_ id: String, _ request: Incoming, by administrator: Authenticated) async throws -> Response {
    let json = try Self.json(request)
    var checked = Person(id: id, username: "x", name: "x", createdAt: 0)
    try Self.change(&checked, json)
    let oneTime = json["resetPassword"]?.bool == true ? Secret.make(bytes: 15) : nil
    let newHash = try oneTime.map { text throws(IdentityFailure) in try PasswordHash(of: text, cost: .machineMade).text
    }
    let now = now()
    let entry = Revocations.Entry(at: now, until: now + settings.accessTokenLifetime + settings.clockSkew)
    let endsAll = json["isDisabled"]?.bool == true || oneTime != nil
    let changed = try await storage.write { writer -> Person? in
      guard let before = try writer.person(id) else { return nil }
      var person = before
      try Self.change(&person, json)
      if let isDisabled = json["isDisabled"]?.bool { person.isDisabled = isDisabled }
      if let newHash {
        person.password = newHash
        person.mustChangePassword = true
      }
      if json["resetOneTimeCode"]?.bool == true { person.oneTimeCode = nil }
      if endsAll {
        person.sessionEpoch += 1
        try Revocations.write(.subject(id), entry, to: writer)
      }
      try writer.put(person)
      for event in self.changes(from: before, to: person, request, by: administrator) { try writer.note(event) }
      return person
    }
    guard let changed else { return Reply.nothingHere }
    if endsAll { revocations.add(.subject(id), entry) }
    var object = changed.shown.object ?? JSONObject()
    object["oneTimePassword"] = oneTime.map(JSON.string)
    return Reply.json(.object(object))
  }

  /// What is noted of a change, or of a new person: rights given and taken one by one, all else in one.
  private func changes(
    from old: Person?, to new: Person, _ request: Incoming, by administrator: Authenticated
  ) -> [IdentityEvent] {
    var events: [IdentityEvent] = []
    func add(_ kind: IdentityEvent.Kind, _ details: [String] = []) {
      let detail = details.isEmpty ? nil : String(details.joined(separator: ", ").prefix(500))
      events.append(event(kind, request, person: new.id, by: administrator, detail: detail))
    }
    let before = old?.standing ?? Standing()
    var others: [String] = []
    if let old {
      if old.name != new.name { others.append("name") }
      if old.email != new.email { others.append("email") }
    }
    if before.agency != new.standing.agency { others.append("agency " + (new.standing.agency ?? "none")) }
    if before.groups != new.standing.groups { others.append("groups " + new.standing.groups.joined(separator: " ")) }
    if before.tenants != new.standing.tenants {
      others.append("tenants " + new.standing.tenants.joined(separator: " "))
    }
    if old == nil { add(.personAdded, others) } else if !others.isEmpty { add(.personChanged, others) }
    let given = Set(new.standing.roles).subtracting(before.roles).sorted()
    let taken = Set(before.roles).subtracting(new.standing.roles).sorted()
    if !given.isEmpty { add(.rolesGiven, given) }
    if !taken.isEmpty { add(.rolesTaken, taken) }
    guard let old else { return events }
    if old.isDisabled != new.isDisabled { add(new.isDisabled ? .personDisabled : .personEnabled) }
    if old.password != new.password { add(.passwordReset) }
    if old.oneTimeCode != nil, new.oneTimeCode == nil { add(.oneTimeCodeReset) }
    if old.sessionEpoch != new.sessionEpoch { add(.sessionsEnded) }
    return events
  }

  private static func change(_ person: inout Person, _ json: JSONObject) throws(OAuthError) {
    if let name = json["name"] {
      guard let name = name.string, (1...200).contains(name.utf8.count) else {
        throw OAuthError(.invalidRequest, "name must have from 1 to 200 bytes")
      }
      person.name = name
    }
    if let email = json["email"] {
      guard let email = email.string, (3...254).contains(email.utf8.count), email.contains("@") else {
        throw OAuthError(.invalidRequest, "email is no e-mail address")
      }
      person.email = email
    }
    for member in ["roles", "groups", "tenants"] {
      guard let value = json[member] else { continue }
      guard let names = value.strings, names.count == value.array?.count else {
        throw OAuthError(.invalidRequest, "\(member) must be a list of texts")
      }
      switch member {
      case "roles": person.standing.roles = names
      case "groups": person.standing.groups = names
      default: person.standing.tenants = names
      }
    }
    if let agency = json["agency"] { person.standing.agency = agency.string }
    guard person.standing.isFit else {
      throw OAuthError(.invalidRequest, "roles, groups, agency or tenants are too many or too long")
    }
  }
}
