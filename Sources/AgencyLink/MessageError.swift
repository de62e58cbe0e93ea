/// What is wrong with a message, and in which field of it.
public struct MessageError: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Reason: Sendable, Hashable {
    case missing
    /// A text is expected; numbers are taken for texts, as the published module does.
    case notText
    case notObject
    case notList
    case notJSON
    case notForm
    /// Characters (of a field) or bytes (of a request) that are allowed at most.
    case tooLong(Int)
    case tooMany(Int)
    case controlCharacter
    case unknown
    case notTime
    case notNumber
    case twice
    /// Encrypted, and no key is there for it; or plain where only encrypted is taken.
    case encryption
    /// Why a body cannot be decrypted is told to nobody: the answer would help to guess it.
    case unreadable
  }

  /// The name on the wire with its path, such as `body.ocrLc.crdntX`.
  public let field: String
  public let reason: Reason

  public init(_ field: String, _ reason: Reason) {
    self.field = field
    self.reason = reason
  }

  public var description: String {
    let what =
      switch reason {
      case .missing: "is missing"
      case .notText: "is no text"
      case .notObject: "is no object"
      case .notList: "is no list"
      case .notJSON: "is no JSON"
      case .notForm: "is no form"
      case .tooLong(let bound): "is longer than \(bound)"
      case .tooMany(let bound): "has more than \(bound) parts"
      case .controlCharacter: "has a control character"
      case .unknown: "has a value that is not known"
      case .notTime: "is no time"
      case .notNumber: "is no number in its range"
      case .twice: "is there twice"
      case .encryption: "does not fit the encryption that was agreed"
      case .unreadable: "cannot be read"
      }
    return "'\(field)' \(what)"
  }
}
