import ChildProcess
import Foundation
import NGSI
import Testing

@testable import AgencyLink

@Suite struct CipherTests {
  private static let key = "our own key of 32 characters ..!"

  private func bytes(_ hex: String) -> [UInt8] {
    let digits = Array(hex)
    return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
  }

  private func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// RFC 5794, appendix A.3 (ARIA-256).
  @Test func theVectorOfTheRFC() throws {
    let key = [UInt8](0..<32)
    let plain = bytes("00112233445566778899aabbccddeeff")
    let cipher = bytes("f92bd7c79fb72e2f2b8f80c1972d24fc")
    #expect(try Aria.run(plain, key: key, encrypts: true) == cipher)
    #expect(try Aria.run(cipher, key: key, encrypts: false) == plain)
    #expect(try Aria.run(plain + plain, key: key, encrypts: true) == cipher + cipher)
  }

  private func openssl(_ input: [UInt8], key: [UInt8], decrypts: Bool, for test: String) throws -> [UInt8]? {
    let program = "/usr/bin/openssl"
    guard FileManager.default.isExecutableFile(atPath: program) else {
      print("skipped: \(test), \(program) is absent")
      return nil
    }
    let file = FileManager.default.temporaryDirectory.appending(path: "aria-" + UUID().uuidString)
    try Data(input).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let process = ChildProcess()
    process.executableURL = URL(filePath: program)
    process.arguments = [
      "enc", decrypts ? "-d" : "-e", "-aria-256-ecb", "-nopad", "-K", hex(key), "-in", file.path,
    ]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return Array(data)
  }

  @Test func opensslReadsWhatWeWrite() throws {
    let cipher = try BodyCipher(key: Self.key, encoding: .hex)
    for length in 0..<40 {
      var body = Samples.body()
      body.content = String(repeating: "a", count: length)
      let message = Message(Samples.envelope(), .event(body))
      guard case .sealed(let text) = try cipher.seal(message).body else { throw MessageError("body", .encryption) }
      guard let plain = try openssl(bytes(text), key: Array(Self.key.utf8), decrypts: true, for: #function) else {
        return
      }
      let expected = JSONWriter.bytes(message.body.json(.module))
      let missing = (16 - expected.count % 16) % 16
      let filling = missing == 0 ? [] : [UInt8](repeating: 0, count: missing - 1) + [UInt8(missing)]
      #expect(plain == expected + filling)
    }
  }

