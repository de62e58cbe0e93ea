/// Lines of the form of the MOT challenge: frame, id, left, top, width, height, confidence, x, y, z. Frames count from 1.
public enum MOTFile {
  public struct Row: Sendable, Hashable {
    public var frame: Int
    /// The person; -1 where none was followed.
    public var id: Int
    public var box: Box
    public var score: Double

    public init(frame: Int, id: Int, box: Box, score: Double) {
      self.frame = frame
      self.id = id
      self.box = box
      self.score = score
    }

    /// In a truth: to be left out of account.
    public var isIgnored: Bool { score == 0 }

    /// The row as a line, hundredths of pixels.
    public var line: String {
      let numbers = [box.x, box.y, box.width, box.height].map(Self.hundredths)
      return "\(frame),\(id),\(numbers.joined(separator: ",")),\((score * 1000).rounded() / 1000),-1,-1,-1"
    }

    private static func hundredths(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }
  }

  public struct Malformed: Error, Sendable, Hashable, CustomStringConvertible {
    public var line: Int

    public init(line: Int) { self.line = line }

    public var description: String {
      "line \(line) is none of frame,id,left,top,width,height,… with a frame from 1 to \(MOTFile.maxFrame)"
    }
  }

  public static let maxFrame = 10_000_000

  /// Rows by frame. Empty lines count for nothing. In a truth the seventh value is 0 for boxes that are neither to be found nor
  /// wrong when they are (`Row.isIgnored`).
  /// - Throws: ``Malformed`` with the line, counted from 1.
  public static func rows(_ text: String) throws(Malformed) -> [Int: [Row]] {
    var rows: [Int: [Row]] = [:]
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
      if line.allSatisfy(\.isWhitespace) { continue }
      let values = line.split(separator: ",", omittingEmptySubsequences: false).map { part in
        Double(part.drop(while: \.isWhitespace).prefix { !$0.isWhitespace })
      }
      guard values.count >= 6, let frame = whole(values[0]), let id = whole(values[1]), (1...maxFrame).contains(frame)
      else { throw Malformed(line: index + 1) }
      let edges = values[2..<6].compactMap { $0 }.filter(\.isFinite)
      guard edges.count == 4, edges[2] > 0, edges[3] > 0 else { throw Malformed(line: index + 1) }
      let score = values.count > 6 ? values[6] ?? 1 : 1
      rows[frame, default: []].append(
        Row(
          frame: frame, id: id, box: Box(x: edges[0], y: edges[1], width: edges[2], height: edges[3]), score: score))
    }
    return rows
  }

  private static func whole(_ value: Double?) -> Int? {
    guard let value, abs(value) < 1e15 else { return nil }
    return Int(exactly: value)
  }
}
