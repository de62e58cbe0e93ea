/// What to measure, and for how long.
public struct Settings: Codable, Sendable {
  /// Seconds that each point is measured.
  public var duration: Double
  /// Seconds of load before a point is measured.
  public var warmup: Double
  /// Sizes of the data set, measured in ascending order.
  public var entities: [Int]
  /// Numbers of connections, each with one request under way.
  public var clients: [Int]
  public var operations: [HubOperation]
  /// Seed of the entities and of which of them are asked for.
  public var seed: UInt64 = 2019
  /// Leave the data set in the hub.
  public var keeps = false
  /// Use the data set that an earlier run left.
  public var reuses = false
  /// Measure hubs on other machines too.
  public var allowsRemote = false
  /// The hub's data folder: the raw SQLite anchor works on the same disk.
  public var dataFolder: String?
  /// An access token that each request shows; it is not written to the report.
  public var token: String?

  private enum CodingKeys: String, CodingKey {
    case duration, warmup, entities, clients, operations, seed, keeps, reuses, allowsRemote, dataFolder
  }

  public init(
    duration: Double = 2, warmup: Double = 0.4, entities: [Int] = [10_000, 100_000], clients: [Int] = [1, 16, 64],
    operations: [HubOperation] = HubOperation.allCases
  ) {
    self.duration = duration
    self.warmup = warmup
    self.entities = entities
    self.clients = clients
    self.operations = operations
  }

  /// A few seconds in all: shows that everything works, not how fast it is.
  public static let quick = Settings(duration: 0.2, warmup: 0.05, entities: [500], clients: [1, 4])

  func check() throws(BenchError) {
    guard (0.05...600).contains(duration) else { throw BenchError("a duration must be from 0.05 to 600 seconds") }
    guard !entities.isEmpty, entities.allSatisfy({ (200...1_000_000).contains($0) }) else {
      throw BenchError("sizes of the data set must be from 200 to 1000000 entities")
    }
    guard !clients.isEmpty, clients.allSatisfy({ (1...1000).contains($0) }) else {
      throw BenchError("numbers of clients must be from 1 to 1000")
    }
    if let token, token.isEmpty || !token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) {
      throw BenchError("a token is one word of ASCII characters")
    }
    guard !operations.isEmpty else { throw BenchError("at least one operation is needed") }
  }
}

/// What is measured.
public enum HubOperation: String, Codable, Sendable, CaseIterable {
  /// One entity by its id.
  case get
  /// 20 entities of a type, from an offset below 1,000.
  case page
  /// Type and a range of numbers that about 25 entities lie in; the first 20 are given.
  case range = "q-range"
  /// Type and a text that exactly 20 entities have.
  case text = "q-text"
  /// A new value and time for one attribute.
  case patch
  /// One new entity.
  case create
  /// 100 entities that exist, upserted with new values.
  case batch

  /// Entities that one operation touches.
  public var entitiesPerOperation: Int {
    switch self {
    case .get, .patch, .create: 1
    case .page, .range, .text: 20
    case .batch: Self.batchSize
    }
  }

  static let batchSize = 100
  static let pageSize = 20

  var isWrite: Bool { self == .patch || self == .create || self == .batch }
}
