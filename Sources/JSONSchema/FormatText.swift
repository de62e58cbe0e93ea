import Glibc
import NGSI
import Patterns

/// What texts of a format look like.
enum FormatText {
  private static func digits(_ text: ArraySlice<UInt8>) -> Int? {
    guard !text.isEmpty, text.count < 10 else { return nil }
    var value = 0
    for byte in text {
      guard byte &- 0x30 < 10 else { return nil }
      value = value * 10 + Int(byte - 0x30)
    }
    return value
  }

  // MARK: - Times (RFC 3339 section 5.6, appendix A)

  static func isDateTime(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    guard bytes.count >= 20, bytes[10] | 0x20 == 0x74 else { return false }
    return isDate(bytes[..<10]) && isTime(bytes[11...])
  }

  static func isDate(_ text: ArraySlice<UInt8>) -> Bool {
    let start = text.startIndex
    guard text.count == 10, text[start + 4] == 0x2D, text[start + 7] == 0x2D,
      let year = digits(text[start..<start + 4]), let month = digits(text[start + 5..<start + 7]),
      let day = digits(text[start + 8..<start + 10]), (1...12).contains(month)
    else { return false }
    return (1...DateTime.daysInMonth(month, year: year)).contains(day)
  }

  static func isTime(_ text: ArraySlice<UInt8>) -> Bool {
    let start = text.startIndex
    guard text.count >= 9, text[start + 2] == 0x3A, text[start + 5] == 0x3A,
      let hour = digits(text[start..<start + 2]), let minute = digits(text[start + 3..<start + 5]),
      let second = digits(text[start + 6..<start + 8]), hour < 24, minute < 60, second < 61
    else { return false }
    var rest = text[(start + 8)...]
    if rest.first == 0x2E {
      let fraction = rest.dropFirst().prefix { $0 &- 0x30 < 10 }
      guard !fraction.isEmpty else { return false }
      rest = rest.dropFirst(fraction.count + 1)
    }
    var offset = 0
    if rest.count == 1, rest.first.map({ $0 | 0x20 == 0x7A }) ?? false {
      offset = 0
    } else {
      let at = rest.startIndex
      guard rest.count == 6, rest[at] == 0x2B || rest[at] == 0x2D, rest[at + 3] == 0x3A,
        let hours = digits(rest[at + 1..<at + 3]), let minutes = digits(rest[at + 4..<at + 6]), hours < 24, minutes < 60
      else { return false }
      offset = (hours * 60 + minutes) * (rest[at] == 0x2B ? 1 : -1)
    }
    // A leap second ends a day of UTC.
    return second < 60 || (((hour * 60 + minute - offset) % 1440) + 1440) % 1440 == 1439
  }

  static func isDuration(_ text: String) -> Bool {
    guard text.hasPrefix("P"), text.utf8.count > 2 else { return false }
    let parts = text.dropFirst().split(separator: "T", omittingEmptySubsequences: false)
    guard parts.count <= 2 else { return false }
    func units(_ part: Substring) -> String? {
      var units = ""
      var hasDigits = false
      for byte in part.utf8 {
        if byte &- 0x30 < 10 {
          hasDigits = true
        } else {
          guard hasDigits else { return nil }
          units.append(Character(UnicodeScalar(byte)))
          hasDigits = false
        }
      }
      return hasDigits ? nil : units
    }
    guard let days = units(parts[0]) else { return false }
    guard parts.count == 2 else { return days == "W" || (!days.isEmpty && "YMD".contains(days)) }
    guard let times = units(parts[1]), !times.isEmpty, "HMS".contains(times) else { return false }
    return days.isEmpty || "YMD".contains(days)
  }

  // MARK: - Names and addresses

  static func isEmail(_ text: String, international: Bool) -> Bool {
    guard let mark = text.lastIndex(of: "@"), international || text.utf8.allSatisfy({ $0 < 0x80 }) else { return false }
    let (local, domain) = (text[..<mark], text[text.index(after: mark)...])
    guard !local.isEmpty, local.utf8.count <= 64 else { return false }
    if local.hasPrefix("\"") {
      guard local.count >= 2, local.hasSuffix("\"") else { return false }
    } else {
      let allowed = Set("!#$%&'*+-/=?^_`{|}~".utf8)
      for atom in local.split(separator: ".", omittingEmptySubsequences: false) {
        let isAtom =
          !atom.isEmpty
          && atom.utf8.allSatisfy {
            ($0 | 0x20) &- 0x61 < 26 || $0 &- 0x30 < 10 || $0 >= 0x80 || allowed.contains($0)
          }
        guard isAtom else { return false }
      }
    }
    if domain.hasPrefix("["), domain.hasSuffix("]") {
      let literal = domain.dropFirst().dropLast()
      return literal.hasPrefix("IPv6:") ? isIPv6(String(literal.dropFirst(5))) : isIPv4(literal)
    }
    return international && !domain.utf8.allSatisfy { $0 < 0x80 } ? !domain.isEmpty : isHostname(String(domain))
  }

