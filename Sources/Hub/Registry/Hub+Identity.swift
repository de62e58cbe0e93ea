import NGSI
import Store

extension Hub {
  private static let identityCollection = "identity"
  private static let identityDocument = "urn:ngsi-ld:ContextSourceIdentity:self"

  /// The pseudonym of this hub, and of one tenant of it, in `Via` (ETSI GS CIM 009 clauses 4.3.6.4 and 5.2.40): a token
  /// of RFC 9110, made once and kept in the store.
  public func alias(of tenant: Tenant) -> String {
    let own = identity.withLock { $0 }
    guard tenant != .default else { return own }
    let name = tenant.name.utf8.map { byte in
      RegistrationParser.isToken(String(UnicodeScalar(byte))) ? String(UnicodeScalar(byte)) : "_"
    }
    return own + "." + name.joined()
  }

  /// Takes up the identity of an earlier run, or keeps the new one.
  func resumeIdentity() async throws(Problem) {
    let fresh = identity.withLock { $0 }
    let kept = try await write { writer in
      let known = try writer.document(Self.identityDocument, collection: Self.identityCollection, in: .default)
      if let alias = known?.body["alias"]?.string { return alias }
      let document = StoredDocument(id: Self.identityDocument, body: ["alias": .string(fresh)])
      try writer.put(document, collection: Self.identityCollection, in: .default)
      return fresh
    }
    identity.withLock { $0 = kept }
  }
}
