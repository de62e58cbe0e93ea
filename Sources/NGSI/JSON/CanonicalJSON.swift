/// One text for one JSON value: the JSON Canonicalization Scheme (RFC 8785).
///
/// Members are sorted by the UTF-16 code units of their keys, numbers are written as ECMAScript does.
public enum CanonicalJSON {
  public static func bytes(_ value: JSON) -> [UInt8] {
    var writer = JSONWriter()
    write(value, to: &writer)
    return writer.bytes
  }

  private static func write(_ value: JSON, to writer: inout JSONWriter) {
    switch value {
    case .object(let object):
      writer.open("{")
      for member in object.members.sorted(by: { $0.key.utf16.lexicographicallyPrecedes($1.key.utf16) }) {
        writer.key(member.key)
        write(member.value, to: &writer)
      }
      writer.close("}")
    case .array(let items):
      writer.open("[")
      for item in items {
        writer.separate()
        write(item, to: &writer)
      }
      writer.close("]")
    case .integer, .double, .decimal: writer.json(number(value.number ?? 0).utf8)
    default: writer.write(value)
    }
  }

  /// A number as ECMAScript's `Number::toString` writes it (ECMA-262 section 6.1.6.1.20).
  public static func number(_ value: Double) -> String {
    if value == 0 { return "0" }
    // Swift's own text has the shortest digits that read back; only their layout differs.
    var digits = ""
    var exponent = 0
    var pointAfter: Int?
    var text = "\(abs(value))"
    if let mark = text.firstIndex(of: "e") {
      exponent = Int(text[text.index(after: mark)...]) ?? 0
      text = String(text[..<mark])
    }
    for character in text {
      if character == "." { pointAfter = digits.count } else { digits.append(character) }
    }
    // value = 0.digits × 10^position
    var position = (pointAfter ?? digits.count) + exponent
    let leading = digits.prefix { $0 == "0" }.count
    digits.removeFirst(leading)
    position -= leading
    while digits.last == "0" { digits.removeLast() }
    return (value < 0 ? "-" : "") + layout(digits, position)
  }

  private static func layout(_ digits: String, _ position: Int) -> String {
    let count = digits.count
    if count <= position, position <= 21 { return digits + String(repeating: "0", count: position - count) }
    if 0 < position, position <= 21 { return digits.prefix(position) + "." + digits.dropFirst(position) }
    if -6 < position, position <= 0 { return "0." + String(repeating: "0", count: -position) + digits }
    let exponent = position - 1
    let mantissa = count == 1 ? digits : digits.prefix(1) + "." + digits.dropFirst()
    return mantissa + "e" + (exponent < 0 ? "-" : "+") + String(abs(exponent))
  }
}
