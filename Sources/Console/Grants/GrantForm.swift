import NGSI

/// What a reader has typed into the form that asks for a grant: kept as it came, whatever is wrong with it.
struct GrantForm: Sendable {
  /// A field, and the key of a sentence that says what to do.
  struct Fault: Sendable, Hashable {
    var field: String
    var key: String
    var values: [String: String] = [:]
  }

  static let mostThings = 20
  static let longestText = 1000
  static let mostAttributes = 100
  static let actions = ["read", "create", "update", "delete"]
  /// Lengths of time that are offered for one that is taken, in minutes.
  private static let lengths = [15, 30, 60, 120, 240, 480, 720, 1440, 2880, 10080]

  let isBreakGlass: Bool
  /// Whether one change is asked for, that others are to approve, in place of access to things.
  let isCommand: Bool
  /// Rows for things.
  let rows: Int
  /// Asks for more rows, and for nothing else.
  let asksForRows: Bool
  private let sent: Query?
  private let defaults: [String: String]

  /// What a page that leads here may fill in.
  private static let led = ["incident", "id0", "type0", "attributes", "purpose", "legalBasis"]

  /// A form that is empty but for what the page that led here filled in.
  init(
    isBreakGlass: Bool, isCommand: Bool = false, offer: GrantOffer, now: DateTime, time: CityTime,
    led: Query = Query(nil)
  ) {
    (self.isBreakGlass, self.isCommand) = (isBreakGlass, isCommand)
    (rows, asksForRows, sent) = (isBreakGlass ? 1 : 2, false, nil)
    let most = Self.minutes(upTo: offer.longestBreakGlass)
    var filled: [String: String] = [:]
    for name in Self.led { filled[name] = led[name].map { String($0.prefix(Self.longestText)) } }
    defaults = [
      "grantee": "self", "a-read": "1", "to": time.field(now.adding(seconds: min(offer.longest, 8 * 3600))),
      "minutes": "\(most.last { $0 <= 60 } ?? most[0])",
    ].merging(filled) { $1 }
  }

  init(isBreakGlass: Bool, isCommand: Bool = false, sent: Query) {
    (self.isBreakGlass, self.isCommand) = (isBreakGlass, isCommand)
    self.sent = sent
    asksForRows = sent["more"] != nil
    let had = min(max(sent["rows"].flatMap { Int($0) } ?? 3, 1), Self.mostThings)
    rows = asksForRows ? min(had + 3, Self.mostThings) : had
    defaults = [:]
  }

  subscript(field: String) -> String { (sent?[field] ?? defaults[field] ?? "").trimming() }

  var grantee: String { ["agency", "role"].contains(self["grantee"]) ? self["grantee"] : "self" }

  /// Lengths of time in minutes up to the longest, which is among them.
  static func minutes(upTo longest: Double) -> [Int] {
    let most = max(Int(longest / 60), 1)
    return lengths.filter { $0 < most } + [most]
  }

  /// What is asked for, or everything that is wrong with it.
  func wish(_ offer: GrantOffer, now: DateTime, time: CityTime) -> Result<GrantWish, Faults> {
    var faults: [Fault] = []
    let purpose = text("purpose", &faults)
    let legalBasis = text("legalBasis", &faults)
    let reason = text("reason", &faults)
    let incident = self["incident"]
    if !incident.isEmpty, !IRI.isAbsolute(incident) || incident.utf8.count > Self.longestText {
      faults.append(Fault(field: "incident", key: "faultIncident"))
    }
    let command = isCommand ? readCommand(&faults) : nil
    let grantee = isCommand ? .oneself : readGrantee(&faults)
    let actions = isCommand ? [] : Self.actions.filter { self["a-" + $0] == "1" }
    if actions.isEmpty, !isCommand { faults.append(Fault(field: "a-read", key: "faultActions")) }
    let things = isCommand ? [] : readThings(&faults)
    let attributes = self["attributes"].split { $0 == "," || $0.isWhitespace }.map(String.init)
    if attributes.count > Self.mostAttributes { faults.append(Fault(field: "attributes", key: "faultAttributes")) }
    let (from, to) = isBreakGlass ? readLength(offer, now, &faults) : readTimes(offer, now, time, &faults)
    if isBreakGlass, self["understood"] != "1" { faults.append(Fault(field: "understood", key: "faultUnderstood")) }
    guard faults.isEmpty, let to else { return .failure(Faults(all: faults)) }
    return .success(
      GrantWish(
        isBreakGlass: isBreakGlass, purpose: purpose, legalBasis: legalBasis, reason: reason,
        incident: incident.isEmpty ? nil : incident, grantee: grantee, actions: actions, things: things,
        attributes: attributes, command: command, from: from, to: to))
  }

