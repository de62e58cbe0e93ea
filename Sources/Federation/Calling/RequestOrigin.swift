import Store

/// Where a request comes from, as far as what is sent on because of it depends on that.
public struct RequestOrigin: Sendable {
  public var tenant: Tenant
  /// The `Via` header as it came; `nil` for a request that comes from a client.
  public var via: String?
  /// Headers of the request, which registrations may ask to be sent on (clause 4.3.6.5).
  public var header: @Sendable (String) -> String?
  /// What the answers for it take in memory; `nil` where each is let go of as soon as it is read.
  public var share: AnswerShare?

  public init(
    tenant: Tenant, via: String? = nil, share: AnswerShare? = nil,
    header: @escaping @Sendable (String) -> String? = { _ in nil }
  ) {
    self.share = share
    self.tenant = tenant
    self.via = via
    self.header = header
  }

  /// Pseudonyms of those that the request has come by (RFC 9110 section 7.6.3: protocol, then who received it).
  var passed: Set<String> {
    guard let via else { return [] }
    var names: Set<String> = []
    for entry in via.split(separator: ",") {
      let parts = entry.split(separator: " ", omittingEmptySubsequences: true)
      if let name = parts.count > 1 ? parts[1] : parts.first { names.insert(String(name)) }
    }
    return names
  }
}
