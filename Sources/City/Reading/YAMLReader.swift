import Foundation
import NGSI
import Yams

/// A YAML file that has been read against its shape: plain JSON, and the line of every key in it.
public struct CheckedFile: Sendable {
  public var file: String
  public var value: JSON
  /// Line by path, such as `fleets[2].cadence`.
  var lines: [String: Int]

  /// A problem at a path of this file, for rules that a shape cannot say.
  public func problem(at path: String, found: String, expected: String) -> FileProblem {
    FileProblem(file: file, line: lines[path] ?? 0, key: path, found: found, expected: expected)
  }
}

/// Reads YAML against a ``Shape`` and reports all that is wrong at once.
///
/// Bounds: the file's size, the depth, and the number of values. Anchors and aliases are refused before anything is
/// built, because what they repeat has no line of its own, and because they blow a small file up.
public struct YAMLReader {
  public static let maxBytes = 1 << 20
  static let maxDepth = 16
  static let maxValues = 100_000
  static let maxProblems = 100

  private let file: String
  private var problems: [FileProblem] = []
  private var lines: [String: Int] = [:]
  private var valuesLeft = YAMLReader.maxValues

  /// Reads a file from disk.
  /// - Throws: ``FileProblems``.
  public static func read(path: String, as shape: Shape) throws(FileProblems) -> CheckedFile {
    let text: String
    switch contents(path: path) {
    case .success(let found): text = found
    case .failure(let problem): throw FileProblems([problem])
    }
    return try read(text: text, file: path, as: shape)
  }

  /// The text of a file; `nil` for one that cannot be read or is too large.
  static func text(path: String) -> String? { try? contents(path: path).get() }

  private static func contents(path: String) -> Result<String, FileProblem> {
    func unreadable(_ found: String, _ expected: String) -> Result<String, FileProblem> {
      .failure(FileProblem(file: path, line: 0, key: "", found: found, expected: expected))
    }
    guard let handle = FileHandle(forReadingAtPath: path) else {
      return unreadable("no readable file", "a YAML file at this path")
    }
    defer { try? handle.close() }
    guard let data = try? handle.read(upToCount: maxBytes + 1) ?? Data() else {
      return unreadable("something that cannot be read", "a YAML file")
    }
    guard data.count <= maxBytes else { return unreadable("a file over 1 MB", "at most \(maxBytes) bytes") }
    guard let text = String(validating: data, as: UTF8.self) else {
      return unreadable("bytes that are not UTF-8", "UTF-8 text")
    }
    return .success(text)
  }

  /// Reads text; `file` is the name that errors show.
  /// - Throws: ``FileProblems``.
  public static func read(text: String, file: String, as shape: Shape) throws(FileProblems) -> CheckedFile {
    var reader = YAMLReader(file: file)
    guard text.utf8.count <= maxBytes else {
      reader.note(0, "", "\(text.utf8.count) bytes", "at most \(maxBytes) bytes")
      throw FileProblems(reader.problems)
    }
    if let line = AliasScan.firstLine(in: text) {
      reader.note(line, "", "an anchor or alias", "the value itself")
      throw FileProblems(reader.problems)
    }
    guard let root = try reader.compose(text) else {
      reader.note(0, "", "an empty file", shape.expectation)
      throw FileProblems(reader.problems)
    }
    let value = reader.check(root, shape, path: "", depth: 0)
    guard reader.problems.isEmpty else { throw FileProblems(reader.problems) }
    return CheckedFile(file: file, value: value ?? .null, lines: reader.lines)
  }

  private init(file: String) { self.file = file }

  private func compose(_ text: String) throws(FileProblems) -> Node? {
    do {
      return try Yams.compose(yaml: text)
    } catch {
      var line = 0
      var found = "\(error)"
      switch error {
      case YamlError.scanner(let context, let problem, let mark, _),
        YamlError.parser(let context, let problem, let mark, _),
        YamlError.composer(let context, let problem, let mark, _):
        line = mark.line
        found = [context?.text, problem].compactMap { $0 }.joined(separator: ", ")
      case YamlError.duplicatedKeysInMapping(let duplicates, let context):
        line = context.mark.line
        found = "the same key twice (\(duplicates.map { "\($0)" }.sorted().joined(separator: ", ").prefix(200)))"
      case YamlError.reader(let problem, let offset, _, _): found = "\(problem) at byte \(offset ?? 0)"
      default: break
      }
      throw FileProblems([FileProblem(file: file, line: line, key: "", found: found, expected: "valid YAML")])
    }
  }

