import Synchronization

/// Where the registry keeps its documents: by collection and id, as the city's store does.
public protocol DeviceStorage: Sendable {
  func document(_ id: String, in collection: String) async throws -> [UInt8]?
  /// All of a collection, by id.
  func documents(in collection: String) async throws -> [String: [UInt8]]
  /// Makes all changes and notes the act in the city's evidence log, or does neither; durable when it returns.
  func write(_ changes: [DeviceDocument], for act: DeviceAct?) async throws
  /// Notes in the evidence log that somebody came with a wrong secret, which he may do as often as he likes.
  ///
  /// - Parameter device: the one that he named, where there is one.
  func noteRefused(_ device: DeviceProfile?) async throws
}

/// What was done to a device, for the city's evidence log.
public struct DeviceAct: Sendable, Hashable {
  /// The text is the action's name in the log.
  public enum Kind: String, Sendable {
    /// It may enrol: a secret was made for it.
    case expected = "expect-device"
    case enrolled = "enrol-device"
    case renewed = "renew-certificate"
    case revoked = "revoke-device"

    /// Whether the device itself did it.
    public var isItsOwn: Bool { self == .enrolled || self == .renewed }
  }

  public let kind: Kind
  public let device: DeviceProfile
  /// Serial numbers of the certificates that it is about, and why they were revoked.
  public let detail: String?

  public init(_ kind: Kind, _ device: DeviceProfile, detail: String? = nil) {
    self.kind = kind
    self.device = device
    self.detail = detail
  }
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
  private let refused = Mutex<[DeviceProfile?]>([])
  private let done = Mutex<[DeviceAct]>([])

  /// What was noted, in order.
  public var acts: [DeviceAct] { done.withLock { $0 } }
  /// Whose secret was guessed wrongly, in order.
  public var refusals: [DeviceProfile?] { refused.withLock { $0 } }

  public init() {}

  public func document(_ id: String, in collection: String) async -> [UInt8]? {
    collections.withLock { $0[collection]?[id] }
  }

  public func noteRefused(_ device: DeviceProfile?) async { refused.withLock { $0.append(device) } }

  public func documents(in collection: String) async -> [String: [UInt8]] {
    collections.withLock { $0[collection] ?? [:] }
  }

  public func write(_ changes: [DeviceDocument], for act: DeviceAct?) async {
    if let act { done.withLock { $0.append(act) } }
    collections.withLock { collections in
      for change in changes { collections[change.collection, default: [:]][change.id] = change.body }
    }
  }
}
