import Foundation
import NGSI
import Store
import Synchronization
import Testing
import TransparencyLog
import Witness

@testable import Evidence

/// Witnesses in this process, each of which can be told how to behave.
final class LocalWitnesses: WitnessCalling {
  enum Behaviour: Hashable {
    case works, isAway, stalls
    /// Answers so, whatever it is asked.
    case says(Int, String)
    /// Cosigns another text than it was shown.
    case cosignsAnother
  }

  private let witnesses: Mutex<[String: Witness]>
  private let behaviours = Mutex<[String: Behaviour]>([:])
  private let log: VerifierKey
  private let folder: String
  let keys: [SignerKey]

  private let now: @Sendable () -> UInt64

  /// - Parameter now: their clock; that of the tests' city where it is not given.
  init(
    _ names: [String], log: VerifierKey, folder: String, now: @escaping @Sendable () -> UInt64 = { 1_795_000_000 }
  ) throws {
    self.log = log
    self.now = now
    self.folder = folder
    keys = try names.map { try SignerKey(name: $0 + ".example/witness", kind: .cosignature) }
    var made: [String: Witness] = [:]
    for (name, key) in zip(names, keys) {
      made["http://" + name] = try Witness(signer: key, logs: [log], folder: folder + "/" + name, now: now)
    }
    witnesses = Mutex(made)
  }

  func set(_ name: String, _ behaviour: Behaviour) { behaviours.withLock { $0["http://" + name] = behaviour } }

  /// The witness's disk is as it was before it saw anything.
  func reset(_ name: String) throws {
    guard let key = keys.first(where: { $0.verifier.name == name + ".example/witness" }) else { return }
    let fresh = try Witness(signer: key, logs: [log], folder: folder + "/" + name + "-new", now: now)
    witnesses.withLock { $0["http://" + name] = fresh }
  }

  func treaty(_ threshold: Int) -> String {
    let lines = keys.map { key -> String in
      let name = key.verifier.name.prefix { $0 != "." }
      return "witness \(name) \(key.verifier.text) http://\(name)\n"
    }
    let names = keys.map { $0.verifier.name.prefix { $0 != "." } }.joined(separator: " ")
    return lines.joined() + "group enough \(threshold) \(names)\nquorum enough\n"
  }

  func addCheckpoint(_ body: String, at url: String) async -> (status: Int, body: String)? {
    switch behaviours.withLock({ $0[url] ?? .works }) {
    case .isAway: return nil
    case .stalls:
      try? await Task.sleep(for: .seconds(3600))
      return nil
    case .says(let status, let body): return (status, body)
    case .cosignsAnother:
      guard let key = keys.first(where: { "http://" + $0.verifier.name.prefix { $0 != "." } == url }),
        let line = try? key.sign("city.example/evidence\n1\n\(TreeHash.empty)\n", at: 1_795_000_000).line
      else { return nil }
      return (200, line)
    case .works: break
    }
    guard let witness = witnesses.withLock({ $0[url] }) else { return nil }
    switch try? await witness.add(Array(body.utf8)) {
    case .cosigned(let line): return (200, line)
    case .refused(.otherSize(let size)): return (409, "\(size)\n")
    case .refused(let refusal): return (refusal.status, refusal.sentence)
    case nil: return (500, "")
    }
  }
}
