import NGSI
import Store

extension StoreContract {
  private static func record(_ number: Int, at microseconds: Int64, subject: [UInt8]? = nil) -> EvidenceRecord {
    EvidenceRecord(
      entry: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: number % 7),
      time: DateTime(microseconds: microseconds), subject: subject, register: number % 2 == 0 ? [0, 255] : nil)
  }

  static let evidenceCases: [Case] = [
    Case("evidence has one order, without gaps, and times that do not go back") { subject in
      let store = subject.store
      try expectEqual(try store.read { try $0.evidenceCount() }, 0)
      let places = try await store.write { writer in
        let first = try writer.appendEvidence([record(0, at: 10), record(1, at: 30), record(2, at: 20)])
        let second = try writer.appendEvidence([])
        let third = try writer.appendEvidence([record(3, at: 5, subject: [1])])
        return [first, second, third]
      }
      try expectEqual(places, [0, 3, 3])
      // One write that fails leaves no gap behind.
      try await store.refuse(Refusal(number: 1)) { writer in
        _ = try writer.appendEvidence([record(9, at: 90)])
        throw Refusal(number: 1)
      }
      let next = try await store.write { try $0.appendEvidence([record(4, at: 40, subject: [1])]) }
      try expectEqual(next, 4)
      try store.read { reader in
        try expectEqual(try reader.evidenceCount(), 5)
        let all = try reader.evidence(0..<100)
        try expectEqual(all.map(\.entry), (0..<5).map { record($0, at: 0).entry })
        try expectEqual(all.map(\.register), (0..<5).map { record($0, at: 0).register })
        try expectEqual(all.map(\.time.microseconds), [10, 30, 30, 30, 40])
        try expectEqual(try reader.evidence(1..<3), Array(all[1..<3]))
        try expectEqual(try reader.evidence(7..<9), [])
      }
    },
    Case("the entries of a subject are found, page by page") { subject in
      let store = subject.store
      _ = try await store.write { writer in
        try writer.appendEvidence(
          (0..<10).map { record($0, at: 1, subject: $0 % 3 == 0 ? [7, 0] : $0 == 4 ? [7] : nil) })
      }
      try store.read { reader in
        try expectEqual(try reader.evidence(of: [7, 0], after: nil, limit: 10), [0, 3, 6, 9])
        try expectEqual(try reader.evidence(of: [7, 0], after: 0, limit: 2), [3, 6])
        try expectEqual(try reader.evidence(of: [7], after: nil, limit: 10), [4])
        try expectEqual(try reader.evidence(of: [], after: nil, limit: 10), [])
      }
    },
    Case("tiles are kept by level and index, and the first that came stays") { subject in
      let store = subject.store
      try await store.write { writer in
        try writer.putEvidenceTile([1, 2], level: 0, index: 5)
        try writer.putEvidenceTile([3], level: 5, index: 0)
        try writer.putEvidenceTile([9], level: 0, index: 5)
      }
      try store.read { reader in
        try expectEqual(try reader.evidenceTile(level: 0, index: 5), [1, 2])
        try expectEqual(try reader.evidenceTile(level: 5, index: 0), [3])
        try expectEqual(try reader.evidenceTile(level: 0, index: 0), nil)
        try expectEqual(try reader.evidenceTile(level: 70, index: 0), nil)
      }
    },
  ]
}