  @Test func weReadWhatOpensslWrites() throws {
    let cipher = try BodyCipher(key: "short", encoding: .base64)
    // The key is filled up like a block: five characters, 26 zeros and the number 27.
    let key = Array("short".utf8) + [UInt8](repeating: 0, count: 26) + [27]
    for blanks in 0..<17 {
      let text = Array((Samples.bodyText + String(repeating: " ", count: blanks)).utf8)
      let plain = BodyCipher.filled(text, to: 16)
      guard let sealed = try openssl(plain, key: key, decrypts: false, for: #function) else { return }
      var envelope = Samples.envelope()
      envelope.isEncrypted = true
      let opened = try cipher.open(Message(envelope, .sealed(Base64.encode(sealed))))
      #expect(opened.body == .event(Samples.body()))
    }
  }

  @Test(arguments: BodyCipher.Encoding.allCases, WireRequest.Format.allCases)
  func aSealedBodyTravels(_ encoding: BodyCipher.Encoding, _ format: WireRequest.Format) throws {
    let cipher = try BodyCipher(key: Self.key, encoding: encoding)
    let message = Message(Samples.envelope(), .event(Samples.body()))
    let request = try cipher.seal(message).request(format)
    let read = try Message(reading: request)
    guard case .sealed(let text) = read.body else { throw MessageError("body", .encryption) }
    #expect(read.envelope.isEncrypted && read.envelope.bodyLength == "\(text.utf16.count)")
    #expect(try cipher.open(read).body == message.body)
    if format == .json { #expect(request[WireRequest.Name.isEncrypted] == "Y") }
    // A plain body passes.
    #expect(try cipher.open(message) == message)
  }

  /// Whatever is wrong, the same is said.
  @Test func noErrorHelpsToGuess() throws {
    let cipher = try BodyCipher(key: Self.key, encoding: .hex)
    guard case .sealed(let text) = try cipher.seal(Message(Samples.envelope(), .event(Samples.body()))).body else {
      throw MessageError("body", .encryption)
    }
    let aria = { (plain: String) in
      self.hex(try Aria.run(BodyCipher.filled(Array(plain.utf8), to: 16), key: Array(Self.key.utf8), encrypts: true))
    }
    func sealed(_ text: String, filling: (Int) -> [UInt8]) throws -> String {
      // Blanks, so that more than the count is filled in.
      var plain = Array(text.utf8)
      while plain.count % 16 != 8 { plain.append(32) }
      return hex(try Aria.run(plain + filling(8), key: Array(Self.key.utf8), encrypts: true))
    }
    let good = try sealed(Samples.bodyText) { [UInt8](repeating: 0, count: $0 - 1) + [UInt8($0)] }
    #expect(try cipher.open(Message(Samples.envelope(), .sealed(good))).body == .event(Samples.body()))
    var wrong = [
      "", "00", "zz" + text.dropFirst(2), String(text.dropLast()), String(text.dropLast(2)), String(text.dropLast(32)),
      String(text.dropFirst(32)), text + text, "é", try aria("[]"), try aria("{}"), try aria("{\"evtId\":\"E\"}"),
      try aria("no JSON"),
      // What could be read but for its filling: no zeros before the count, and no count.
      try sealed(Samples.bodyText, filling: { [UInt8](repeating: 32, count: $0 - 1) + [UInt8($0)] }),
      try sealed(Samples.bodyText, filling: { [UInt8](repeating: 0, count: $0) }),
    ]
    // One changed digit in each block.
    for start in stride(from: 0, to: text.count, by: 32) {
      var digits = Array(text)
      digits[start] = digits[start] == "0" ? "1" : "0"
      wrong.append(String(digits))
    }
    let expected = MessageError("body", .unreadable)
    for text in wrong {
      let sealed = Message(Samples.envelope(), .sealed(text))
      #expect(Samples.failure { _ = try cipher.open(sealed) } == expected, "\(text)")
    }
    let other = try BodyCipher(key: Self.key.replacing("!", with: "?"), encoding: .hex)
    #expect(Samples.failure { _ = try other.open(Message(Samples.envelope(), .sealed(text))) } == expected)
    #expect(Answer(to: expected) == .failure("'body' cannot be read"))
  }

  @Test func fillings() {
    #expect(BodyCipher.filled([], to: 16) == [])
    #expect(BodyCipher.filled([9, 9], to: 4) == [9, 9, 0, 2])
    #expect(BodyCipher.filled([9, 9, 9, 9], to: 4) == [9, 9, 9, 9])
    #expect(BodyCipher.emptied([125, 0, 0, 3]) == [125])
    #expect(BodyCipher.emptied([125, 1]) == [125])
    #expect(BodyCipher.emptied([125, 125]) == [125, 125])
    // A line's end is text where no zero stands before it.
    #expect(BodyCipher.emptied([125, 13, 10]) == [125, 13, 10])
    #expect(BodyCipher.emptied([125] + [UInt8](repeating: 0, count: 9) + [10]) == [125])
    for wrong in [[125, 0], [125, 7, 0, 3], [0, 3]] as [[UInt8]] {
      #expect(BodyCipher.emptied(wrong) == nil, "\(wrong)")
    }
  }

  @Test func keys() throws {
    #expect(throws: BodyCipher.KeyError.empty) { try BodyCipher(key: "", encoding: .hex) }
    #expect(throws: BodyCipher.KeyError.notASCII) { try BodyCipher(key: "열쇠", encoding: .hex) }
    // Of a longer key the first 32 characters count.
    let message = Message(Samples.envelope(), .event(Samples.body()))
    let longer = try BodyCipher(key: Self.key + "more", encoding: .hex)
    #expect(try longer.seal(message) == BodyCipher(key: Self.key, encoding: .hex).seal(message))
  }

  @Test func base64IsStrict() {
    for (text, bytes) in [("", []), ("Zg==", [102]), ("Zm8=", [102, 111]), ("Zm9v", [102, 111, 111])]
      as [(String, [UInt8])]
    {
      #expect(Base64.encode(bytes) == text)
      #expect(Base64.decode(text) == bytes)
    }
    for text in ["Zg", "Zg=", "Z===", "Zh==", "Zm9v\n", "Zm=v", "Zg==Zg==", "é==="] {
      #expect(Base64.decode(text) == nil, "\(text)")
    }
  }
}
