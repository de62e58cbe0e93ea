import Foundation

/// A clip that is to be cut: what was before an event and what comes after.
public struct ClipRequest: Sendable, Hashable {
  /// What it is called, without extension.
  public var name: String
  public var begin, end: Date

  public init(name: String, begin: Date, end: Date) {
    self.name = name
    self.begin = begin
    self.end = end
  }
}

/// Clips that wait for their end. Values in, values out.
public struct ClipQueue: Sendable, Hashable {
  /// Seconds before an event and after it that a clip holds.
  public var before, after: Double
  /// Seconds of a clip at most; an event that goes on gets no longer one.
  public var longest: Double
  /// Clips that wait at most; the oldest give way.
  public static let most = 64

  private var waiting: [ClipRequest] = []

  public init(before: Double = 10, after: Double = 10, longest: Double = 40) {
    self.before = before
    self.after = after
    self.longest = max(longest, before + after)
  }

  /// An event began. One that falls into a clip that still waits makes that one longer, and gets its name.
  /// - Returns: the name of the clip that will show it.
  public mutating func add(name: String, at time: Date) -> String {
    let end = time.addingTimeInterval(after)
    if let last = waiting.indices.last, time <= waiting[last].end,
      end.timeIntervalSince(waiting[last].begin) <= longest
    {
      waiting[last].end = max(waiting[last].end, end)
      return waiting[last].name
    }
    if waiting.count >= Self.most { waiting.removeFirst() }
    waiting.append(ClipRequest(name: name, begin: time.addingTimeInterval(-before), end: end))
    return name
  }

  /// Clips whose end is there, taken out.
  public mutating func due(at time: Date) -> [ClipRequest] {
    defer { waiting.removeAll { $0.end <= time } }
    return waiting.filter { $0.end <= time }
  }
}
