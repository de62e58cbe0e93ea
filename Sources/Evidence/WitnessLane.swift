import TransparencyLog

/// What passes between the log and one witness, one request at a time.
actor WitnessLane {
  enum Outcome: Sendable {
    /// - Parameter forgot: whether the witness stood at fewer entries than it had cosigned before.
    case cosigned(NoteSignature, forgot: Bool)
    case failed(EvidenceAlarm?)
  }

  nonisolated let witness: WitnessPolicy.Witness
  private let caller: any WitnessCalling
  /// Entries that the witness has seen, as far as is known here.
  private var seen: UInt64 = 0

  init(_ witness: WitnessPolicy.Witness, caller: any WitnessCalling) {
    self.witness = witness
    self.caller = caller
  }

  /// Has a checkpoint cosigned.
  ///
  /// - Parameter proof: that the tree of a number of entries is the beginning of the checkpoint's.
  func cosign(
    _ note: SignedNote, size: UInt64, proof: @Sendable (UInt64) throws -> [TreeHash]
  ) async -> Outcome {
    guard let url = witness.url else { return .failed(nil) }
    var forgot = false
    // A witness that stands elsewhere says where; one that is asked by two at once may say so again.
    for _ in 0..<3 {
      let path: [TreeHash]
      do { path = seen == 0 ? [] : try proof(seen) } catch { return .failed(nil) }
      let request = WitnessRequest(oldSize: seen, path: path, checkpoint: note)
      guard let answer = await caller.addCheckpoint(request.text, at: url) else { return .failed(nil) }
      switch answer.status {
      case 200:
        guard let signature = cosignature(in: answer.body, of: note) else { return .failed(nil) }
        seen = size
        return .cosigned(signature, forgot: forgot)
      case 409:
        let text = answer.body.hasSuffix("\n") ? String(answer.body.dropLast()) : answer.body
        guard let other = UInt64(text), String(other) == text, other != seen else { return .failed(nil) }
        // It is asked again each round: who lied, or was put right, is not shut out.
        if other > size { return .failed(.setBack(witness: witness.name, size: other)) }
        forgot = forgot || other < seen
        seen = other
      case 422: return .failed(.otherHistory(witness: witness.name))
      default: return .failed(nil)
      }
    }
    return .failed(nil)
  }

  /// The witness's own signature among the lines of an answer; `nil` when it is none of its key over this text.
  private func cosignature(in lines: String, of note: SignedNote) -> NoteSignature? {
    guard let answered = try? SignedNote(parsing: Array((note.text + "\n" + lines).utf8)),
      let verified = try? answered.verified(by: [witness.key]), verified[witness.key] != nil
    else { return nil }
    return answered.signatures.first { $0.claims(witness.key) }
  }
}
