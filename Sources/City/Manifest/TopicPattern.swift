/// An MQTT topic filter (MQTT 5.0 section 4.7) whose wildcards may be named: `city/{district}/sensor/{device}/temp` is
/// the filter `city/+/sensor/+/temp`; `{rest#}` as the last level is `#`.
public struct TopicPattern: Sendable, Hashable {
  private enum Level: Sendable, Hashable {
    case exact(String)
    /// One level, by its name where it has one.
    case one(String?)
    /// All that follow, none included.
    case rest(String?)
  }

  /// Why a text is no pattern.
  public struct Flaw: Error, Sendable, Hashable {
    public var reason: String
  }

  private let levels: [Level]
  /// The filter to subscribe to.
  public let filter: String
  /// Names of its levels, in order.
  public let names: [String]

  /// Most bytes of a topic (MQTT 5.0 section 1.5.4).
  public static let longest = 65_535

  public init(_ text: String) throws(Flaw) {
    guard !text.isEmpty, text.utf8.count <= Self.longest else {
      throw Flaw(reason: "it has 1 to \(Self.longest) bytes")
    }
    guard text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && !(0x7F..<0xA0).contains($0.value) }) else {
      throw Flaw(reason: "it has a control character")
    }
    var levels: [Level] = []
    var names: [String] = []
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    for (offset, part) in parts.enumerated() {
      if case .rest? = levels.last { throw Flaw(reason: "nothing can follow '\(parts[offset - 1])'") }
      switch part {
      case "+": levels.append(.one(nil))
      case "#": levels.append(.rest(nil))
      case let part where part.first == "{" && part.last == "}":
        let takesRest = part.hasSuffix("#}")
        let name = String(part.dropFirst().dropLast(takesRest ? 2 : 1))
        guard !name.isEmpty, name.utf8.allSatisfy({ ($0 | 0x20) &- 0x61 < 26 || $0 &- 48 < 10 || $0 == 0x5F }) else {
          throw Flaw(reason: "'\(part.prefix(60))' names no level: letters, digits and _ are expected")
        }
        guard !names.contains(name) else { throw Flaw(reason: "the level '\(name)' stands twice") }
        names.append(name)
        levels.append(takesRest ? .rest(name) : .one(name))
      default:
        guard !part.contains(where: { "+#{}".contains($0) }) else {
          throw Flaw(reason: "'\(part.prefix(60))': a wildcard or a name is a whole level")
        }
        levels.append(.exact(String(part)))
      }
    }
    self.levels = levels
    self.names = names
    filter = levels.map {
      switch $0 {
      case .exact(let text): text
      case .one: "+"
      case .rest: "#"
      }
    }.joined(separator: "/")
  }

  /// The named levels of a topic; `nil` for one that the filter does not cover.
  public func values(in topic: String) -> [String: String]? {
    let parts = topic.split(separator: "/", omittingEmptySubsequences: false)
    // A wildcard at the beginning does not cover the broker's own topics (section 4.7.2).
    if topic.first == "$", case .exact? = levels.first {} else if topic.first == "$" { return nil }
    var values: [String: String] = [:]
    for (offset, level) in levels.enumerated() {
      switch level {
      case .rest(let name):
        if let name { values[name] = parts.dropFirst(offset).joined(separator: "/") }
        return values
      case .one(let name):
        guard offset < parts.count else { return nil }
        if let name { values[name] = String(parts[offset]) }
      case .exact(let text):
        guard offset < parts.count, parts[offset].elementsEqual(text) else { return nil }
      }
    }
    return parts.count == levels.count ? values : nil
  }
}
