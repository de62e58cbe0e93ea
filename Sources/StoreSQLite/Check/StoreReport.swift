/// What a whole check of a store found; see ``SQLiteStore/check(path:progress:also:)``.
public struct StoreReport: Sendable {
  /// How many there are of what.
  public struct Counts: Sendable, Hashable {
    public var tenants = 0
    public var entities = 0
    public var histories = 0
    public var instances = 0
    public var documents = 0
    public var outboxItems = 0

    public init() {}
  }

  /// Findings that are listed; more are only counted.
  public static let mostFindings = 200

  /// The version of the file's tables, as it was found.
  public internal(set) var version = 0
  public internal(set) var counts = Counts()
  /// What is wrong, a sentence each.
  public private(set) var findings: [String] = []
  /// Findings beyond those listed.
  public private(set) var unlisted = 0

  public var isSound: Bool { findings.isEmpty }

  mutating func add(_ finding: String) {
    if findings.count < Self.mostFindings { findings.append(finding) } else { unlisted += 1 }
  }
}

/// How far a long work on a store has come.
public struct StoreProgress: Sendable, Hashable {
  /// What is being done, such as `entities`.
  public var stage: String
  public var done: Int
  public var total: Int
}
