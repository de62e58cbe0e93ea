import NGSI
import Synchronization

/// Acts that anybody can cause as often as he likes, such as wrong passwords: the first one of an action, account, source
/// and subject is recorded at once, how many followed within a minute when it is over. So a thousand a second are two
/// entries a minute.
///
/// Bounded: what is beyond ``most`` is counted by action only, with ``others`` as its source.
final class RepeatedActs: Sendable {
  /// Seconds that are counted together.
  static let window = 60.0
  static let others = "(others)"

  private struct Key: Hashable {
    var action: String
    var actor: String?
    var actorKind: String?
    var source: String?
    var subject: String?
    var tenant: String?

    init(_ act: Act) {
      (action, actor, actorKind) = (act.action, act.actor, act.actorKind)
      (source, subject, tenant) = (act.source, act.subject, act.tenant)
    }
  }

  private struct Window {
    var act: Act
    var count: Int
    var until: DateTime
  }

  let most: Int
  private let windows = Mutex<[Key: Window]>([:])

  init(most: Int = 500) { self.most = most }

  var count: Int { windows.withLock { $0.count } }

  /// Counts an act; whether it is the first and to be recorded now.
  func isFirst(_ act: Act, at now: DateTime) -> Bool {
    windows.withLock { windows in
      let until = now.adding(seconds: Self.window)
      let key = Key(act)
      if windows[key] == nil {
        guard windows.count >= most else {
          windows[key] = Window(act: act, count: 0, until: until)
          return true
        }
        var other = Act(act.kind, action: act.action)
        (other.actorKind, other.actor, other.source) = (act.actorKind, Self.others, Self.others)
        windows[Key(other), default: Window(act: other, count: 0, until: until)].count += 1
        return false
      }
      windows[key]?.count += 1
      return false
    }
  }

  /// Takes the windows that are over, all where no time is given, as acts that say how often.
  func take(before now: DateTime?) -> [(act: Act, count: Int)] {
    windows.withLock { windows in
      let over = windows.filter { _, window in now.map { window.until <= $0 } ?? true }
      for key in over.keys { windows[key] = nil }
      return over.values.filter { $0.count > 0 }.map { ($0.act, $0.count) }
    }
  }

  /// Keeps what could not be recorded for the next time.
  func giveBack(_ counted: [(act: Act, count: Int)], at now: DateTime) {
    windows.withLock { windows in
      for (act, count) in counted {
        windows[Key(act), default: Window(act: act, count: 0, until: now)].count += count
      }
    }
  }
}

extension EvidenceLog {
  /// Records an act that anybody can cause as often as he likes: at once where it is the first within a minute, with the
  /// others of its kind when the minute is over. What a crash takes with it are counts of that minute.
  public func recordRepeatable(_ act: Act) async throws {
    guard repeated.isFirst(act, at: now()) else { return }
    _ = try await store.write { try self.record([act], $0) }
  }

  /// Records how often what was recorded once has happened since; all of it when the city stops.
  func recordCounted(isLast: Bool = false) async throws {
    let counted = repeated.take(before: isLast ? nil : now())
    guard !counted.isEmpty else { return }
    let acts = counted.map { act, count in
      var act = act
      act.detail = [act.detail, "\(count) times"].compactMap { $0 }.joined(separator: "; ")
      return act
    }
    do { _ = try await store.write { try self.record(acts, $0) } } catch {
      repeated.giveBack(counted, at: now())
      throw error
    }
  }
}
