import Hummingbird
import NGSI

/// `/health`: every bound and how near it is.
enum HealthPage {
  static func answer(_ visit: Visit) async throws -> Response {
    let room = visit.room
    var report = await room.source.health().object ?? JSONObject()
    report["console"] = await consoleSection(room)
    let view = HealthView(.object(report))
    let troubles = view.troubles.map { section, one in
      gauge(visit, section, one).merging([
        "gaugeSection": room.strings.label("health_" + section, section, visit.language),
        "gaugeAdvice": advice(visit, section, one.name),
      ]) { own, _ in own }
    }
    let content: [String: Any] = [
      "hasTroubles": !troubles.isEmpty, "troubles": troubles,
      "sections": view.sections.map { section in
        [
          "sectionTitle": visit.room.strings.label("health_" + section.name, section.name, visit.language),
          "gauges": section.gauges.map { gauge(visit, section.name, $0) },
        ] as [String: Any]
      },
      "worst": view.worst.rawValue, "worstText": visit.text("health_state_" + view.worst.rawValue),
      "worstSentence": visit.text("health_sentence_" + view.worst.rawValue),
      "raw": JSON.object(report).indented(),
    ]
    return PageFrame.answer(
      visit, template: "health", title: visit.text("healthTitle"), section: "health", content: content)
  }

  /// What to do about a gauge near its bound.
  private static func advice(_ visit: Visit, _ section: String, _ name: String) -> String {
    let texts = visit.room.strings.table(visit.language)
    return texts["advice_\(section)_\(name)"] ?? texts["advice_\(section)"] ?? visit.text("advice_other")
  }

  private static func consoleSection(_ room: ConsoleRoom) async -> JSON {
    let items = await room.board.items.count
    let leftOut = await room.board.leftOut
    let phase = await room.board.phase
    return [
      "state": ["value": .string("\(phase)"), "state": .string(phase == .failed ? "red" : "green")],
      "entities": ["value": .integer(Int64(items)), "bound": .integer(Int64(room.board.capacity))],
      "leftOut": ["value": .integer(Int64(leftOut)), "state": .string(leftOut > 0 ? "amber" : "green")],
      "listeners": ["value": .integer(Int64(room.events.count)), "bound": .integer(Int64(EventClients.bound))],
    ]
  }

  private static func gauge(_ visit: Visit, _ section: String, _ gauge: HealthView.Gauge) -> [String: Any] {
    let strings = visit.room.strings
    let ownKey = "\(section)_\(gauge.name)"
    let isOwn = strings.table(visit.language)["gauge_" + ownKey] != nil
    var content: [String: Any] = [
      "gaugeName": strings.label("gauge_" + (isOwn ? ownKey : gauge.name), gauge.name, visit.language),
      "gaugeValue": text(visit, gauge),
      "gaugeState": gauge.state?.rawValue ?? "none",
    ]
    if let state = gauge.state { content["gaugeStateText"] = visit.text("health_state_" + state.rawValue) }
    if let bound = gauge.bound {
      content["gaugeBound"] = HealthView.Gauge.text(bound, unit: gauge.unit)
      content["gaugeShare"] = "\(Int((gauge.share * 100).rounded()))"
    }
    if let note = gauge.note ?? strings.table(visit.language)["note_" + ownKey] { content["gaugeNote"] = note }
    return content
  }

  /// Lengths of time and instants in the reader's words and the city's time; states of reading as words.
  private static func text(_ visit: Visit, _ gauge: HealthView.Gauge) -> String {
    if gauge.unit == "s", let number = gauge.number { return visit.room.strings.duration(number, visit.language) }
    if gauge.name == "time", let instant = DateTime(gauge.text) {
      return "\(visit.room.time.text(instant)) \(visit.room.time.offset(instant))"
    }
    return visit.room.strings.table(visit.language)["phase_" + gauge.text] ?? gauge.text
  }
}

extension Strings {
  /// The text of a key, or the name itself in words: `queuedWrites` as "queued writes".
  func label(_ key: String, _ name: String, _ language: Language) -> String {
    if let text = table(language)[key] { return text }
    var words = ""
    for letter in name {
      if letter.isUppercase, !words.isEmpty { words += " " }
      words += letter == "_" ? " " : letter.lowercased()
    }
    return words
  }
}

