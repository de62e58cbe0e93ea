/// Why there is no street graph.
public enum StreetsError: Error, Equatable, CustomStringConvertible {
  /// The file cannot be opened or read; why.
  case unreadable(String)
  /// The file is larger than `maxBytes`; its size.
  case fileTooLarge(bytes: Int, maxBytes: Int)
  /// The file is no OpenStreetMap PBF, or a broken one; what the reader said.
  case malformed(String)
  /// The file holds more ways or references to nodes than the bounds allow.
  case tooManyElements(maxWays: Int, maxReferences: Int)
  /// No way of the file is a street.
  case noStreets

  public var description: String {
    switch self {
    case .unreadable(let why): "the file cannot be read: \(why)"
    case .fileTooLarge(let bytes, let most): "the file has \(bytes) bytes; at most \(most) are read"
    case .malformed(let why): "the file is no OpenStreetMap PBF, or it is broken: \(why)"
    case .tooManyElements(let ways, let references):
      "the file holds more than \(ways) streets or \(references) references to nodes"
    case .noStreets: "the file holds no streets"
    }
  }
}
