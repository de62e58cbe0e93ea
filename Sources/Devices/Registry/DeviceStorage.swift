import Synchronization

/// Where the registry keeps its documents: by collection and id, as the city's store does.
public protocol DeviceStorage: Sendable {
  func document(_ id: String, in collection: String) async throws -> [UInt8]?
  /// All of a collection, by id.
  func documents(in collection: String) async throws -> [String: [UInt8]]
  /// Makes all changes, or none; they are durable when it returns.
  func write(_ changes: [DeviceDocument]) async throws
}

/// A document that is to be there; one without a body is to be gone.
public struct DeviceDocument: Sendable {
  public let collection: String
  public let id: String
  public let body: [UInt8]?

  public init(collection: String, id: String, body: [UInt8]?) {
    self.collection = collection
    self.id = id
    self.body = body
  }
}

/// Keeps documents as long as the process lives.
public final class MemoryDeviceStorage: DeviceStorage {
  private let collections = Mutex<[String: [String: [UInt8]]]>([:])

  public init() {}

  public func document(_ id: String, in collection: String) async -> [UInt8]? {
    collections.withLock { $0[collection]?[id] }
  }

  public func documents(in collection: String) async -> [String: [UInt8]] {
    collections.withLock { $0[collection] ?? [:] }
  }

  public func write(_ changes: [DeviceDocument]) async {
    collections.withLock { collections in
      for change in changes { collections[change.collection, default: [:]][change.id] = change.body }
    }
  }
}
