import NGSI
import Testing

@testable import AgencyLink

@Suite struct SessionRegisterTests {
  private typealias Refusal = SessionRegister.Refusal

  @Test func aSessionLastsItsTime() throws {
    var register = SessionRegister(apiKeys: ["FIRE0001": "secret-1"], lifetime: 60)
    let start = Samples.start
    #expect(throws: Refusal.noSession) { try register.check("FIRE0001", secret: "k", at: start) }
    try register.logIn("FIRE0001", apiKey: "secret-1", giving: "k", at: start)
    try register.check("FIRE0001", secret: "k", at: start.adding(seconds: 59))
    #expect(throws: Refusal.noSession) { try register.check("FIRE0001", secret: "k", at: start.adding(seconds: 60)) }
  }

  @Test func aKeyIsGoodForItsSenderOnly() throws {
    var register = SessionRegister(apiKeys: ["FIRE0001": "secret-1", "POLICE01": "secret-2"])
    let start = Samples.start
    try register.logIn("FIRE0001", apiKey: "secret-1", giving: "k1", at: start)
    try register.logIn("POLICE01", apiKey: "secret-2", giving: "k2", at: start)
    for (sender, secret) in [
      ("FIRE0001", "k2"), ("POLICE01", "k1"), ("OTHER", "k1"), ("FIRE0001", ""), ("FIRE0001", "k"),
    ] {
      #expect(throws: Refusal.noSession) { try register.check(sender, secret: secret, at: start) }
    }
    #expect(throws: Refusal.noSession) { try register.check("FIRE0001", secret: nil, at: start) }
  }

  @Test func aWrongKeyChangesNothing() throws {
    var register = SessionRegister(apiKeys: ["FIRE0001": "secret-1"])
    let start = Samples.start
    try register.logIn("FIRE0001", apiKey: "secret-1", giving: "k1", at: start)
    for (sender, apiKey) in [("FIRE0001", "secret-2"), ("FIRE0001", ""), ("OTHER", "secret-1"), ("OTHER", "")] {
      #expect(throws: Refusal.wrongKey) { try register.logIn(sender, apiKey: apiKey, giving: "k2", at: start) }
    }
    try register.check("FIRE0001", secret: "k1", at: start)
    // Another login replaces the key.
    try register.logIn("FIRE0001", apiKey: "secret-1", giving: "k3", at: start)
    #expect(throws: Refusal.noSession) { try register.check("FIRE0001", secret: "k1", at: start) }
  }
}