  /// RFC 1123 section 2.1.
  static func isHostname(_ text: String) -> Bool {
    guard (1...253).contains(text.utf8.count) else { return false }
    return text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
      let bytes = Array(label.utf8)
      guard (1...63).contains(bytes.count), bytes.first != 0x2D, bytes.last != 0x2D else { return false }
      // Hyphens at the third and fourth place are kept for internationalized labels.
      if bytes.count >= 4, bytes[2] == 0x2D, bytes[3] == 0x2D, !label.lowercased().hasPrefix("xn--") { return false }
      return bytes.allSatisfy { ($0 | 0x20) &- 0x61 < 26 || $0 &- 0x30 < 10 || $0 == 0x2D }
    }
  }

  static func isIPv4(_ text: Substring) -> Bool {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4
      && parts.allSatisfy { part in
        let bytes = Array(part.utf8)
        guard (1...3).contains(bytes.count), bytes.count == 1 || bytes[0] != 0x30 else { return false }
        return digits(bytes[...]).map { $0 < 256 } ?? false
      }
  }

  static func isIPv6(_ text: String) -> Bool {
    guard text.utf8.count <= 45, text.utf8.allSatisfy({ $0 < 0x80 }) else { return false }
    var address = in6_addr()
    return inet_pton(AF_INET6, text, &address) == 1
  }

  static func isUUID(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    guard bytes.count == 36 else { return false }
    return bytes.enumerated().allSatisfy { index, byte in
      [8, 13, 18, 23].contains(index) ? byte == 0x2D : byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 6
    }
  }

  // MARK: - References (RFC 3986, RFC 3987)

  static func isURI(_ text: String, international: Bool, mayBeRelative: Bool) -> Bool {
    let allowed = Set("-._~:/?#[]@!$&'()*+,;=%".utf8)
    let bytes = Array(text.utf8)
    for (index, byte) in bytes.enumerated() {
      let isLetter = (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10
      guard isLetter || allowed.contains(byte) || (international && byte >= 0x80) else { return false }
      if byte == 0x25 {
        guard index + 2 < bytes.count, isHex(bytes[index + 1]), isHex(bytes[index + 2]) else { return false }
      }
    }
    let reference = URIReference(text)
    guard reference.scheme != nil || mayBeRelative else { return false }
    if let fragment = reference.fragment, fragment.contains("#") { return false }
    if reference.scheme == nil, reference.authority == nil,
      reference.path.split(separator: "/", omittingEmptySubsequences: false).first?.contains(":") ?? false
    {
      return false
    }
    guard
      !(reference.path + (reference.query ?? "") + (reference.fragment ?? "")).contains(where: { "[]".contains($0) })
    else { return false }
    return reference.authority.map { isAuthority($0[...]) } ?? true
  }

  private static func isHex(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 6 }

  private static func isAuthority(_ text: Substring) -> Bool {
    var host = text
    if let mark = host.lastIndex(of: "@") {
      guard !host[..<mark].contains(where: { "[]@".contains($0) }) else { return false }
      host = host[host.index(after: mark)...]
    }
    if host.hasPrefix("[") {
      guard let end = host.firstIndex(of: "]") else { return false }
      let literal = host[host.index(after: host.startIndex)..<end]
      guard literal.lowercased().hasPrefix("v") || isIPv6(String(literal)) else { return false }
      host = host[host.index(after: end)...]
      return host.isEmpty || (host.hasPrefix(":") && host.dropFirst().utf8.allSatisfy { $0 &- 0x30 < 10 })
    }
    let parts = host.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count <= 2, !host.contains(where: { "[]".contains($0) }) else { return false }
    return parts.count < 2 || parts[1].utf8.allSatisfy { $0 &- 0x30 < 10 }
  }

  // MARK: - Pointers and patterns

  static func isPointer(_ text: String) -> Bool {
    guard text.isEmpty || text.hasPrefix("/") else { return false }
    let bytes = Array(text.utf8)
    return bytes.indices.allSatisfy { index in
      bytes[index] != 0x7E || (index + 1 < bytes.count && (bytes[index + 1] == 0x30 || bytes[index + 1] == 0x31))
    }
  }

  static func isRelativePointer(_ text: String) -> Bool {
    let count = text.utf8.prefix { $0 &- 0x30 < 10 }.count
    guard count > 0, count == 1 || !text.hasPrefix("0") else { return false }
    let rest = String(text.dropFirst(count))
    return rest == "#" || isPointer(rest)
  }

  static func isPattern(_ text: String) -> Bool {
    // Escapes that PCRE2 has and ECMA-262 has not.
    for (index, character) in text.enumerated() where character == "\\" {
      let next = text.dropFirst(index + 1).first
      if let next, "aZzAG".contains(next),
        text.prefix(index).reversed().prefix(while: { $0 == "\\" }).count.isMultiple(of: 2)
      {
        return false
      }
    }
    return (try? Pattern(text, dialect: .ecmaScript)) != nil
  }
}
