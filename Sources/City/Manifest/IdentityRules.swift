import NGSI

/// What must hold between the keys of a manifest's outside identity providers.
struct IdentityRules {
  let file: CheckedFile

  func problems(_ providers: [Manifest.Identity.Provider]) -> [FileProblem] {
    var issuers: Set<String> = []
    var logins: Set<String> = []
    return providers.enumerated().flatMap { offset, provider in
      let path = "identity.providers[\(offset)]"
      return [
        problem(with: provider.issuer, isNew: issuers.insert(provider.issuer).inserted, path + ".issuer")
      ].compactMap(\.self)
        + (provider.login.map { login in
          problems(with: login, of: provider, isNew: logins.insert(login.id).inserted, path + ".login")
        } ?? [])
    }
  }

  /// Two descriptions of one issuer would leave open which holds; keys that come without TLS could be anyone's.
  private func problem(with issuer: String, isNew: Bool, _ path: String) -> FileProblem? {
    guard isNew else {
      return file.problem(at: path, found: "'\(issuer)' a second time", expected: "each issuer once")
    }
    let local = ["http://127.0.0.1", "http://[::1]", "http://localhost"].contains { start in
      issuer == start || issuer.hasPrefix(start + ":") || issuer.hasPrefix(start + "/")
    }
    guard issuer.hasPrefix("https://") || local else {
      return file.problem(at: path, found: "'\(issuer)'", expected: "https, or an address of this machine")
    }
    return nil
  }

  private func problems(
    with login: Manifest.Identity.Login, of provider: Manifest.Identity.Provider, isNew: Bool, _ path: String
  ) -> [FileProblem] {
    var problems: [FileProblem] = []
    func note(_ key: String, _ found: String, _ expected: String) {
      problems.append(file.problem(at: path + key, found: found, expected: expected))
    }
    if !isNew { note(".id", "'\(login.id)' a second time", "an id of its own") }
    // ID tokens are for the client: as an audience of access tokens it would make them open doors.
    if provider.audiences.contains(login.client) {
      note(".client", "'\(login.client)', which is among the audiences", "a client that no access token is for")
    }
    if (login.secret.env == nil) == (login.secret.file == nil) {
      note(".secret", "env and file both, or neither", "one of the two")
    }
    return problems
  }
}
