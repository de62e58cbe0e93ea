import City
import Crypto
import Evidence
import Federation
import Foundation
import Hub
import HubHTTP
import NGSI
import ServiceLifecycle
import Store
import TransparencyLog

/// The evidence log of a city: its key in the data folder, its treaty from the manifest, its alarms in the hub.
struct CityEvidence: Service {
  let log: EvidenceLog
  private let manifest: ManifestFile?

  /// - Throws: a sentence, when the key or the treaty cannot be used.
  init(
    store: any Store, folder: DataFolder, manifest: ManifestFile?, http: HTTPOutlet
  ) throws {
    self.manifest = manifest
    let keys = folder.path + "/evidence"
    do { try FileManager.default.createDirectory(atPath: keys, withIntermediateDirectories: true) } catch {
      throw Failure("The folder \(keys) cannot be made: \(error.localizedDescription)")
    }
    let origin = manifest?.manifest.evidence?.origin ?? (manifest?.manifest.id ?? "empty") + "/evidence"
    let signer = try KeyFile.signer(at: keys + "/log.key", name: origin, kind: .ed25519)
    guard signer.verifier.name == origin else {
      throw Failure(
        "The log of \(folder.path) is called \(signer.verifier.name), and the manifest calls it \(origin); "
          + "a log keeps its name.")
    }
    try Disk.sync(keys)
    var treaty: String?
    if let path = manifest?.manifest.evidence?.treaty, let file = manifest?.resolve(path) {
      guard let data = FileManager.default.contents(atPath: file) else {
        throw Failure("The treaty of witnesses \(file) cannot be read.")
      }
      treaty = String(decoding: data, as: UTF8.self)
    }
    let submitters = try (manifest?.manifest.evidence?.submitters ?? []).map { text in
      do throws(NoteError) { return try VerifierKey(parsing: text) } catch {
        throw Failure("evidence.submitters: \(text) is no verifier key: \(error)")
      }
    }
    do throws(EvidenceError) {
      log = try EvidenceLog(
        store: store, signer: signer, treaty: treaty, submitters: submitters, caller: HTTPWitnesses(http: http),
        now: { RealClock().now })
    } catch { throw Failure("The evidence log cannot be used: \(error.sentence).") }
  }

  /// Takes the log up, and notes the configuration that the city starts with where it is another than before.
  func resume(store: any Store) async throws {
    try log.resume()
    guard let manifest else { return }
    let hash = ObjectHash(of: manifest.canonical)
    let document = StoredDocument(id: "manifest", body: .string(hash.description))
    try await store.write { [log] writer in
      guard try writer.document(document.id, collection: "evidence", in: .default)?.body != document.body else {
        return
      }
      var act = Act(.configuration, action: "boot")
      act.object = hash
      _ = try log.record([act], writer)
      try writer.put(document, collection: "evidence", in: .default)
    }
  }

  func run() async throws {
    await cancelWhenGracefulShutdown { await log.run() }
  }
}

/// Makes an entity of each alarm of the log, so that operators hear of it as of any other.
struct EvidenceAlarms: Service {
  let log: EvidenceLog
  let hub: Hub

  func run() async throws {
    await cancelWhenGracefulShutdown { await Hub.asCity { await raise() } }
  }

  private func raise() async {
    var raised: [String: EvidenceAlarm] = [:]
    while !Task.isCancelled {
      let alarms = Dictionary(log.alarms.map { ($0.id, $0) }) { first, _ in first }
      for (id, alarm) in alarms where raised[id] != alarm {
        if await put(alarm, isOver: false) { raised[id] = alarm }
      }
      for (id, alarm) in raised where alarms[id] == nil { if await put(alarm, isOver: true) { raised[id] = nil } }
      try? await Task.sleep(for: .seconds(1))
    }
  }

  private func put(_ alarm: EvidenceAlarm, isOver: Bool) async -> Bool {
    let alert = CityAlert(
      id: "evidence:" + alarm.id, subCategory: "evidenceLog", isGrave: alarm.isGrave, sentence: alarm.sentence,
      source: log.key.name)
    return await alert.put(isOver: isOver, hub)
  }
}

/// Calls witnesses over HTTP.
struct HTTPWitnesses: WitnessCalling {
  let http: HTTPOutlet

  func addCheckpoint(_ body: String, at url: String) async -> (status: Int, body: String)? {
    let base = url.hasSuffix("/") ? String(url.dropLast()) : url
    let answer = await http.post(
      body, to: base + "/add-checkpoint", timeout: 5, answerBytes: SignedNote.maxBytes)
    guard let (status, body) = answer else { return nil }
    return (status, String(decoding: body, as: UTF8.self))
  }
}
