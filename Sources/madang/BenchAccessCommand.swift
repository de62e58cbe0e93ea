import Access
import ArgumentParser
import Foundation
import Hub
import NGSI
import Store

/// Measures what a decision of the rules of access costs.
struct BenchAccessCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "access", abstract: "Measures what a decision of the rules of access costs.",
    discussion: """
      Processor time of one decision on an entity with three attributes, beside other rules of which none concerns who asks. One \
      figure a line: its name, number, unit.
      """)

  @Option(help: "Other rules.")
  var rules: Int = 200

  @Option(help: "Decisions that are timed together.")
  var decisions: Int = 20_000

  private static let asked = """
    permit(principal in Role::"operator", action == Action::"read", resource in EntityType::"Room");
    permit(principal in Agency::"north", action in [Action::"read", Action::"write"], resource in Scope::"/north");
    forbid(principal, action == Action::"read", resource)
    when { context has attribute && context.attribute == "code" } unless { principal in Agency::"north" };
    permit(principal == Person::"low", action == Action::"update", resource in EntityType::"Room")
    when { resource.attributes.level <= 2 && context has purpose && ["care", "repair"].contains(context.purpose) };

    """

  func run() throws {
    var text = Self.asked
    for number in 0..<rules {
      text +=
        "permit(principal in Role::\"r\(number)\", action == Action::\"read\", resource in Scope::\"/s\(number)\");\n"
    }
    let cityRules = try CityRules(
      text, now: { DateTime(microseconds: 1_795_000_000_000_000) }, recorder: { _, _ in [] })
    let entity = try EntityReader(context: .core).entity(
      try JSONParser.parse(
        """
        {"id": "urn:ngsi-ld:Room:1", "type": "Room", "scope": "/north/a", "level": {"type": "Property", "value": 1},
         "code": {"type": "Property", "value": "x"}, "name": {"type": "Property", "value": "y"}}
        """)
    ).entity()
    var caller = Caller(.person, id: "low")
    (caller.roles, caller.agency, caller.purpose) = (["operator", "viewer"], "north", "care")
    let level = [Core.defaultVocabulary + "level"]
    tell("decision of a change") {
      cityRules.decide(.update, before: entity, after: entity, attributes: level, by: caller, in: .default).isAllowed
    }
    tell("decision of a request") { cityRules.decide(.subscribe, by: caller, in: .default).reasons.isEmpty }
    // What one query sees is decided once; each entity then costs this.
    let sight = cityRules.visibility(for: caller, in: .default)
    tell("decision of a read, with each attribute") { sight?.visible(entity) != nil }
  }

  /// The median of eleven runs.
  private func tell(_ name: String, _ decide: () -> Bool) {
    var times: [Double] = []
    for _ in 0..<11 {
      let began = Self.processorSeconds
      for _ in 0..<max(1, decisions) where !decide() { return print("\(name): not decided as expected") }
      times.append((Self.processorSeconds - began) / Double(max(1, decisions)) * 1e6)
    }
    print("\(name): \(String(format: "%.2f", times.sorted()[5])) µs")
  }

  private static var processorSeconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
