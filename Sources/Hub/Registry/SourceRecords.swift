import NGSI
import Store
import Synchronization

/// How a source has answered (ETSI GS CIM 009 table 5.2.9-2).
public struct SourceRecord: Sendable, Hashable {
  public var timesSent = 0
  public var timesFailed = 0
  public var lastSuccess: DateTime?
  public var lastFailure: DateTime?
  /// Why the last failed call failed.
  public var lastReason: String?

  public init() {}

  /// `nil` before the first call.
  public var isFailing: Bool? {
    guard timesSent > 0 else { return nil }
    guard let lastFailure else { return false }
    return lastSuccess.map { $0 < lastFailure } ?? true
  }

  var json: JSON {
    var object = JSONObject()
    object["timesSent"] = .integer(Int64(timesSent))
    object["timesFailed"] = .integer(Int64(timesFailed))
    object["lastSuccess"] = lastSuccess.map { .string($0.description) }
    object["lastFailure"] = lastFailure.map { .string($0.description) }
    object["lastReason"] = lastReason.map { .string($0) }
    return .object(object)
  }

  init(json: JSON) {
    timesSent = json["timesSent"]?.integer.map { Int($0) } ?? 0
    timesFailed = json["timesFailed"]?.integer.map { Int($0) } ?? 0
    lastSuccess = json["lastSuccess"]?.string.flatMap { DateTime($0) }
    lastFailure = json["lastFailure"]?.string.flatMap { DateTime($0) }
    lastReason = json["lastReason"]?.string
  }
}

/// The records of all sources: counted in memory at once, kept in the store now and then.
final class SourceRecords: Sendable {
  struct Key: Hashable {
    var tenant: Tenant
    var registration: String
  }

  private struct State {
    var records: [Key: SourceRecord] = [:]
    var touched: Set<Key> = []
  }

  static let collection = "source-records"
  private let state = Mutex(State())

  func record(of id: String, in tenant: Tenant) -> SourceRecord {
    state.withLock { $0.records[Key(tenant: tenant, registration: id)] ?? SourceRecord() }
  }

  func put(_ record: SourceRecord, of id: String, in tenant: Tenant) {
    state.withLock { $0.records[Key(tenant: tenant, registration: id)] = record }
  }

  func change(_ id: String, in tenant: Tenant, _ body: (inout SourceRecord) -> Void) {
    let key = Key(tenant: tenant, registration: id)
    state.withLock { state in
      body(&state.records[key, default: SourceRecord()])
      state.touched.insert(key)
    }
  }

  func forget(_ id: String, in tenant: Tenant) {
    let key = Key(tenant: tenant, registration: id)
    state.withLock { state in
      state.records[key] = nil
      state.touched.remove(key)
    }
  }

  /// What has changed since the last time.
  func takeTouched() -> [(key: Key, json: JSON)] {
    state.withLock { state in
      defer { state.touched = [] }
      return state.touched.compactMap { key in state.records[key].map { (key, $0.json) } }
    }
  }

  var count: Int { state.withLock { $0.records.count } }

  func touch(_ keys: [Key]) { state.withLock { $0.touched.formUnion(keys) } }
}

extension Hub {
  /// The generated members of a registration: status and counters.
  public func figures(of registration: Registration) -> JSONObject {
    let record = sourceRecords.record(of: registration.id, in: registration.tenant)
    var object = JSONObject()
    guard let isFailing = record.isFailing else { return object }
    object["status"] = isFailing ? "failed" : "ok"
    for member in record.json.object?.members ?? [] where member.key != "lastReason" {
      object[member.key] = member.value
    }
    return object
  }

  /// Notes what became of a call to a source.
  public func note(_ failure: String?, of registration: Registration) {
    let time = now()
    // A call may end after its registration did.
    guard registry.registration(registration.id, in: registration.tenant) != nil else { return }
    sourceRecords.change(registration.id, in: registration.tenant) { record in
      record.timesSent += 1
      guard let failure else { return record.lastSuccess = time }
      record.timesFailed += 1
      record.lastFailure = time
      record.lastReason = failure
    }
  }

  public func record(of registration: Registration) -> SourceRecord {
    sourceRecords.record(of: registration.id, in: registration.tenant)
  }

  func keepSourceRecordsNowAndThen() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: .seconds(5))
      await keepSourceRecords()
    }
  }

  /// Keeps the records that have changed.
  func keepSourceRecords() async {
    let touched = sourceRecords.takeTouched()
    guard !touched.isEmpty else { return }
    let records = sourceRecords
    do {
      try await store.write { writer in
        for (key, json) in touched {
          // The registration may have been deleted meanwhile.
          guard try writer.document(key.registration, collection: Self.registrationCollection, in: key.tenant) != nil
          else {
            records.forget(key.registration, in: key.tenant)
            continue
          }
          let document = StoredDocument(id: key.registration, body: json)
          try writer.put(document, collection: SourceRecords.collection, in: key.tenant)
        }
      }
    } catch {
      sourceRecords.touch(touched.map(\.key))
      log.error("figures of sources cannot be kept", metadata: ["error": "\(error)"])
    }
  }
}
