extension IdentityProvider {
  /// What a person of this city is today.
  ///
  /// - Returns: `nil` for who is not known, or was shut out.
  public func presentStanding(ofPerson id: String) throws -> Standing? {
    guard let person = try storage.read({ try $0.person(id) }), !person.isDisabled else { return nil }
    return person.standing
  }

  /// What a client of this city is today; `nil` where it is not known.
  public func presentStanding(ofClient id: String) throws -> Standing? {
    try storage.read { try $0.client(id) }?.standing
  }

  /// What somebody is today whom an outside provider speaks for. The city keeps no account of him: what he was when the
  /// provider last spoke for him holds, as far as the manifest still gives it to its people.
  ///
  /// - Parameters:
  ///   - account: `ISSUER#SUBJECT`.
  ///   - roles: that he had here.
  /// - Returns: `nil` where the provider is believed no more.
  public func presentStanding(ofOutside account: String, roles: [String]) -> Standing? {
    guard let issuer = account.split(separator: "#", maxSplits: 1).first.map(String.init),
      let provider = outside[issuer]
    else { return nil }
    let given = Set(provider.mapping.roles.values)
    return Standing(
      roles: roles.filter(given.contains), agency: provider.mapping.agency, tenants: provider.mapping.tenants)
  }
}

extension IdentityProvider {
  /// What people call someone who did something here, whether or not he may still come in.
  ///
  /// - Returns: `nil` for who is not known.
  public func name(ofPerson id: String) throws -> String? { try storage.read { try $0.person(id) }?.name }

  /// What people call a client; `nil` where it is not known.
  public func name(ofClient id: String) throws -> String? { try storage.read { try $0.client(id) }?.name }
}
