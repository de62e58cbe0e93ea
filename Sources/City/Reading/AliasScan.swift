/// Finds anchors (`&name`) and aliases (`*name`) in YAML text without building anything.
///
/// They may stand only where a value starts: at the start of a line, after `- `, `: ` or `? `, and in flow collections
/// after `[`, `{` and `,`. A line of a block scalar that starts with one of the two signs is taken for one, too.
struct AliasScan {
  private var startsValue = true
  private var flowDepth = 0
  private var quote: UInt8?
  private var isComment = false
  private var previous = UInt8(ascii: "\n")

  /// The line of the first one, from 1; `nil` when there is none.
  static func firstLine(in text: String) -> Int? {
    var scan = AliasScan()
    var line = 1
    for byte in text.utf8 {
      if scan.take(byte) { return line }
      if byte == UInt8(ascii: "\n") { line += 1 }
    }
    return nil
  }

  /// Takes the next byte; true when it starts an anchor or alias.
  private mutating func take(_ byte: UInt8) -> Bool {
    defer { previous = byte }
    if byte == UInt8(ascii: "\n") {
      isComment = false
      if quote == nil { startsValue = true }
      return false
    }
    if isComment { return false }
    if let open = quote {
      // A quote doubled or escaped re-opens at once, since the next byte is a quote again; only its place differs.
      if byte == open, previous != UInt8(ascii: "\\") || open == UInt8(ascii: "'") { quote = nil }
      return false
    }
    switch byte {
    case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
      if [UInt8(ascii: ":"), UInt8(ascii: "-"), UInt8(ascii: "?")].contains(previous) { startsValue = true }
    case UInt8(ascii: "#") where previous <= UInt8(ascii: " "): isComment = true
    case UInt8(ascii: "\""), UInt8(ascii: "'"):
      if startsValue || previous == byte { quote = byte }
      startsValue = false
    case UInt8(ascii: "["), UInt8(ascii: "{"):
      if startsValue || flowDepth > 0 { flowDepth += 1 }
      startsValue = startsValue || flowDepth > 0
    case UInt8(ascii: "]"), UInt8(ascii: "}"):
      if flowDepth > 0 { flowDepth -= 1 }
      startsValue = false
    case UInt8(ascii: ","): startsValue = flowDepth > 0
    case UInt8(ascii: "&"), UInt8(ascii: "*"):
      if startsValue { return true }
    case UInt8(ascii: "-"), UInt8(ascii: "?"): break
    default: startsValue = false
    }
    return false
  }
}
