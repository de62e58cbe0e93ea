import Glibc

/// Where the hub may call others: context sources, and what adapters fetch.
///
/// A city's districts are on private networks, so private and loopback addresses may be called unless a rule says
/// otherwise. What never may be called: link-local addresses, where machines in clouds are told their secrets, the
/// unspecified address, and multicast.
public struct Egress: Sendable {
  /// Host names and addresses that may be called though a rule below forbids them.
  public var allowed: Set<String>
  /// Host names and addresses that may not be called.
  public var forbidden: Set<String>
  /// Whether addresses of private networks (RFC 1918, RFC 4193) and loopback may be called.
  public var allowsPrivate: Bool

  public init(allowed: Set<String> = [], forbidden: Set<String> = [], allowsPrivate: Bool = true) {
    self.allowed = allowed
    self.forbidden = forbidden
    self.allowsPrivate = allowsPrivate
  }

  /// A sentence that says why the URL may not be called; `nil` when it may.
  ///
  /// A name is judged as it is written; ``refusal(ofResolved:)`` judges the addresses it stands for.
  public func refusal(of url: String) -> String? {
    guard let host = Self.host(of: url) else { return "its endpoint names no host" }
    if allowed.contains(host) { return nil }
    if forbidden.contains(host) { return "the egress rules forbid \(host)" }
    if host == "localhost" || host.hasSuffix(".localhost") {
      return allowsPrivate ? nil : "the egress rules forbid private addresses"
    }
    guard let bytes = Self.address(host) else { return nil }
    return refusal(of: bytes)
  }

  /// The same for an address of 4 or 16 bytes.
  public func refusal(of address: [UInt8]) -> String? {
    let mapped = address.count == 16 && address.prefix(10).allSatisfy { $0 == 0 } && address[10...11] == [255, 255]
    let bytes = mapped ? Array(address.suffix(4)) : address
    if Self.isReserved(bytes) { return "its address may not be called" }
    if !allowsPrivate, Self.isPrivate(bytes) { return "the egress rules forbid private addresses" }
    return nil
  }

  /// The same, with the addresses that the system gives for the host's name. It asks the resolver and so may take
  /// seconds: not for an event loop. A name that is not known is not refused, since it leads nowhere.
  public func refusal(ofResolved url: String) -> String? {
    if let refusal = refusal(of: url) { return refusal }
    guard let host = Self.host(of: url), !allowed.contains(host), Self.address(host) == nil else { return nil }
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, nil, &hints, &found) == 0 else { return nil }
    defer { freeaddrinfo(found) }
    var next = found
    while let entry = next?.pointee {
      next = entry.ai_next
      if let bytes = Self.bytes(of: entry), let refusal = refusal(of: bytes) { return refusal }
    }
    return nil
  }

  private static func bytes(of entry: addrinfo) -> [UInt8]? {
    switch entry.ai_family {
    case AF_INET:
      return entry.ai_addr.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { pointer in
        withUnsafeBytes(of: pointer.pointee.sin_addr) { Array($0) }
      }
    case AF_INET6:
      return entry.ai_addr.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { pointer in
        withUnsafeBytes(of: pointer.pointee.sin6_addr) { Array($0) }
      }
    default: return nil
    }
  }

  private static func isReserved(_ bytes: [UInt8]) -> Bool {
    guard bytes.count == 16 else {
      return bytes[0] == 0 || (bytes[0] == 169 && bytes[1] == 254) || bytes[0] >= 224
    }
    return bytes.allSatisfy { $0 == 0 } || bytes[0] == 0xFF || (bytes[0] == 0xFE && bytes[1] & 0xC0 == 0x80)
  }

  private static func isPrivate(_ bytes: [UInt8]) -> Bool {
    guard bytes.count == 16 else {
      return bytes[0] == 10 || bytes[0] == 127 || (bytes[0] == 172 && bytes[1] & 0xF0 == 16)
        || (bytes[0] == 192 && bytes[1] == 168) || (bytes[0] == 100 && bytes[1] & 0xC0 == 64)
    }
    return bytes[0] & 0xFE == 0xFC || (bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1)
  }

  /// The host of a URL, in lower case, without brackets.
  public static func host(of url: String) -> String? {
    let parts = url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count >= 3 else { return nil }
    let authority = parts[2].split(separator: "@").last ?? ""
    if authority.hasPrefix("[") {
      return authority.firstIndex(of: "]").map {
        authority[authority.index(after: authority.startIndex)..<$0].lowercased()
      }
    }
    let host = authority.split(separator: ":").first.map { $0.lowercased() } ?? ""
    return host.isEmpty ? nil : host.hasSuffix(".") ? String(host.dropLast()) : host
  }

  /// The bytes of an address in any of the forms that the system reads as one (`127.1`, `0x7f.1`, `2130706433` too).
  private static func address(_ host: String) -> [UInt8]? {
    var v6 = in6_addr()
    if inet_pton(AF_INET6, host, &v6) == 1 { return withUnsafeBytes(of: &v6) { Array($0) } }
    var v4 = in_addr()
    guard inet_aton(host, &v4) != 0 else { return nil }
    return withUnsafeBytes(of: &v4) { Array($0) }
  }
}
