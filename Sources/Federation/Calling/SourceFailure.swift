import NGSI

/// Why a source gave nothing, and what that means for the answer (ETSI GS CIM 009 clause 6.3.17).
public enum SourceFailure: Error, Sendable, Hashable {
  /// The request has come by this hub before, or the source is on its way already.
  case loop
  case late
  /// It is left alone for a while after a failure.
  case cooling
  case unreachable(String)
  /// It may not be called by the egress rules.
  case forbidden(String)
  /// The answers of all requests in flight take all the memory that they may.
  case noRoom
  /// Nothing that can be read as NGSI-LD, or too much of it.
  case unreadable(String)
  /// It answered with an error: status, and what it said.
  case refused(Int, String)

  /// What the client of a read hears in `NGSILD-Warning` (table 6.3.17-1).
  var warningCode: Int {
    switch self {
    case .loop, .late, .cooling, .unreachable, .forbidden, .noRoom: 199
    case .unreadable: 111
    case .refused: 299
    }
  }

  /// One sentence.
  public var reason: String {
    switch self {
    case .loop: "the request has come by it already"
    case .late: "it did not answer in time"
    case .cooling: "it is left alone for a while after its last failure"
    case .noRoom: "answers of other requests take all the room there is; try again"
    case .unreachable(let why), .forbidden(let why), .unreadable(let why): why
    case .refused(let status, let why): "it answered \(status)" + (why.isEmpty ? "" : ": \(why)")
    }
  }

  /// What the client of a write hears.
  func problem(at registration: String) -> Problem {
    let sentence = "the source of \(registration) was asked, but \(reason)"
    return switch self {
    case .loop: Problem(.loopDetected, sentence)
    case .late, .cooling: Problem(.gatewayTimeout, sentence)
    case .refused(404, _): .notFound(sentence)
    case .noRoom, .unreachable, .forbidden, .unreadable, .refused: Problem(.badGateway, sentence)
    }
  }
}

/// What a client hears of a source that gave nothing or something old.
public struct SourceWarning: Sendable, Hashable {
  public var code: Int
  public var text: String

  init(_ failure: SourceFailure, at registration: String) {
    code = failure.warningCode
    text = "\(registration): \(failure.reason)"
  }

  init(staleAt registration: String) {
    code = 110
    text = "\(registration): taken from an earlier answer"
  }

  init(partialAt registration: String) {
    code = 199
    text = "\(registration): it has more than one answer of it holds"
  }

  /// - Parameter sentence: what no source was asked for.
  init(unasked sentence: String) {
    code = 199
    text = sentence
  }

  /// A value of `NGSILD-Warning`: code, who warns, text.
  public func header(by alias: String) -> String {
    let clean = text.unicodeScalars.map { scalar -> String in
      scalar.value < 0x20 || scalar.value > 0x7E || scalar == "\"" || scalar == "\\" ? " " : String(scalar)
    }
    return "\(code) \(alias) \"\(clean.joined().prefix(300))\""
  }
}
