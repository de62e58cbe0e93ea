import Foundation

/// All that one run found. `docs/performance.md` describes its JSON.
public struct Report: Codable, Sendable {
  public var version = 1
  public var begunAt: String
  public var machine: Machine
  public var server: Server
  public var settings: Settings
  public var loads: [LoadFigures] = []
  public var memory: [MemoryFigures] = []
  public var points: [Point] = []
  public var anchors: [AnchorPoint] = []
  public var missing: [MissingAnchor] = []
  public var targets: [TargetResult] = []

  public struct Server: Codable, Sendable {
    public var url: String
    /// Absent where the process is not on this machine or cannot be seen.
    public var pid: Int32?
    public var name: String?
  }

  /// How the data set came in: upserts in batches of 500 by 4 clients.
  public struct LoadFigures: Codable, Sendable {
    public var entities: Int
    public var seconds: Double
    public var entitiesPerSecond: Double
    /// Microseconds of the server for one entity.
    public var cpuPerEntity: Double?
  }

  /// The server's memory in bytes, after all points of a size.
  public struct MemoryFigures: Codable, Sendable {
    public var entities: Int
    public var resident: Int
    /// What of it is the process's own; the rest are pages of files.
    public var anonymous: Int
    /// The most that it ever was.
    public var peak: Int
  }

  public struct Point: Codable, Sendable {
    public var operation: HubOperation
    public var entities: Int
    public var clients: Int
    public var entitiesPerOperation: Int
    public var figures: Figures
    /// By the name of the anchor.
    public var ratios: [String: Ratio] = [:]
    public var target: TargetResult?
  }

  /// An anchor at one point. `operation` and `entities` only where they make a difference to it.
  public struct AnchorPoint: Codable, Sendable {
    public var anchor: Anchor
    public var operation: HubOperation?
    public var entities: Int?
    public var clients: Int
    public var figures: Figures
  }

  public struct MissingAnchor: Codable, Sendable {
    public var anchor: Anchor
    public var reason: String
  }

  public enum Anchor: String, Codable, Sendable {
    /// nginx answers with a file of 1 KB.
    case http
    /// A plain SQLite table with the hub's durability.
    case sqlite
    /// Redis answers with a text of 1 KB.
    case redis
  }

  /// The anchors that stand beside a point.
  func anchors(beside point: Point) -> [AnchorPoint] {
    anchors.filter { anchor in
      anchor.clients == point.clients && (anchor.operation ?? point.operation) == point.operation
        && (anchor.entities ?? point.entities) == point.entities
    }
  }

  public func json() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(self)
  }
}
