import NGSI
import Testing

@testable import Incidents

@Suite struct ProcedureTests {
  @Test func stepsComeInTheirOrderByThoseWhoMay() throws {
    var told = Telling()
    #expect(told.refusal(.step(id: "look", .start)) == .noProcedure)
    try told.give(.begin(try Samples.procedure()))
    func state(_ step: String) -> Procedure.StepState? { told.incident.run?.steps[step]?.state }
    #expect([state("look"), state("warn"), state("call"), state("tell")] == [.ready, .notNeeded, .waiting, .waiting])
    #expect(told.refusal(.step(id: "call", .done(note: nil))) == .stepWaits(for: ["look"]))
    #expect(told.refusal(.step(id: "none", .start)) == .noStep("none"))
    try told.give(.step(id: "look", .done(note: "smoke")))
    #expect(state("call") == .ready && told.incident.status == .inProgress)
    #expect(told.refusal(.step(id: "call", .skip(reason: "no time"))) == .mayNotBeSkipped("call"))
    // It becomes worse: what was not needed is needed now, and what comes after it waits.
    try told.give(.step(id: "call", .done(note: nil)))
    #expect(state("tell") == .ready)
    try told.give(.classify(category: nil, severity: .extreme, reason: "gas"))
    #expect(state("warn") == .ready && state("tell") == .waiting)
    #expect(told.refusal(.step(id: "warn", .done(note: nil))) == .roleNeeded(["commander"]))
    try told.give(.step(id: "warn", .done(note: nil)), by: Samples.lee)
    try told.give(.step(id: "warn", .undo(reason: "wrong line")), by: Samples.lee)
    #expect(state("warn") == .ready)
    try told.give(.step(id: "warn", .skip(reason: "sirens are down")), by: Samples.lee)
    try told.give(.acknowledge)
    try told.give(.resolve(.init(.handled, text: "out")))
    #expect(told.refusal(.close(summary: "x")) == .stepsOpen(["tell"]))
    try told.give(.step(id: "tell", .done(note: nil)))
    try told.give(.close(summary: "x"))
  }

  @Test func aStepHasItsTimeFromWhenItCanBeBegun() throws {
    var told = Telling()
    try told.give(.begin(try Samples.procedure()))
    let begun = Samples.start.adding(seconds: told.seconds)
    #expect(told.incident.run?.dueAt("look") == begun.adding(seconds: 60) && told.incident.run?.dueAt("call") == nil)
    try told.give(.step(id: "look", .done(note: nil)), after: 50)
    #expect(told.incident.run?.dueAt("call") == begun.adding(seconds: 170) && told.incident.run?.dueAt("look") == nil)
    try told.give(.note("x", audience: []), after: 30)
    #expect(told.incident.run?.dueAt("call") == begun.adding(seconds: 170), "its time runs on")
  }

  @Test func anotherProcedureTakesItsPlace() throws {
    var told = Telling()
    try told.give(.begin(try Samples.procedure()))
    #expect(told.refusal(.begin(try Samples.procedure())) == .procedureBegun("fire"))
    let other = try Procedure(
      id: "flood", title: .init(korean: "침수", english: "Flood"), categories: [],
      steps: [.init(id: "pump", title: .init(korean: "배수", english: "Pump"), roles: ["commander"])])
    try told.give(.begin(other))
    #expect(told.incident.run?.openSteps == ["pump"])
    // Where access is open nobody has roles, and steps can be done all the same.
    try told.give(.step(id: "pump", .done(note: nil)), by: Party(.nobody, id: ""))
  }

  @Test func nothingIsLeftOfAFalseAlarm() throws {
    var told = Telling()
    try told.give(.begin(try Samples.procedure()))
    try told.give(.acknowledge)
    try told.give(.resolve(.init(.falseAlarm, text: "steam")))
    try told.give(.close(summary: "steam of a kitchen"))
  }

  @Test func proceduresThatCannotBeFollowedAreRefused() throws {
    typealias Step = Procedure.Step
    let title = Procedure.Title(korean: "가", english: "a")
    func problem(_ steps: [Step]) -> String? {
      let made = Result { () throws(Problem) in
        try Procedure(id: "p", title: title, categories: [], steps: steps)
      }
      guard case .failure(let problem) = made else { return nil }
      return problem.detail
    }
    #expect(problem([])?.contains("1 to 200") == true)
    #expect(problem([Step(id: "a", title: title), Step(id: "a", title: title)])?.contains("two steps 'a'") == true)
    #expect(problem([Step(id: "a", title: title, after: ["b"])])?.contains("comes after 'b'") == true)
    let circle = [
      Step(id: "a", title: title, after: ["c"]), Step(id: "b", title: title),
      Step(id: "c", title: title, after: ["a", "b"]),
    ]
    #expect(problem(circle)?.contains("'a', 'c'") == true)
    #expect(throws: Problem.self) { try Procedure.Condition("severity==") }
  }
}
