/// The door for systems of other agencies, which speak a wire of their own and prove themselves by it.
public struct AgencyDoor: Sendable {
  /// Where the integrated platform's modules send events and log in (`docs/agency-link.md`).
  static let paths: [StaticString] = [
    "/integrationPlatformEvent", "/linkHttp/recvEvent.json", "/api/getAuth.json",
  ]

  let answer: @Sendable (APIRequest) async -> APIResponse

  public init(_ answer: @escaping @Sendable (APIRequest) async -> APIResponse) { self.answer = answer }
}
