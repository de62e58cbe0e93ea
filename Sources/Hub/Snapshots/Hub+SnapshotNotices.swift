import NGSI
import Store
import Synchronization

/// Notifications about snapshots that wait to be sent (clause 5.16.6).
///
/// The store keeps one for each snapshot, with what it says last: a receiver that was away hears how things are, not each
/// step to it.
final class SnapshotNotices: Sendable {
  struct Waiting {
    var tenant: Tenant
    var id: String
    var body: JSON
    var attempts = 0
    var dueAt: DateTime
  }

  private let waiting = Mutex<[SnapshotBook.Key: Waiting]>([:])

  static let collection = "snapshot-notices"

  func put(_ notice: Waiting) {
    waiting.withLock { $0[SnapshotBook.Key(tenant: notice.tenant, id: notice.id)] = notice }
  }

  var all: [Waiting] { waiting.withLock { Array($0.values) } }

  /// Changes one that says the same still; `nil` takes it away.
  func change(_ notice: Waiting, _ body: (Waiting) -> Waiting?) {
    waiting.withLock { waiting in
      let key = SnapshotBook.Key(tenant: notice.tenant, id: notice.id)
      if let known = waiting[key], known.body == notice.body { waiting[key] = body(known) }
    }
  }
}

extension Hub {
  /// Has the endpoint of a snapshot told how it is, once the write is durable.
  func enqueueNotice(of snapshot: Snapshot, _ writer: any StoreWriter) throws {
    guard let endpoint = snapshot.document["endpoint"]?.string else { return }
    var data = JSONObject()
    data["snapshotId"] = .string(snapshot.id)
    data["snapshotStatus"] = .string(snapshot.status.rawValue)
    data["snapshotPriority"] = .integer(Int64(snapshot.priority))
    data["expiresAt"] = .string(snapshot.expiresAt.description)
    if !snapshot.results.isEmpty { data["snapshotQueriesDetails"] = .array(snapshot.results.map(\.json)) }
    if !snapshot.historyResults.isEmpty {
      data["temporalSnapshotQueriesDetails"] = .array(snapshot.historyResults.map(\.json))
    }
    let body: JSON = [
      "endpoint": .string(endpoint), "receiverInfo": snapshot.document["receiverInfo"] ?? [], "data": .object(data),
    ]
    try writer.put(
      StoredDocument(id: snapshot.id, body: body), collection: SnapshotNotices.collection, in: snapshot.tenant)
    let (notices, wakes) = (snapshotNotices, snapshotWork)
    let notice = SnapshotNotices.Waiting(tenant: snapshot.tenant, id: snapshot.id, body: body, dueAt: now())
    writer.afterCommit {
      notices.put(notice)
      wakes.wake()
    }
  }

  func resumeNotices(in tenant: Tenant) throws(Problem) {
    let stored = try read { try $0.documents(SnapshotNotices.collection, in: tenant, page: Page(limit: 10_000)) }
    for document in stored {
      snapshotNotices.put(.init(tenant: tenant, id: document.id, body: document.body, dueAt: now()))
    }
  }

  /// Sends what is due; one that fails is sent again later, and given up after ``Limits/deliveryAttempts``.
  func sendSnapshotNotices() async {
    let at = now()
    await withTaskGroup(of: Void.self) { group in
      for notice in snapshotNotices.all where notice.dueAt <= at {
        group.addTask { await self.send(notice) }
      }
    }
  }

  private func send(_ notice: SnapshotNotices.Waiting) async {
    let failure = await sender.send(message(notice))
    let attempts = notice.attempts + 1
    if let failure, attempts < limits.deliveryAttempts {
      let wait = [1.0, 5, 25, 125][min(notice.attempts, 3)]
      snapshotNotices.change(notice) { known in
        var later = known
        (later.attempts, later.dueAt) = (attempts, now().adding(seconds: wait))
        return later
      }
      log.notice("a notification about a snapshot waits", metadata: ["id": "\(notice.id)", "why": "\(failure)"])
      return
    }
    if let failure {
      log.warning("a notification about a snapshot is given up", metadata: ["id": "\(notice.id)", "why": "\(failure)"])
    }
    do throws(Problem) {
      try await write { writer in
        // It may say something newer meanwhile.
        let known = try writer.document(notice.id, collection: SnapshotNotices.collection, in: notice.tenant)
        guard known?.body == notice.body else { return }
        _ = try writer.deleteDocument(notice.id, collection: SnapshotNotices.collection, in: notice.tenant)
      }
      snapshotNotices.change(notice) { _ in nil }
    } catch { log.error("a notification cannot be settled", metadata: ["why": "\(error.detail)"]) }
  }

  private func message(_ notice: SnapshotNotices.Waiting) -> NotificationMessage {
    var object = JSONObject()
    object["id"] = .string("urn:ngsi-ld:Notification:" + Identifier.random())
    object["type"] = "SnapshotNotification"
    object["notifiedAt"] = .string(now().description)
    for member in notice.body["data"]?.object?.members ?? [] { object[member.key] = member.value }
    var headers = [
      ("Content-Type", "application/json"),
      ("Link", "<\(CoreContext.url)>; rel=\"http://www.w3.org/ns/json-ld#context\"; type=\"application/ld+json\""),
    ]
    if notice.tenant != .default { headers.append(("NGSILD-Tenant", notice.tenant.name)) }
    for pair in notice.body["receiverInfo"]?.items ?? [] {
      guard let key = pair["key"]?.string, let value = pair["value"]?.string else { continue }
      if key.lowercased() != "content-type" { headers.append((key, value)) }
    }
    return NotificationMessage(
      url: notice.body["endpoint"]?.string ?? "", headers: headers, body: JSONWriter.bytes(.object(object)),
      timeout: Self.noticeTimeout)
  }

  private static let noticeTimeout = 10.0

  // MARK: Background

  /// Ends snapshots in time, empties their spaces, sends what is to be told, notes when they were used.
  func keepSnapshots() async {
    while !Task.isCancelled {
      do throws(Problem) {
        try await removeExpiredSnapshots()
        try await emptySpaces()
      } catch { log.warning("what snapshots left stays", metadata: ["error": "\(error.detail)"]) }
      await sendSnapshotNotices()
      try? await Task.sleep(for: .seconds(1))
    }
  }

  /// Makes durable when snapshots were used last, once a minute.
  func keepSnapshotUses() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: .seconds(60))
      await saveSnapshotUses()
    }
  }

  func saveSnapshotUses() async {
    let touched = snapshots.takeTouched()
    guard !touched.isEmpty else { return }
    let book = snapshots
    do throws(Problem) {
      try await write { writer in
        for used in touched {
          guard let known = book.snapshot(used.id, in: used.tenant) else { continue }
          try self.store(known, tells: false, writer)
        }
      }
    } catch { log.warning("uses of snapshots are not noted", metadata: ["error": "\(error.detail)"]) }
  }
}
