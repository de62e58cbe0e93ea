import NGSI

/// Reads members of a document that a client sends, each by its type, with an error that names it.
struct DocumentMembers {
  let limits: Limits

  func text(_ json: JSON?, _ member: String) throws(Problem) -> String? {
    guard let json else { return nil }
    guard case .string(let text) = json, !text.isEmpty else { throw .badRequest("'\(member)' must be a text") }
    return text
  }

  func texts(_ json: JSON?, _ member: String) throws(Problem) -> [String]? {
    guard let json else { return nil }
    guard case .array(let items) = json, !items.isEmpty else {
      throw .badRequest("'\(member)' must be an array with at least one text")
    }
    guard items.count <= limits.subscriptionItems else {
      throw .badRequest("'\(member)' may have at most \(limits.subscriptionItems) members")
    }
    var texts: [String] = []
    for item in items {
      guard case .string(let text) = item, !text.isEmpty else {
        throw .badRequest("'\(member)' must be an array of texts")
      }
      texts.append(text)
    }
    return texts
  }

  func flag(_ json: JSON?, _ member: String) throws(Problem) -> Bool? {
    guard let json else { return nil }
    guard case .bool(let flag) = json else { throw .badRequest("'\(member)' must be true or false") }
    return flag
  }

  func positive(_ json: JSON?, _ member: String) throws(Problem) -> Double? {
    guard let json else { return nil }
    guard let number = json.number, number > 0, number < 1e10 else {
      throw .badRequest("'\(member)' must be greater than 0")
    }
    return number
  }

  func time(_ json: JSON?, _ member: String) throws(Problem) -> DateTime? {
    guard let json else { return nil }
    guard let time = json.string.flatMap({ DateTime($0) }) else { throw .badRequest("'\(member)' must be a UTC time") }
    return time
  }

  /// Seconds of an ISO 8601 duration. A year counts 365 days, a month 30.
  func duration(_ json: JSON?, _ member: String) throws(Problem) -> Double? {
    guard let text = try text(json, member) else { return nil }
    guard let seconds = ISODuration.seconds(text) else {
      throw .badRequest("'\(member)' must be an ISO 8601 duration such as PT10M, found '\(text.prefix(40))'")
    }
    return seconds
  }

  /// An array of `{key, value}` (clause 5.2.22).
  func pairs(_ json: JSON?, _ member: String) throws(Problem) -> [(key: String, value: String)] {
    guard let json else { return [] }
    guard case .array(let items) = json, items.count <= 50 else {
      throw .badRequest("'\(member)' must be an array of at most 50 {key, value}")
    }
    var pairs: [(key: String, value: String)] = []
    for item in items {
      // Clients write a number such as the quality of service as a number too.
      guard let key = item["key"]?.string, let value = item["value"]?.string ?? item["value"]?.integer.map({ "\($0)" })
      else { throw .badRequest("'\(member)' must be an array of {key, value}") }
      let clean = (key + value).utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
      guard clean, !key.isEmpty else { throw .badRequest("'\(member)' has a control character") }
      pairs.append((key, value))
    }
    return pairs
  }
}

/// Durations as in `P1DT2H30M` (ISO 8601-1 section 5.5.2).
public enum ISODuration {
  /// - Returns: seconds; `nil` for what is no duration.
  public static func seconds(_ text: String) -> Double? {
    guard text.utf8.count <= 60, text.hasPrefix("P") else { return nil }
    var total = 0.0
    var number = ""
    var inTime = false
    var parts = 0
    for character in text.dropFirst() {
      switch character {
      case "0"..."9", ".": number.append(character)
      case "T" where !inTime && number.isEmpty: inTime = true
      default:
        guard let value = Double(number) else { return nil }
        let unit: Double? =
          switch (character, inTime) {
          case ("Y", false): 365 * 86_400
          case ("M", false): 30 * 86_400
          case ("W", false): 7 * 86_400
          case ("D", false): 86_400
          case ("H", true): 3_600
          case ("M", true): 60
          case ("S", true): 1
          default: nil
          }
        guard let unit else { return nil }
        total += value * unit
        number = ""
        parts += 1
      }
    }
    return parts > 0 && number.isEmpty && text.last != "T" ? total : nil
  }
}
