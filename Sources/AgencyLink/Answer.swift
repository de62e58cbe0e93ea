import NGSI

/// What one side says to a message of the other: done, or not and why. It comes with the HTTP status 200 either way.
public enum Answer: Sendable, Hashable {
  /// To an authentication the message is the session's key; otherwise it is empty.
  case success(String)
  case failure(String)

  /// The most that is said of a failure.
  private static let longest = 500

  public var bytes: [UInt8] {
    let (result, message) =
      switch self {
      case .success(let text): ("0", text)
      case .failure(let text): ("1", String(text.prefix(Self.longest)))
      }
    return JSONWriter.bytes(
      .object(
        JSONObject(of: [
          ("startTag", "$DA"), ("endTag", "$DB"), ("finishTag", "$DF"), ("result", .string(result)),
          ("message", .string(message)),
        ])))
  }

  /// - Throws: ``MessageError`` for what says neither.
  public init(reading bytes: [UInt8], bounds: Bounds = Bounds()) throws(MessageError) {
    guard bytes.count <= bounds.answer else { throw MessageError("answer", .tooLong(bounds.answer)) }
    let fields = try FieldReader(Message.parse(bytes, "answer", bounds), "answer", bounds)
    let result = try fields.needed("result", most: bounds.code)
    let message = try fields.text("message", most: bounds.text) ?? ""
    switch result {
    case "0": self = .success(message)
    case "1": self = .failure(message)
    default: throw MessageError("answer.result", .unknown)
    }
  }

  /// What is said to a message that could not be read.
  public init(to error: MessageError) { self = .failure(error.description) }
}
