import NGSI

/// One entry of the evidence log as it is kept.
public struct EvidenceRecord: Sendable, Hashable {
  /// What everyone may read and the log's tree stands on; opaque to the store, never changed.
  public var entry: [UInt8]
  /// When it was added; not before that of the entry before.
  public var time: DateTime
  /// Finds the entries of one subject for who knows its key; `nil` where there is no subject.
  public var subject: [UInt8]?
  /// What auditors may read beside it; opaque to the store.
  public var register: [UInt8]?

  public init(entry: [UInt8], time: DateTime, subject: [UInt8]? = nil, register: [UInt8]? = nil) {
    self.entry = entry
    self.time = time
    self.subject = subject
    self.register = register
  }
}
