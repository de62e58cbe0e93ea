/// Text in quotes, as policies write it.
public enum Quoted {
  /// A literal of the language that stands for a text.
  public static func text(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      case "\0": out += "\\0"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out + "\""
  }
}

/// A piece of a pattern of `like`.
public enum PatternPiece: Sendable, Hashable {
  case scalar(Unicode.Scalar)
  /// `*`: any text, none as well.
  case anything
}

/// A pattern of `like`.
public struct Wildcards: Sendable, Hashable {
  public var pieces: [PatternPiece]

  public init(_ pieces: [PatternPiece]) { self.pieces = pieces }

  /// Takes time in proportion to text times pattern at most.
  func matches(_ text: String) -> Bool {
    let scalars = Array(text.unicodeScalars)
    var (place, piece) = (0, 0)
    var back: (place: Int, piece: Int)?
    while place < scalars.count {
      if piece < pieces.count, case .anything = pieces[piece] {
        back = (place, piece + 1)
        piece += 1
      } else if piece < pieces.count, case .scalar(scalars[place]) = pieces[piece] {
        place += 1
        piece += 1
      } else if let last = back {
        back = (last.place + 1, last.piece)
        (place, piece) = (last.place + 1, last.piece)
      } else {
        return false
      }
    }
    return pieces[piece...].allSatisfy { $0 == .anything }
  }
}
