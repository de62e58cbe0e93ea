import NGSI

extension JSON {
  /// The value over several lines, two spaces a level; short arrays of scalars stay on one line.
  func indented() -> String {
    var text = ""
    write(to: &text, depth: 0)
    return text
  }

  private func write(to text: inout String, depth: Int) {
    let inner = String(repeating: "  ", count: depth + 1)
    let outer = String(repeating: "  ", count: depth)
    switch self {
    case .object(let object) where !object.isEmpty:
      text += "{"
      for (offset, member) in object.members.enumerated() {
        text += (offset > 0 ? ",\n" : "\n") + inner + JSONWriter.text(.string(member.key)) + ": "
        member.value.write(to: &text, depth: depth + 1)
      }
      text += "\n" + outer + "}"
    case .array(let items) where !items.isEmpty && !items.allSatisfy(\.isScalar):
      text += "["
      for (offset, item) in items.enumerated() {
        text += (offset > 0 ? ",\n" : "\n") + inner
        item.write(to: &text, depth: depth + 1)
      }
      text += "\n" + outer + "]"
    default: text += JSONWriter.text(self)
    }
  }

  private var isScalar: Bool {
    switch self {
    case .array, .object: false
    default: true
    }
  }
}
