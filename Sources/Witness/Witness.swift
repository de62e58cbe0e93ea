import Foundation
import TransparencyLog

/// Cosigns the checkpoints of logs that only grow (C2SP tlog-witness).
///
/// One at a time: judging a checkpoint and remembering it are one step.
public actor Witness {
  public nonisolated let key: VerifierKey
  private let signer: SignerKey
  private let logs: [VerifierKey]
  private let state: WitnessState
  private let now: @Sendable () -> UInt64

  /// - Parameters:
  ///   - signer: a key for cosignatures.
  ///   - logs: keys of the logs; their names are the origins.
  ///   - folder: where the witness remembers.
  ///   - now: seconds since 1970.
  public init(
    signer: SignerKey, logs: [VerifierKey], folder: String,
    now: @escaping @Sendable () -> UInt64 = { UInt64(max(0, Date().timeIntervalSince1970)) }
  ) throws(WitnessFailure) {
    guard signer.verifier.kind == .cosignature else {
      throw WitnessFailure("the key of a witness is one for cosignatures")
    }
    self.signer = signer
    key = signer.verifier
    self.logs = logs
    state = try WitnessState(folder: folder)
    self.now = now
  }

  /// What came of a request.
  public enum Answer: Sendable, Hashable {
    /// The signature line.
    case cosigned(String)
    case refused(WitnessRefusal)
  }

  /// Judges a request and cosigns its checkpoint.
  ///
  /// - Throws: when the witness cannot remember; nothing is cosigned then.
  public func add(_ body: [UInt8]) throws(WitnessFailure) -> Answer {
    let request: WitnessRequest
    do throws(NoteError) { request = try WitnessRequest(parsing: body) } catch {
      return .refused(.malformed("\(error)"))
    }
    let origin = String(request.checkpoint.text.prefix { $0 != "\n" })
    let name = WitnessState.name(of: origin)
    // Of a log that is not this witness's nothing is looked up.
    let latest = logs.contains { $0.isNamed(origin) } ? try tree(name) : .none
    let checkpoint: Checkpoint
    do throws(WitnessRefusal) { checkpoint = try request.judged(trusting: logs) { _ in latest } } catch {
      return .refused(error)
    }
    let signature: NoteSignature
    do throws(NoteError) { signature = try signer.sign(checkpoint.text, at: now()) } catch {
      throw WitnessFailure("the checkpoint was not signed")
    }
    let logKeys = logs.filter { $0.isNamed(origin) }
    var note = request.checkpoint
    note.signatures.removeAll { line in !logKeys.contains(where: line.claims) }
    note.signatures.append(signature)
    try state.remember(note, name)
    return .cosigned(signature.line)
  }

  /// The checkpoint that was cosigned last of the log with this hash of its origin, for monitors.
  public func latest(_ name: String) throws(WitnessFailure) -> String? {
    guard logs.contains(where: { WitnessState.name(of: $0.name) == name }) else { return nil }
    return try state.latest(name)?.description
  }

  private func tree(_ name: String) throws(WitnessFailure) -> WitnessedTree {
    guard let note = try state.latest(name) else { return .none }
    do throws(NoteError) {
      let checkpoint = try Checkpoint(parsing: note.text)
      return WitnessedTree(size: checkpoint.size, root: checkpoint.root)
    } catch { throw WitnessFailure("the checkpoint of \(name) that this witness keeps is damaged") }
  }
}
