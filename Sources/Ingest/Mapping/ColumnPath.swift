import NGSI

/// Where a value stands in a JSON object: names with dots between, numbers for items of arrays (`main.temp`,
/// `readings.0.value`). A member that is named so as a whole goes first.
struct ColumnPath: Sendable, Hashable {
  let text: String
  private let steps: [Substring]

  init(_ text: String) {
    self.text = text
    steps = text.split(separator: ".", omittingEmptySubsequences: false)
  }

  /// The value; `nil` where the way ends before.
  func value(in json: JSON) -> JSON? {
    if case .object(let object) = json, let whole = object[text] { return whole }
    var json = json
    for step in steps {
      switch json {
      case .object(let object):
        guard let next = object[String(step)] else { return nil }
        json = next
      case .array(let items):
        guard step.utf8.count <= 9, step.utf8.allSatisfy({ $0 &- 48 < 10 }), let index = Int(step), index < items.count
        else { return nil }
        json = items[index]
      default: return nil
      }
    }
    return json
  }
}