/// Reads a health report.
///
/// Each member of the report that is an object is a section. A member of a section is a gauge: a number, a text, a
/// flag, or an object `{"value": …, "bound": …, "unit": …, "state": "green"|"amber"|"red", "note": …}` of which only
/// `value` is needed; the unit of a name that ends in `Seconds` is the second. With a bound and no state it is amber from 70 % of the bound on and red from 90 % on. The section
/// `outbox` with `due`, `delivered`, `failed`, `throttled` and, where some are still under way, `pending` is red when
/// they do not add up. Members beside the sections are shown under `general`.
struct HealthView {
  enum State: String {
    case green
    case amber
    case red
  }

  struct Gauge {
    var name: String
    var text: String
    var number: Double?
    var bound: Double?
    var share: Double
    var unit: String
    /// `nil` for a plain counter, which is neither good nor bad.
    var state: State?
    var note: String?
  }

  struct Section {
    var name: String
    var gauges: [Gauge]
  }

  var sections: [Section] = []

  static let maxGauges = 500

  /// What is near its bound or beyond, the worst first.
  var troubles: [(section: String, gauge: Gauge)] {
    let all = sections.flatMap { section in section.gauges.map { (section: section.name, gauge: $0) } }
    return [State.red, .amber].flatMap { state in all.filter { $0.gauge.state == state } }
  }

  var worst: State {
    let states = sections.flatMap(\.gauges).compactMap(\.state)
    return states.contains(.red) ? .red : states.contains(.amber) ? .amber : .green
  }

  init(_ report: JSON) {
    var general = Section(name: "general", gauges: [])
    var left = Self.maxGauges
    for member in report.object ?? JSONObject() where left > 0 {
      if let object = member.value.object, object["value"] == nil {
        guard !object.members.isEmpty else { continue }
        var section = Section(name: member.key, gauges: object.members.prefix(left).map { Gauge($0.key, $0.value) })
        if member.key == "outbox" { section.gauges += Self.balance(object) }
        left -= section.gauges.count
        sections.append(section)
      } else {
        general.gauges.append(Gauge(member.key, member.value))
        left -= 1
      }
    }
    if !general.gauges.isEmpty { sections.insert(general, at: 0) }
  }

  private static func balance(_ outbox: JSONObject) -> [Gauge] {
    let number = { (key: String) in outbox[key].flatMap { $0.number ?? $0["value"]?.number } }
    guard let due = number("due"), let delivered = number("delivered"), let failed = number("failed"),
      let throttled = number("throttled")
    else { return [] }
    let rest = due - delivered - failed - throttled - (number("pending") ?? 0)
    return [
      Gauge(
        name: "unaccounted", text: NumberText.short(rest), number: rest, bound: nil, share: 0, unit: "",
        state: rest == 0 ? .green : .red, note: nil)
    ]
  }
}

extension HealthView.Gauge {
  init(_ name: String, _ json: JSON) {
    let value = json.object == nil ? json : json["value"] ?? json
    self.name = name
    unit = json["unit"]?.string ?? (name.hasSuffix("Seconds") ? "s" : "")
    number = value.number
    text = value.number.map { [unit] in Self.text($0, unit: unit) } ?? value.string ?? JSONWriter.text(value)
    bound = json["bound"]?.number
    note = json["note"]?.string
    share = 0
    if let number = value.number, let bound, bound > 0 {
      share = min(max(number / bound, 0), 1)
      state = share >= 0.9 ? .red : share >= 0.7 ? .amber : .green
    }
    if let given = json["state"]?.string.flatMap(HealthView.State.init(rawValue:)) { state = given }
  }

  /// Bytes in powers of 1024; other units as they are.
  static func text(_ number: Double, unit: String) -> String {
    if unit.isEmpty { return NumberText.short(number) }
    if unit == "B" {
      for (size, name) in [(1_073_741_824.0, "GiB"), (1_048_576, "MiB"), (1024, "KiB")] where abs(number) >= size {
        return NumberText.short(number / size) + " " + name
      }
    }
    return NumberText.short(number) + " " + unit
  }
}