  struct Faults: Error { var all: [Fault] }

  private func text(_ field: String, _ faults: inout [Fault]) -> String {
    let text = self[field]
    if text.isEmpty {
      faults.append(Fault(field: field, key: "fault_" + field))
    } else if text.utf8.count > Self.longestText {
      faults.append(Fault(field: field, key: "faultLong", values: ["n": "\(Self.longestText)"]))
    }
    return text
  }

  private func readGrantee(_ faults: inout [Fault]) -> GrantWish.Grantee {
    let named = self[grantee]
    guard !isBreakGlass else { return .oneself }
    guard grantee != "self" else {
      // What was typed there is not left out unsaid.
      if !self["agency"].isEmpty || !self["role"].isEmpty {
        faults.append(Fault(field: "grantee-self", key: "faultGrantee"))
      }
      return .oneself
    }
    if named.isEmpty || named.utf8.count > Self.longestText {
      faults.append(Fault(field: grantee, key: "fault_" + grantee))
    }
    return grantee == "agency" ? .agency(named) : .role(named)
  }

  /// The change as the hub takes it: an entity, and its attributes as they are to become.
  private func readCommand(_ faults: inout [Fault]) -> JSON? {
    let entity = self["commandEntity"]
    if !IRI.isAbsolute(entity) || entity.utf8.count > Self.longestText {
      faults.append(Fault(field: "commandEntity", key: "faultCommandEntity"))
    }
    let attributes = try? JSONParser.parse(Array(self["commandAttributes"].utf8))
    guard let attributes, attributes.object?.isEmpty == false else {
      faults.append(Fault(field: "commandAttributes", key: "faultCommandAttributes"))
      return nil
    }
    return ["entity": .string(entity), "attributes": attributes]
  }

  private func readThings(_ faults: inout [Fault]) -> [GrantView.Thing] {
    var things: [GrantView.Thing] = []
    for row in 0..<rows {
      let parts = ["id", "type", "scope"].map { self["\($0)\(row)"] }
      guard parts.contains(where: { !$0.isEmpty }) else { continue }
      if !parts[0].isEmpty, !IRI.isAbsolute(parts[0]) { faults.append(Fault(field: "id\(row)", key: "faultId")) }
      if !parts[2].isEmpty, !parts[2].hasPrefix("/") || parts[2].hasSuffix("/") {
        faults.append(Fault(field: "scope\(row)", key: "faultScope"))
      }
      if parts.contains(where: { $0.utf8.count > Self.longestText }) {
        faults.append(Fault(field: "id\(row)", key: "faultLong", values: ["n": "\(Self.longestText)"]))
      }
      let said = parts.map { $0.isEmpty ? nil : $0 }
      things.append(GrantView.Thing(id: said[0], type: said[1], scope: said[2]))
    }
    if things.isEmpty { faults.append(Fault(field: "type0", key: "faultThings")) }
    return things
  }

  private func readLength(_ offer: GrantOffer, _ now: DateTime, _ faults: inout [Fault]) -> (DateTime?, DateTime?) {
    guard let minutes = Int(self["minutes"]), Self.minutes(upTo: offer.longestBreakGlass).contains(minutes) else {
      faults.append(Fault(field: "minutes", key: "faultMinutes"))
      return (nil, nil)
    }
    return (nil, now.adding(seconds: Double(minutes) * 60))
  }

  private func readTimes(
    _ offer: GrantOffer, _ now: DateTime, _ time: CityTime, _ faults: inout [Fault]
  ) -> (DateTime?, DateTime?) {
    let from = time.instant(field: self["from"])
    if !self["from"].isEmpty, from == nil { faults.append(Fault(field: "from", key: "faultTime")) }
    guard let to = time.instant(field: self["to"]) else {
      faults.append(Fault(field: "to", key: "faultTime"))
      return (nil, nil)
    }
    let begin = max(from ?? now, now)
    if to <= begin {
      faults.append(Fault(field: "to", key: to <= now ? "faultPast" : "faultOrder"))
    } else if to.secondsSince1970 - begin.secondsSince1970 > offer.longest {
      faults.append(
        Fault(field: "to", key: "faultLongest", values: ["latest": time.text(begin.adding(seconds: offer.longest))]))
    }
    return (from, to)
  }
}
