import Foundation
import NGSI

/// What must hold between the keys of a manifest's adapters.
struct AdapterRules {
  let file: CheckedFile

  func problems(_ adapters: [Manifest.Adapter]) -> [FileProblem] {
    adapters.enumerated().flatMap { offset, adapter in problems(adapter, "adapters[\(offset)]") }
  }

  private func problems(_ adapter: Manifest.Adapter, _ path: String) -> [FileProblem] {
    var problems: [FileProblem] = []
    func note(_ key: String, _ found: String, _ expected: String) {
      problems.append(file.problem(at: path + key, found: found, expected: expected))
    }
    if adapter.pull != nil, adapter.mqtt != nil { note("", "pull and mqtt both", "one of the two, or neither") }
    switch adapter.format {
    case .senml, .ngsiv2, .sensorthings: break
    case .csv, .jsonl, .geojson, .json:
      if adapter.isDoor || adapter.mqtt != nil && adapter.format != .json {
        note(".format", "'\(adapter.format.rawValue)' without pull", "pull, which says where the rows come from")
      }
      let topicsHaveAll = adapter.mqtt?.topics.allSatisfy { $0.mapping != nil } ?? false
      if adapter.mapping == nil, !topicsHaveAll { note(".mapping", "nothing", "a mapping file for the rows") }
    case .value: if adapter.mqtt == nil { note(".format", "'value' without mqtt", "mqtt, whose topics say what it is") }
    }
    if let pull = adapter.pull { problems += self.problems(pull, path + ".pull") }
    if let mqtt = adapter.mqtt { problems += self.problems(mqtt, of: adapter, path + ".mqtt") }
    return problems
  }

  // MARK: - Pull

  /// Headers that carry secrets.
  private static let secretHeaders: Set<String> = [
    "authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token",
    "ocp-apim-subscription-key",
  ]

  private func problems(_ pull: Manifest.Adapter.Pull, _ path: String) -> [FileProblem] {
    var problems: [FileProblem] = []
    func note(_ key: String, _ found: String, _ expected: String) {
      problems.append(file.problem(at: path + key, found: found, expected: expected))
    }
    switch (pull.every, pull.at) {
    case (nil, nil): note("", "neither every nor at", "one of them, which says when it is fetched")
    case (.some, .some): note("", "every and at both", "one of them")
    case (nil, let at?):
      do throws(Timetable.Flaw) { _ = try Timetable(at) } catch {
        note(".at", "'\(at)': \(error.reason)", "times such as 15 6 * * mon-fri")
      }
    case (.some, nil): if pull.timeZone != nil { note(".timeZone", "a time zone with every", "it goes with at") }
    }
    if let zone = pull.timeZone, TimeZone(identifier: zone) == nil {
      note(".timeZone", "'\(zone)'", "an IANA time zone such as Asia/Seoul")
    }
    let authority = pull.url.split(separator: "/", maxSplits: 2).dropFirst().first ?? ""
    if authority.contains("@") { note(".url", "a user or password in the URL", "credentials, by reference") }
    for name in (pull.headers ?? [:]).keys.sorted() where Self.secretHeaders.contains(name.lowercased()) {
      note(".headers.\(name)", "a header that carries a secret", "credentials, by reference")
    }
    for (offset, credential) in (pull.credentials ?? []).enumerated() {
      if (credential.header == nil) == (credential.query == nil) {
        note(".credentials[\(offset)]", "header and query both, or neither", "one of the two")
      }
      problems += self.problems(credential.secret, "\(path).credentials[\(offset)].secret")
    }
    return problems
  }

  private func problems(_ secret: Manifest.Adapter.Secret, _ path: String) -> [FileProblem] {
    guard (secret.env == nil) == (secret.file == nil) else { return [] }
    return [file.problem(at: path, found: "env and file both, or neither", expected: "one of the two")]
  }

  // MARK: - MQTT

  private func problems(_ mqtt: Manifest.Adapter.MQTT, of adapter: Manifest.Adapter, _ path: String) -> [FileProblem] {
    var problems: [FileProblem] = []
    for (name, secret) in [("user", mqtt.user), ("password", mqtt.password)] {
      if let secret { problems += self.problems(secret, "\(path).\(name)") }
    }
    for (offset, topic) in mqtt.topics.enumerated() {
      problems += self.problems(topic, of: adapter, "\(path).topics[\(offset)]")
    }
    return problems
  }

  private func problems(_ topic: Manifest.Adapter.MQTT.Topic, of adapter: Manifest.Adapter, _ path: String)
    -> [FileProblem]
  {
    let pattern: TopicPattern
    do throws(TopicPattern.Flaw) { pattern = try TopicPattern(topic.topic) } catch {
      return [
        file.problem(
          at: path + ".topic", found: "'\(topic.topic.prefix(100))': \(error.reason)",
          expected: "a filter such as city/{district}/sensor/{device}/temp")
      ]
    }
    var problems: [FileProblem] = []
    let texts = [("entity", topic.entity), ("type", topic.type), ("attribute", topic.attribute)]
    guard adapter.format == .value else {
      for (name, text) in texts where text != nil {
        problems.append(
          file.problem(
            at: "\(path).\(name)", found: "'\(name)' with \(adapter.format.rawValue)",
            expected: "it goes with format value; messages of this format say it themselves, or their mapping does"))
      }
      if topic.mapping != nil, adapter.format != .json {
        problems.append(file.problem(at: path + ".mapping", found: "a mapping", expected: "it goes with format json"))
      }
      return problems
    }
    for (name, text) in texts {
      guard let text else {
        problems.append(file.problem(at: path, found: "no '\(name)'", expected: "'\(name)', which the value is of"))
        continue
      }
      for part in text.split(separator: "{").dropFirst(text.first == "{" ? 0 : 1) {
        let named = String(part.prefix { $0 != "}" })
        if !pattern.names.contains(named) {
          problems.append(
            file.problem(
              at: "\(path).\(name)", found: "'{\(named.prefix(60))}'",
              expected: pattern.names.isEmpty
                ? "no braces, since the topic names no level" : "one of " + pattern.names.joined(separator: ", ")))
        }
      }
    }
    return problems
  }
}
