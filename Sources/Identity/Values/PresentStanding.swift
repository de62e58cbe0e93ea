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
}

extension IdentityProvider {
  /// What people call someone who did something here, whether or not he may still come in.
  ///
  /// - Returns: `nil` for who is not known.
  public func name(ofPerson id: String) throws -> String? { try storage.read { try $0.person(id) }?.name }

  /// What people call a client; `nil` where it is not known.
  public func name(ofClient id: String) throws -> String? { try storage.read { try $0.client(id) }?.name }
}
