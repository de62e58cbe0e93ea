import CAP
import NGSI

/// Whether a warning is for real, of an exercise, or a technical test. It never changes.
enum WarningKind: Sendable, Hashable {
  case actual
  case exercise(String)
  case test

  /// As it is kept: nothing for what is real.
  init(kept json: JSON) {
    if let exercise = json["exercise"]?.string {
      self = .exercise(exercise)
    } else {
      self = json["test"]?.bool == true ? .test : .actual
    }
  }

  var exercise: String? { if case .exercise(let name) = self { name } else { nil } }

  var word: String {
    switch self {
    case .actual: "actual"
    case .exercise: "exercise"
    case .test: "test"
    }
  }

  /// The message of a draft as it stands on the kind's footing.
  func message(
    _ composed: (inout CAPAlert) -> Void, identifier: String, sender: String, sent: DateTime,
    _ type: CAPAlert.MessageType, scope: CAPAlert.Scope
  ) -> CAPAlert? {
    switch self {
    case .actual: Issued<ActualWarning>(self, identifier, sender, sent, type, scope, composed)?.alert
    case .exercise: Issued<ExerciseWarning>(self, identifier, sender, sent, type, scope, composed)?.alert
    case .test: Issued<TestWarning>(self, identifier, sender, sent, type, scope, composed)?.alert
    }
  }
}

/// A footing of warnings, as a type: no message of the one is made on the other.
protocol WarningFooting: Sendable {
  static var status: CAPAlert.Status { get }
  static func holds(_ kind: WarningKind) -> Bool
  /// What is marked already, as a text of an earlier message is, stays as it is.
  static func marked(_ text: String, _ kind: WarningKind) -> String
}

enum ActualWarning: WarningFooting {
  static let status = CAPAlert.Status.actual
  static func holds(_ kind: WarningKind) -> Bool { kind == .actual }
  static func marked(_ text: String, _ kind: WarningKind) -> String { text }
}

enum ExerciseWarning: WarningFooting {
  static let status = CAPAlert.Status.exercise
  private static let mark = "[훈련/EXERCISE] "
  static func holds(_ kind: WarningKind) -> Bool { kind.exercise != nil }
  static func marked(_ text: String, _ kind: WarningKind) -> String { text.hasPrefix(mark) ? text : mark + text }
}

enum TestWarning: WarningFooting {
  static let status = CAPAlert.Status.test
  private static let mark = "[시험/TEST] "
  static func holds(_ kind: WarningKind) -> Bool { kind == .test }
  static func marked(_ text: String, _ kind: WarningKind) -> String { text.hasPrefix(mark) ? text : mark + text }
}

/// A message of the city's own: its status is that of its footing, and its texts say so.
struct Issued<On: WarningFooting>: Sendable {
  let alert: CAPAlert

  /// - Returns: `nil` for a warning that does not stand on the footing.
  init?(
    _ kind: WarningKind, _ identifier: String, _ sender: String, _ sent: DateTime, _ type: CAPAlert.MessageType,
    _ scope: CAPAlert.Scope, _ compose: (inout CAPAlert) -> Void
  ) {
    guard On.holds(kind) else { return nil }
    var alert = CAPAlert(
      identifier: identifier, sender: sender, sent: sent, status: On.status, messageType: type, scope: scope)
    compose(&alert)
    alert.status = On.status
    // The note of an exercise names it (CAP 1.2 section 3.2.1, status).
    if let exercise = kind.exercise { alert.note = [exercise, alert.note].compactMap { $0 }.joined(separator: ": ") }
    for index in alert.infos.indices {
      let info = alert.infos[index]
      alert.infos[index].headline = On.marked(info.headline ?? info.event, kind)
      alert.infos[index].event = On.marked(info.event, kind)
      if let text = alert.infos[index].description { alert.infos[index].description = On.marked(text, kind) }
      if let text = alert.infos[index].instruction { alert.infos[index].instruction = On.marked(text, kind) }
    }
    self.alert = alert
  }
}
