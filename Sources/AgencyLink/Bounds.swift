/// The most that is read of a message, and that is written into one. Lengths of fields are in characters (code points).
///
/// Codes, event, number, status detail and the whole message have the widths that the published module stores
/// (`docs/agency-link.md`); the others are ours.
public struct Bounds: Sendable, Hashable {
  /// Bytes of a request's body that are read.
  public var request = 65_536
  /// Bytes of an answer that are read.
  public var answer = 16_384
  /// Characters of a message that is sent; its far side stores no more.
  public var sent = 8_192
  /// `ocrEvtItem`: pictures and other attachments are named in such items.
  public var items = 100
  /// `tranSysHis`: the systems that it went through.
  public var hops = 20
  /// Fields of a form.
  public var formFields = 40
  /// Nesting of JSON.
  public var depth = 8
  /// Agencies and systems.
  public var code = 16
  public var event = 64
  public var number = 128
  public var detail = 256
  public var text = 4_000
  /// Session and API keys, addresses.
  public var key = 512
  /// Whether a time, a place or a state that cannot be read is left out of what is read and named in
  /// ``EventBody/doubts``, with the message taken for the rest; else the message is refused.
  public var keepsDoubtful = false

  public init() {}
}