  private mutating func note(_ line: Int, _ key: String, _ found: String, _ expected: String) {
    guard problems.count < Self.maxProblems else { return }
    problems.append(FileProblem(file: file, line: line, key: key, found: found, expected: expected))
  }
}

// MARK: - Nodes

extension YAMLReader {
  private mutating func check(_ node: Node, _ shape: Shape, path: String, depth: Int) -> JSON? {
    let line = node.mark?.line ?? 0
    if lines[path] == nil { lines[path] = line }
    valuesLeft -= 1
    guard valuesLeft >= 0, depth <= Self.maxDepth else {
      if valuesLeft == -1 || depth > Self.maxDepth {
        note(line, path, "too much", "at most \(Self.maxValues) values, nested at most \(Self.maxDepth) deep")
      }
      return nil
    }
    switch shape {
    case .object(let fields): return object(node, fields, shape, path, depth)
    case .map(let value, let keyPattern, let count):
      return map(node, value, keyPattern, count, path, depth)
    case .list(let item, let count): return list(node, item, count, path, depth)
    case .position:
      guard let sequence = node.sequence, sequence.count == 2 else { return refuse(node, shape, path) }
      guard let longitude = check(sequence[0], .number(-180...180), path: path + "[0]", depth: depth + 1),
        let latitude = check(sequence[1], .number(-90...90), path: path + "[1]", depth: depth + 1)
      else { return nil }
      return .array([longitude, latitude])
    case .either(let shapes):
      guard let fitting = shapes.first(where: { Self.fits(node, $0) }) else { return refuse(node, shape, path) }
      return check(node, fitting, path: path, depth: depth + 1)
    default:
      guard let value = Self.scalar(node), let accepted = Self.accept(value, shape) else {
        return refuse(node, shape, path)
      }
      return accepted
    }
  }

  private mutating func refuse(_ node: Node, _ shape: Shape, _ path: String) -> JSON? {
    note(node.mark?.line ?? 0, path, Self.description(of: node), shape.expectation)
    return nil
  }

  private mutating func object(
    _ node: Node, _ fields: [Field], _ shape: Shape, _ path: String, _ depth: Int
  ) -> JSON? {
    guard let mapping = node.mapping else { return refuse(node, shape, path) }
    var object = JSONObject()
    for (key, value) in mapping {
      let name = key.scalar?.string ?? ""
      let line = key.mark?.line ?? 0
      let inner = path.isEmpty ? name : path + "." + name
      guard let field = fields.first(where: { $0.name == name }) else {
        let near = Self.nearest(to: name, among: fields.map(\.name))
        let known =
          near.map { "'\($0)' (did you mean that?)" } ?? "one of " + fields.map(\.name).joined(separator: ", ")
        note(line, inner, "the unknown key '\(name.prefix(60))'", known)
        continue
      }
      lines[inner] = line
      if let value = check(value, field.shape, path: inner, depth: depth + 1) { object[name] = value }
    }
    for field in fields where field.isRequired && !mapping.contains(where: { $0.key.scalar?.string == field.name }) {
      let inner = path.isEmpty ? field.name : path + "." + field.name
      note(node.mark?.line ?? 0, inner, "nothing", field.shape.expectation)
    }
    return .object(object)
  }

  private mutating func map(
    _ node: Node, _ shape: Shape, _ keyPattern: String, _ count: ClosedRange<Int>, _ path: String, _ depth: Int
  ) -> JSON? {
    guard let mapping = node.mapping, count.contains(mapping.count) else {
      note(
        node.mark?.line ?? 0, path, Self.description(of: node),
        "a mapping of \(count.lowerBound) to \(count.upperBound) keys")
      return nil
    }
    var object = JSONObject()
    for (key, value) in mapping {
      let name = key.scalar?.string ?? ""
      let inner = path.isEmpty ? name : path + "." + name
      guard Self.matches(name, keyPattern) else {
        note(key.mark?.line ?? 0, inner, "the key '\(name.prefix(60))'", "a key that matches \(keyPattern)")
        continue
      }
      lines[inner] = key.mark?.line ?? 0
      if let value = check(value, shape, path: inner, depth: depth + 1) { object[name] = value }
    }
    return .object(object)
  }

