import NGSI
import Testing

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

  @Test func refusesBrokenUTF8AndDepth() {
    #expect(throws: JSONError.self) { try JSONParser.parse([0x22, 0xC3, 0x28, 0x22]) }
    #expect(throws: JSONError.self) { try JSONParser.parse(String(repeating: "[", count: 10_000)) }
  }

  @Test func equalityIsJSONEquality() {
    #expect(["a": 1, "b": 2] as JSON == ["b": 2.0, "a": 1])
    #expect(["a": 1] as JSON != ["a": 2])
  }
}
