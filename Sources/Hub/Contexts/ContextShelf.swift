import NGSI

/// What the library holds, without the documents: found by local id, by address, and by content.
struct ContextShelf: Sendable {
  private(set) var entries: [String: StoredContext] = [:]
  /// Local ids of what was fetched, by its address.
  private var idOfURL: [String: String] = [:]
  /// Local ids of what the hub made itself, by the hash of its content.
  private var idsOfContent: [Int: [String]] = [:]
  private var savedHits: [String: Int] = [:]
  private(set) var counts: [ContextKind: Int] = [:]
  /// Bytes of what was fetched, and of what is served.
  private(set) var cachedBytes = 0
  private(set) var servedBytes = 0

  /// The entry with this local id, of this fetched address, or served at this address.
  func found(_ id: String) -> StoredContext? {
    if let entry = entries[id] ?? idOfURL[id].flatMap({ entries[$0] }) { return entry }
    guard let localId = Self.localId(in: id), let entry = entries[localId], entry.kind != .cached else { return nil }
    return entry
  }

  /// The local id that an address names, whatever the host.
  static func localId(in url: String) -> String? {
    guard url.hasPrefix("http://") || url.hasPrefix("https://"), let path = url.firstRange(of: ContextLibrary.path)
    else { return nil }
    let id = String(url[path.upperBound...])
    guard !id.isEmpty, !id.utf8.contains(UInt8(ascii: "/")) else { return nil }
    return id.replacing("%3A", with: ":").replacing("%3a", with: ":")
  }

  /// Entries in the order they were made.
  func list(_ kind: ContextKind?) -> [StoredContext] {
    entries.values.filter { kind == nil || $0.kind == kind }
      .sorted { ($0.createdAt, $0.localId) < ($1.createdAt, $1.localId) }
  }

  /// Ids of implicitly created contexts that may have this content.
  func ids(ofContent content: JSON) -> [String] { idsOfContent[content.hashValue] ?? [] }

  mutating func put(_ entry: StoredContext, content: JSON? = nil) {
    let saved = savedHits[entry.localId]
    remove(entry.localId)
    entries[entry.localId] = entry
    savedHits[entry.localId] = saved ?? entry.usage.hits
    counts[entry.kind, default: 0] += 1
    if let url = entry.url {
      idOfURL[url] = entry.localId
      cachedBytes += entry.bytes
    } else {
      servedBytes += entry.bytes
    }
    if let content { idsOfContent[content.hashValue, default: []].append(entry.localId) }
  }

  mutating func remove(_ id: String) {
    guard let entry = entries.removeValue(forKey: id) else { return }
    savedHits[id] = nil
    counts[entry.kind, default: 0] -= 1
    if let url = entry.url {
      idOfURL[url] = nil
      cachedBytes -= entry.bytes
    } else {
      servedBytes -= entry.bytes
    }
    guard entry.kind == .implicitlyCreated else { return }
    for (hash, ids) in idsOfContent where ids.contains(id) {
      let rest = ids.filter { $0 != id }
      idsOfContent[hash] = rest.isEmpty ? nil : rest
      return
    }
  }

  /// What has to go so that a fetched context has room.
  func leaving(for entry: StoredContext, limits: Limits) -> [StoredContext] {
    var count = counts[.cached] ?? 0
    var bytes = cachedBytes + entry.bytes
    if let old = entries[entry.localId] {
      bytes -= old.bytes
    } else {
      count += 1
    }
    guard count > limits.cachedContexts || bytes > limits.cachedContextBytes else { return [] }
    var leaving: [StoredContext] = []
    for old in list(.cached) where old.localId != entry.localId {
      guard count > limits.cachedContexts || bytes > limits.cachedContextBytes else { break }
      leaving.append(old)
      count -= 1
      bytes -= old.bytes
    }
    return leaving
  }

  /// Counts that differ from what was taken last.
  mutating func takeChangedUsage() -> [(id: String, hits: Int, lastUsage: DateTime?)] {
    var changed: [(id: String, hits: Int, lastUsage: DateTime?)] = []
    for entry in entries.values where savedHits[entry.localId] != entry.usage.hits {
      changed.append((entry.localId, entry.usage.hits, entry.usage.lastUsage))
      savedHits[entry.localId] = entry.usage.hits
    }
    return changed
  }
}