  private mutating func list(
    _ node: Node, _ shape: Shape, _ count: ClosedRange<Int>, _ path: String, _ depth: Int
  ) -> JSON? {
    guard let sequence = node.sequence, count.contains(sequence.count) else {
      return refuse(node, .list(shape, count: count), path)
    }
    var items: [JSON] = []
    for (offset, item) in sequence.enumerated() {
      if let value = check(item, shape, path: "\(path)[\(offset)]", depth: depth + 1) { items.append(value) }
    }
    return .array(items)
  }
}

// MARK: - Scalars

extension YAMLReader {
  private static func fits(_ node: Node, _ shape: Shape) -> Bool {
    switch shape {
    case .object, .map: node.mapping != nil
    case .list, .position: node.sequence != nil
    default: scalar(node).flatMap { accept($0, shape) } != nil
    }
  }

  /// A plain scalar as YAML's core schema reads it; a quoted one is text.
  private static func scalar(_ node: Node) -> JSON? {
    guard let scalar = node.scalar else { return nil }
    switch node.tag.rawValue {
    case Tag.Name.str.rawValue: return .string(scalar.string)
    case Tag.Name.bool.rawValue: return Bool.construct(from: scalar).map(JSON.bool)
    case Tag.Name.int.rawValue: return Int.construct(from: scalar).map { .integer(Int64($0)) }
    case Tag.Name.float.rawValue:
      guard let number = Double.construct(from: scalar), number.isFinite else { return nil }
      return .double(number)
    default: return nil
    }
  }

  private static func accept(_ value: JSON, _ shape: Shape) -> JSON? {
    switch (shape, value) {
    case (.text(let length), .string(let text)):
      (1...length).contains(text.unicodeScalars.count) ? value : nil
    case (.pattern(let pattern, _), .string(let text)): matches(text, pattern) ? value : nil
    case (.choice(let words), .string(let text)): words.contains(text) ? value : nil
    case (.number(let range), _): value.number.map(range.contains) == true ? value : nil
    case (.integer(let range), .integer(let number)): range.contains(Int(number)) ? value : nil
    case (.integer(let range), .double(let number)) where number == number.rounded() && abs(number) < 9e15:
      range.contains(Int(number)) ? .integer(Int64(number)) : nil
    case (.flag, .bool): value
    case (.scalar, _): value
    default: nil
    }
  }

  static func matches(_ text: String, _ pattern: String) -> Bool {
    guard let expression = try? NSRegularExpression(pattern: "^(?:\(pattern))$") else { return false }
    let range = NSRange(location: 0, length: text.utf16.count)
    return expression.firstMatch(in: text, range: range)?.range == range
  }

  private static func description(of node: Node) -> String {
    if let mapping = node.mapping { return "a mapping of \(mapping.count) keys" }
    if let sequence = node.sequence { return "a list of \(sequence.count) items" }
    guard let value = scalar(node) else { return "nothing" }
    switch value {
    case .string(let text): return "the text '\(text.prefix(60))'"
    case .bool(let flag): return "the truth value \(flag)"
    default: return "the number \(node.scalar?.string.prefix(60) ?? "")"
    }
  }

  /// The known word with the least edit distance, if it is near enough to be meant.
  static func nearest(to word: String, among known: [String]) -> String? {
    let near = known.map { ($0, distance(word.lowercased(), $0.lowercased())) }.min { $0.1 < $1.1 }
    guard let near, near.1 <= max(1, min(3, word.count / 2)) else { return nil }
    return near.0
  }

  /// Levenshtein's edit distance (1966).
  private static func distance(_ left: String, _ right: String) -> Int {
    let left = Array(left.prefix(64))
    let right = Array(right.prefix(64))
    var row = Array(0...right.count)
    for (i, a) in left.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, b) in right.enumerated() {
        let above = row[j + 1]
        row[j + 1] = min(row[j] + 1, above + 1, diagonal + (a == b ? 0 : 1))
        diagonal = above
      }
    }
    return row[right.count]
  }
}
