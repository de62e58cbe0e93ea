/// Numbers as files write them, as JSON text with the same digits.
enum NumberText {
  /// Checks a number and appends it as JSON; `nil` when it is none, or beyond a 64-bit float.
  ///
  /// Digits stay as they came, so that the hub holds exactly the file's value. `+1`, `.5`, `5.` and `007` are read.
  static func append(_ bytes: ArraySlice<UInt8>, to text: inout [UInt8]) -> Double? {
    var bytes = bytes
    while let first = bytes.first, first == 0x20 || first == 0x09 { bytes = bytes.dropFirst() }
    while let last = bytes.last, last == 0x20 || last == 0x09 { bytes = bytes.dropLast() }
    let start = text.count
    guard let value = read(bytes, into: &text) else {
      text.removeLast(text.count - start)
      return nil
    }
    return value
  }

  private static func read(_ bytes: ArraySlice<UInt8>, into text: inout [UInt8]) -> Double? {
    guard bytes.count <= 400 else { return nil }
    var position = bytes.startIndex
    let start = text.count
    func digit(_ at: Int) -> Bool { at < bytes.endIndex && bytes[at] &- 48 < 10 }
    if position < bytes.endIndex, bytes[position] == UInt8(ascii: "-") || bytes[position] == UInt8(ascii: "+") {
      if bytes[position] == UInt8(ascii: "-") { text.append(bytes[position]) }
      position += 1
    }
    var whole = 0
    while digit(position), bytes[position] == 48, digit(position + 1) { position += 1 }
    while digit(position) {
      text.append(bytes[position])
      whole += 1
      position += 1
    }
    if whole == 0 { text.append(48) }
    var fraction = 0
    if position < bytes.endIndex, bytes[position] == UInt8(ascii: ".") {
      position += 1
      if digit(position) { text.append(UInt8(ascii: ".")) }
      while digit(position) {
        text.append(bytes[position])
        fraction += 1
        position += 1
      }
    }
    guard whole + fraction > 0 else { return nil }
    if position < bytes.endIndex, bytes[position] | 0x20 == UInt8(ascii: "e") {
      text.append(UInt8(ascii: "e"))
      position += 1
      if position < bytes.endIndex, bytes[position] == UInt8(ascii: "-") || bytes[position] == UInt8(ascii: "+") {
        text.append(bytes[position])
        position += 1
      }
      guard digit(position) else { return nil }
      while digit(position) {
        text.append(bytes[position])
        position += 1
      }
    }
    guard position == bytes.endIndex, let value = Double(String(decoding: text[start...], as: UTF8.self)),
      value.isFinite
    else { return nil }
    return value
  }
}
