import Foundation

/// A media playlist (RFC 8216) whose segments say when they were recorded.
public struct HLSPlaylist: Sendable, Hashable {
  public struct Segment: Sendable, Hashable {
    public var name: String
    public var begin: Date
    public var seconds: Double

    public var end: Date { begin.addingTimeInterval(seconds) }
  }

  /// The file that comes before all segments (`EXT-X-MAP`); `nil` where there is none.
  public var header: String?
  public var segments: [Segment] = []

  static let maxSegments = 100_000

  /// Reads a playlist; lines that are not understood count for nothing, segments without a time are left out, as are names
  /// that lead out of the playlist's folder.
  public init(_ text: String) {
    var begin: Date?
    var seconds: Double?
    for line in text.split(whereSeparator: \.isNewline).map(String.init) {
      if let value = Self.value(line, "#EXT-X-PROGRAM-DATE-TIME:") {
        begin = Self.date(value)
      } else if let value = Self.value(line, "#EXTINF:") {
        seconds = Double(value.prefix { $0 != "," }).flatMap { $0.isFinite && $0 >= 0 && $0 < 86_400 ? $0 : nil }
      } else if let value = Self.value(line, "#EXT-X-MAP:URI=\"") {
        let name = String(value.prefix { $0 != "\"" })
        header = Self.isPlain(name) ? name : nil
      } else if !line.hasPrefix("#") {
        if let start = begin, let length = seconds, segments.count < Self.maxSegments {
          if Self.isPlain(line) { segments.append(Segment(name: line, begin: start, seconds: length)) }
          // A segment without a time of its own follows on the one before.
          begin = start.addingTimeInterval(length)
        }
        seconds = nil
      }
    }
  }

  /// The segments that hold a time, in their order.
  public func segments(from begin: Date, to end: Date) -> [Segment] {
    segments.filter { $0.end > begin && $0.begin < end }
  }

  private static func value(_ line: String, _ tag: String) -> String? {
    line.hasPrefix(tag) ? String(line.dropFirst(tag.count)) : nil
  }

  private static func isPlain(_ name: String) -> Bool {
    !name.isEmpty && !name.contains("/") && !name.hasPrefix(".") && name.utf8.count <= 200
  }

  /// `2026-11-24T03:03:19.123+0000`, as ffmpeg writes it, or with `Z`.
  private static func date(_ text: String) -> Date? {
    var text = text
    let zone = text.suffix(5)
    if zone.first == "+" || zone.first == "-", zone.dropFirst().allSatisfy(\.isNumber) {
      text.insert(":", at: text.index(text.endIndex, offsetBy: -2))
    }
    return (try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
      ?? (try? Date(text, strategy: .iso8601))
  }
}
