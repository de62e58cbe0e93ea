import NGSI
import Testing

// Clauses: 4.6.1
@Suite struct JSONTests {
  @Test(arguments: [
    "0", "-1", "9223372036854775807", "-9223372036854775808", "0.1", "1e-7", "\"한글 \\u0001\"", "[]", "{}",
    "{\"a\":[1,2.5,null,true,\"x\"],\"b\":{}}", "3.141592653589793238462643383279", "18446744073709551616",
  ])
  func printsBackWhatItRead(_ text: String) throws {
    #expect(JSONWriter.text(try JSONParser.parse(text)) == text)
  }

  @Test(arguments: [
    "", "{", "[1,]", "{\"a\":1,}", "01", "1.", "+1", "NaN", "Infinity", "1e400", "\"\\ud800\"", "\"\\x\"", "\"\u{1}\"",
    "{\"a\":1,\"a\":2}", "nul", "1 2", "'a'",
  ])
  func refuses(_ text: String) {
    #expect(throws: JSONError.self) { try JSONParser.parse(text) }
  }

  /// Swift's own shortest text is the measure, where it needs no exponent.
  @Test func writesTheShortestText() {
    var dice = SystemRandomNumberGenerator()
    func check(_ number: Double) {
      let text = number.description
      guard !text.contains("e") else { return }
      #expect(JSONWriter.text(.double(number)) == text)
      #expect(JSONWriter.text(.double(-number)) == (-number).description)
    }
    for number in [0, -0.0, 0.001, 1e-3.nextDown, 0.3, 0.1 + 0.2, 1, 999_999_999.999999, 1e9, 1e9.nextDown, 123.0625] {
      check(number)
      check(number.nextUp)
    }
    for _ in 0..<20_000 {
      let places: Double = [1, 10, 100, 1000, 1e4, 1e5, 1e6, 1e7].randomElement(using: &dice) ?? 1
      let number =
        Double(Int64.random(in: 0..<(1 << 50), using: &dice) >> Int64.random(in: 0..<50, using: &dice)) / places
      check(number)
      check(number.nextUp)
      check(Double(bitPattern: .random(in: 0...(0x7FE << 52), using: &dice)))
    }
  }

  @Test func refusesBrokenUTF8AndDepth() {
    #expect(throws: JSONError.self) { try JSONParser.parse([0x22, 0xC3, 0x28, 0x22]) }
    #expect(throws: JSONError.self) { try JSONParser.parse(String(repeating: "[", count: 10_000)) }
  }

  @Test func equalityIsJSONEquality() {
    #expect(["a": 1, "b": 2] as JSON == ["b": 2.0, "a": 1])
    #expect(["a": 1] as JSON != ["a": 2])
  }

  // Clauses: 4.6.1
  @Test("numbers with few places are written as the standard library writes them")
  func decimals() {
    var random = SystemRandomNumberGenerator()
    for places in 0...12 {
      for _ in 0..<4000 {
        let whole = Double(Int64.random(in: 0...(1 << Int64.random(in: 0...31, using: &random)), using: &random))
        let scale = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12][places]
        let number = (whole + (Double.random(in: 0..<1, using: &random) * scale).rounded() / scale)
        guard number >= 1e-3 else { continue }
        #expect(JSONWriter.text(.double(number)) == number.description)
        #expect(JSONWriter.text(.double(-number)) == (-number).description)
      }
    }
  }
}
