/// Which recordings go. Values in, values out.
///
/// How long recordings may be kept is law or contract of the city, passed in; there is no usual value here.
public struct RetentionPlan: Sendable, Hashable {
  public struct Recording: Sendable, Hashable {
    public var name: String
    /// Seconds since 1970: when it ends.
    public var end: Double
    public var bytes: Int
    /// Kept for a reason of its own (evidence of an open incident); never goes here.
    public var isHeld: Bool

    public init(name: String, end: Double, bytes: Int, isHeld: Bool = false) {
      self.name = name
      self.end = end
      self.bytes = bytes
      self.isHeld = isHeld
    }
  }

  public enum Reason: String, Sendable, Hashable {
    /// Older than it may be.
    case age
    /// There is no room; the oldest go first.
    case room
  }

  public struct Deletion: Sendable, Hashable {
    public var name: String
    public var reason: Reason

    public init(name: String, reason: Reason) {
      self.name = name
      self.reason = reason
    }
  }

  /// Seconds for which a recording may be kept.
  public var seconds: Double
  /// Bytes that all recordings together may take.
  public var bytes: Int

  public init(seconds: Double, bytes: Int) {
    self.seconds = seconds
    self.bytes = bytes
  }

  /// What goes now, the oldest first. What is held counts for the room, and stays even where that is more than there is.
  public func deletions(_ recordings: [Recording], now: Double) -> [Deletion] {
    var used = recordings.reduce(0) { $0 + max(0, $1.bytes) }
    var deletions: [Deletion] = []
    for recording in recordings.sorted(by: { ($0.end, $0.name) < ($1.end, $1.name) }) where !recording.isHeld {
      // A recording from the future says nothing of its age; the room still counts.
      if now - recording.end > seconds {
        deletions.append(Deletion(name: recording.name, reason: .age))
      } else if used > bytes {
        deletions.append(Deletion(name: recording.name, reason: .room))
      } else {
        continue
      }
      used -= max(0, recording.bytes)
    }
    return deletions
  }
}
