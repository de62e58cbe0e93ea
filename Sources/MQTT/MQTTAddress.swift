/// A topic at a broker, as a URI says it: `mqtt[s]://[user][:password]@host[:port]/topic[/level]*`
/// (ETSI GS CIM 009 clause 7.2).
///
/// User, password and topic may hold percent escapes (RFC 3986 section 2.1). The topic is one to publish on: it has no
/// wildcard, and does not begin with `$`, which belongs to the broker (MQTT 5.0 section 4.7).
public struct MQTTAddress: Sendable, Hashable {
  public var broker: MQTTBroker
  public var topic: String

  /// Longest URI in bytes.
  public static let longest = 4096

  /// - Throws: ``MQTTError`` `notAnAddress`, with what was found and what was expected.
  public init(_ uri: String) throws(MQTTError) {
    guard uri.utf8.count <= Self.longest else { throw .notAnAddress("it has more than \(Self.longest) bytes") }
    guard let mark = uri.firstRange(of: "://") else { throw .notAnAddress("it has no mqtt:// or mqtts://") }
    let isSecure: Bool
    switch uri[..<mark.lowerBound].lowercased() {
    case "mqtt": isSecure = false
    case "mqtts": isSecure = true
    case let other: throw .notAnAddress("its scheme is '\(other.prefix(20))', mqtt or mqtts is expected")
    }
    let rest = uri[mark.upperBound...]
    guard !rest.contains("?"), !rest.contains("#") else {
      throw .notAnAddress("it has '?' or '#', which no topic to publish on can have as it stands")
    }
    guard let slash = rest.firstIndex(of: "/") else { throw .notAnAddress("it names no topic") }
    broker = try Self.broker(rest[..<slash], isSecure: isSecure)
    topic = try Self.decoded(rest[rest.index(after: slash)...])
    if let refusal = Self.refusal(ofTopic: topic) { throw .notAnAddress(refusal) }
  }

  /// Why nothing can be published on a topic; `nil` when something can.
  public static func refusal(ofTopic topic: String) -> String? {
    if topic.isEmpty { return "it names no topic" }
    if topic.utf8.count > 65_535 { return "its topic has more than 65535 bytes" }
    if topic.utf8.first == UInt8(ascii: "$") { return "its topic begins with '$', which belongs to the broker" }
    for scalar in topic.unicodeScalars {
      switch scalar.value {
      case 0x2B, 0x23: return "its topic has the wildcard '\(scalar)'"
      case 0..<0x20, 0x7F..<0xA0: return "its topic has a control character"
      case 0xFDD0...0xFDEF: return "its topic has a character that is none"
      case let value where value & 0xFFFE == 0xFFFE: return "its topic has a character that is none"
      default: continue
      }
    }
    return nil
  }

  private static func broker(_ authority: Substring, isSecure: Bool) throws(MQTTError) -> MQTTBroker {
    var place = authority
    var user: String?
    var password: String?
    if let at = authority.lastIndex(of: "@") {
      let credentials = authority[..<at]
      place = authority[authority.index(after: at)...]
      if let colon = credentials.firstIndex(of: ":") {
        user = try decoded(credentials[..<colon])
        password = try decoded(credentials[credentials.index(after: colon)...])
      } else {
        user = try decoded(credentials)
      }
    }
    let (host, port) = try hostAndPort(place, isSecure: isSecure)
    return MQTTBroker(host: host, port: port, isSecure: isSecure, user: user, password: password)
  }

  private static func hostAndPort(_ place: Substring, isSecure: Bool) throws(MQTTError) -> (String, Int) {
    var host = place
    var port: Int?
    if place.first == "[" {
      guard let end = place.firstIndex(of: "]") else { throw .notAnAddress("its host has '[' without ']'") }
      host = place[place.index(after: place.startIndex)..<end]
      let rest = place[place.index(after: end)...]
      guard rest.isEmpty || rest.first == ":" else { throw .notAnAddress("something stands after its host") }
      if !rest.isEmpty { port = try number(rest.dropFirst()) }
      guard host.utf8.allSatisfy({ isHexDigit($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") }) else {
        throw .notAnAddress("its host is no IPv6 address")
      }
    } else if let colon = place.firstIndex(of: ":") {
      host = place[..<colon]
      port = try number(place[place.index(after: colon)...])
    }
    guard !host.isEmpty, host.utf8.count <= 253 else { throw .notAnAddress("it has no host of 1 to 253 characters") }
    guard place.first == "[" || host.utf8.allSatisfy(isHostByte) else {
      throw .notAnAddress("its host has a character that no host name has")
    }
    return (String(host), port ?? (isSecure ? 8883 : 1883))
  }

  private static func number(_ text: Substring) throws(MQTTError) -> Int {
    guard text.utf8.count <= 5, text.utf8.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }), let port = Int(text),
      (1...65_535).contains(port)
    else { throw .notAnAddress("its port must be from 1 to 65535") }
    return port
  }

  private static func isHexDigit(_ byte: UInt8) -> Bool {
    byte &- UInt8(ascii: "0") < 10 || (byte | 0x20) &- UInt8(ascii: "a") < 6
  }

  private static func isHostByte(_ byte: UInt8) -> Bool {
    byte &- UInt8(ascii: "0") < 10 || (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte == UInt8(ascii: "-")
      || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_")
  }

  private static func decoded(_ text: Substring) throws(MQTTError) -> String {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      let digits = rest.prefix(2)
      guard digits.count == 2, digits.allSatisfy(isHexDigit), let digitText = String(digits),
        let value = UInt8(digitText, radix: 16)
      else { throw .notAnAddress("it has a broken percent escape") }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    guard let decoded = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
      throw .notAnAddress("it holds bytes that are no text")
    }
    return decoded
  }
}

/// Where a broker is, and as whom to go there.
public struct MQTTBroker: Sendable, Hashable {
  public var host: String
  public var port: Int
  public var isSecure: Bool
  public var user: String?
  public var password: String?

  public init(host: String, port: Int, isSecure: Bool = false, user: String? = nil, password: String? = nil) {
    self.host = host
    self.port = port
    self.isSecure = isSecure
    self.user = user
    self.password = password
  }
}
