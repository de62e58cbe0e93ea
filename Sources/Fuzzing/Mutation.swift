import NGSI

/// Inputs that are nearly right, and inputs that are nothing.
public enum Mutation {
  /// A seed with a few changes, or tokens one after another.
  public static func text(_ random: inout Seeded, _ seeds: [String], _ tokens: [String]) -> String {
    if random.chance(40) {
      let length = 1 + random.below(random.below(500) == 0 ? 3_000 : 14)
      return (0..<length).map { _ in random.pick(tokens) }.joined()
    }
    var scalars = Array(random.pick(seeds).unicodeScalars)
    for _ in 0..<random.below(4) {
      let position = random.below(scalars.count + 1)
      switch random.below(4) {
      case 0: scalars.insert(contentsOf: random.pick(tokens).unicodeScalars, at: position)
      case 1 where position < scalars.count: scalars.remove(at: position)
      case 2 where position < scalars.count: scalars[position] = Unicode.Scalar(UInt8(random.below(128)))
      default:
        let end = min(scalars.count, position + random.below(8))
        scalars.insert(contentsOf: scalars[position..<end], at: random.below(scalars.count + 1))
      }
    }
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    return String(view)
  }

  /// A seed whose lines are left out, doubled, moved, indented otherwise or changed inside.
  public static func lines(_ random: inout Seeded, _ seeds: [String], _ tokens: [String]) -> String {
    var lines = random.pick(seeds).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    for _ in 0...random.below(3) where !lines.isEmpty {
      let position = random.below(lines.count)
      switch random.below(6) {
      case 0: lines.remove(at: position)
      case 1: lines.insert(lines[position], at: random.below(lines.count + 1))
      case 2: lines.swapAt(position, random.below(lines.count))
      case 3: lines[position] = String(repeating: " ", count: random.below(6)) + lines[position]
      case 4: lines.insert(random.pick(tokens), at: position)
      default: lines[position] = text(&random, [lines[position]], tokens)
      }
    }
    return lines.joined(separator: "\n")
  }

  /// A seed tree with a few of its values and keys exchanged.
  public static func json(_ random: inout Seeded, _ seeds: [JSON], keys: [String], values: [JSON]) -> JSON {
    var json = random.pick(seeds)
    for _ in 0...random.below(4) { json = changed(json, &random, keys, values, depth: 0) }
    // Now and then far deeper than anyone writes.
    if random.below(2_000) == 0 {
      for _ in 0..<random.below(200) { json = random.chance(50) ? [json] : ["value": json] }
    }
    return json
  }

  private static func changed(
    _ json: JSON, _ random: inout Seeded, _ keys: [String], _ values: [JSON], depth: Int
  ) -> JSON {
    let goesDeeper = depth < 12 && random.chance(75)
    switch json {
    case .object(let object) where goesDeeper && object.count > 0:
      var members = Array(object.members)
      let position = random.below(members.count)
      let member = members[position]
      switch random.below(6) {
      case 0: members.remove(at: position)
      case 1: members[position] = JSONObject.Member(key: random.pick(keys), value: member.value)
      case 2: members.append(JSONObject.Member(key: random.pick(keys), value: random.pick(values)))
      default:
        members[position] = JSONObject.Member(
          key: member.key, value: changed(member.value, &random, keys, values, depth: depth + 1))
      }
      var result = JSONObject()
      for member in members { result[member.key] = member.value }
      return .object(result)
    case .array(let items) where goesDeeper && !items.isEmpty:
      var items = items
      let position = random.below(items.count)
      switch random.below(4) {
      case 0: items.remove(at: position)
      case 1: items.append(items[position])
      default: items[position] = changed(items[position], &random, keys, values, depth: depth + 1)
      }
      return .array(items)
    default:
      switch random.below(4) {
      case 0: return [json]
      case 1: return .object(JSONObject(uniqueMembers: [JSONObject.Member(key: random.pick(keys), value: json)]))
      default: return random.pick(values)
      }
    }
  }

  /// Bytes of a seed, some of them others, cut off or repeated.
  public static func bytes(_ random: inout Seeded, _ seeds: [[UInt8]]) -> [UInt8] {
    var bytes = random.pick(seeds)
    for _ in 0...random.below(4) where !bytes.isEmpty {
      let position = random.below(bytes.count)
      switch random.below(5) {
      case 0: bytes[position] = UInt8(random.below(256))
      case 1: bytes[position] = random.pick([0, 1, 0x7F, 0x80, 0xFF])
      case 2: bytes.removeLast(random.below(bytes.count))
      case 3: bytes.insert(contentsOf: bytes[position..<min(bytes.count, position + 9)], at: random.below(bytes.count))
      default: bytes.remove(at: position)
      }
    }
    return bytes
  }
}
