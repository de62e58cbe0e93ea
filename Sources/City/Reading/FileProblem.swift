/// One thing that is wrong in a file: where it stands, what was found and what was expected.
public struct FileProblem: Error, Sendable, Hashable, CustomStringConvertible {
  public var file: String
  /// Counted from 1; 0 where the file as a whole is meant.
  public var line: Int
  /// The way to it: `fleets[2].cadence`.
  public var key: String
  public var found: String
  public var expected: String

  public init(file: String, line: Int, key: String, found: String, expected: String) {
    self.file = file
    self.line = line
    self.key = key
    self.found = found
    self.expected = expected
  }

  public var description: String {
    let place = line > 0 ? "\(file):\(line)" : file
    return "\(place): \(key.isEmpty ? "" : key + ": ")found \(found), expected \(expected)"
  }
}

/// Everything that is wrong in a file, in the order of its lines.
public struct FileProblems: Error, Sendable, Hashable, CustomStringConvertible {
  public var problems: [FileProblem]

  public init(_ problems: [FileProblem]) {
    self.problems = problems.enumerated().sorted { ($0.element.line, $0.offset) < ($1.element.line, $1.offset) }
      .map(\.element)
  }

  public var description: String { problems.map(\.description).joined(separator: "\n") }
}
