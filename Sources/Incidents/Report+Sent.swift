import NGSI

extension Report {
  /// Reads a report that somebody sends. Only what cannot be dealt with at all is refused; a place, time or severity that cannot be
  /// read is doubted, and kept as it came in the text.
  ///
  /// - Throws: `BadRequestData` with the member's name.
  public init(sent json: JSON) throws(Problem) {
    guard var object = json.object else { throw .badRequest("'report' is an object") }
    guard object["doubts"] == nil else { throw .badRequest("'report' has no member 'doubts'") }
    var doubts: Set<Doubt> = []
    var unread: [String] = []
    func leaveOut(_ name: String, _ doubt: Doubt?) {
      guard let value = object[name] else { return }
      unread.append("[\(name): \(JSONWriter.text(value).prefix(200))]")
      object[name] = nil
      if let doubt { doubts.insert(doubt) }
    }
    if object["position"] == .null { object["position"] = nil }
    if let position = object["position"] {
      let read = Result { () throws(Problem) in try Position(json: position, "report.position") }
      if case .failure = read { leaveOut("position", .place) }
    }
    if let time = object["observedAt"], time != .null, time.string.flatMap({ DateTime($0) }) == nil {
      leaveOut("observedAt", .time)
    }
    if let severity = object["severity"], severity != .null,
      severity.string.flatMap(Severity.init(rawValue:)) == nil
    {
      leaveOut("severity", nil)
    }
    if object["text"] == "" { object["text"] = nil }
    if let text = object["text"]?.string {
      // Lines of forms end with two characters.
      object["text"] = .string(text.split(separator: "\r\n", omittingEmptySubsequences: false).joined(separator: "\n"))
    }
    if !unread.isEmpty {
      let said = object["text"]?.string.map { $0 + "\n" } ?? ""
      let whole = said + unread.joined(separator: " ")
      if whole.utf8.count <= Incident.Bounds.text { object["text"] = .string(whole) }
    }
    try self.init(json: .object(object))
    self.doubts = doubts
  }
}
