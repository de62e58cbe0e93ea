import Foundation
import Hub
import Incidents
import NGSI
import Store

/// Calls for help from phones of people without an account. Who called has a ticket, a secret in his address line, and sees with it
/// what has come of his call, and can say more.
extension SafetyService {
  public enum CallBounds {
    /// What one call may add after it was sent.
    public static let additions = 60
    public static let photos = 6
    /// Bytes of one photo.
    public static let photo = 700_000
    public static let text = 1_000
  }

  /// A call as who called sees it: nothing of others is in it.
  public struct Call: Sendable {
    public enum Stage: String, Sendable, CaseIterable {
      case sent, heard, asked, onTheWay = "on-the-way", onScene = "on-scene", ended
    }

    public var number: String
    public var category: String
    public var sentAt: DateTime
    public var stage: Stage
    public var isSilent: Bool
    public var position: Position?
    /// What the city told him and what he said, in order of time.
    public var words: [(at: DateTime, text: String, isCity: Bool)]
    public var photos: Int
  }

  private static let calls = "calls"
  static func photos(of incident: String) -> String { "photos/\(incident)" }
  static let callSource = "call-page"
  /// Who calls has no account.
  private static let caller = Party(.nobody, id: "caller")

  /// - Parameter report: what is said; its source and number are given here.
  /// - Returns: the ticket.
  /// - Throws: `TooManyRequests` when too many reports wait.
  public func call(_ report: Report, in tenant: Tenant) async throws(Problem) -> String {
    var report = report
    report.source = Self.callSource
    let (ticket, number) = (Self.secret(), Self.secret())
    report.number = number
    let said = report
    return try await asCity { () throws(Problem) in
      try await self.takeCall(said, ticket: ticket, in: tenant)
      return ticket
    }
  }

  private func takeCall(_ report: Report, ticket: String, in tenant: Tenant) async throws(Problem) {
    let intake = Intake(plan: plan, book: book, tenant: tenant, party: Self.caller, exercise: nil, sees: { _ in true })
    try await turns.take(first: true) { () throws(Problem) in
      try await self.hub.transact(as: Self.name, in: tenant) { transaction in
        let taken = try intake.take(report, &transaction)
        let what: JSON = [
          "incident": .string(taken.incident ?? ""), "number": .string(report.number),
          "at": .string(transaction.time.description), "report": report.json, "additions": 0, "photos": 0,
        ]
        try transaction.keep(what, as: ticket, in: Self.calls)
        try intake.forgetOld(Self.calls, transaction)
      }
    }
  }

  /// What has come of a call.
  ///
  /// - Throws: `ResourceNotFound` for a ticket that there is not, or not any more.
  public func call(of ticket: String, in tenant: Tenant) throws(Problem) -> Call {
    guard let known = try hub.document(of: Self.name, ticket, in: Self.calls, of: tenant),
      let id = known["incident"]?.string, let number = known["number"]?.string
    else { throw .notFound("there is no such call") }
    let first = try Report(json: known["report"])
    let result = Caller.$current.withValue(.city) {
      Result { () throws(Problem) in
        var record = try whole(id, in: tenant)
        for _ in 0..<20 {
          guard let next = record.incident.mergedInto else { break }
          record = try whole(next, in: tenant)
        }
        return record
      }
    }
    let record = try result.get()
    let incident = record.incident
    let own = incident.reports.filter { $0.source == Self.callSource && $0.number == number }
    var words: [(at: DateTime, text: String, isCity: Bool)] = []
    let sentAt = known["at"]?.string.flatMap { DateTime($0) } ?? incident.openedAt
    for entry in record.entries where entry.at >= sentAt {
      switch entry.command {
      case .tell(let text): words.append((entry.at, text, true))
      case .report(let report) where report.source == Self.callSource && report.number == number:
        if let text = report.text { words.append((entry.at, text, false)) }
      default: break
      }
    }
    return Call(
      number: incident.id, category: incident.category, sentAt: sentAt, stage: Self.stage(incident),
      isSilent: own.last?.isSilent ?? first.isSilent,
      position: own.last { $0.position != nil }?.position ?? first.position, words: words,
      photos: Int(known["photos"]?.integer ?? 0))
  }

  private static func stage(_ incident: Incident) -> Call.Stage {
    if incident.status.isOver || incident.status == .resolved { return .ended }
    let units = incident.dispatches.filter(\.status.isOut).map(\.status)
    if units.contains(.onScene) { return .onScene }
    if units.contains(.enRoute) { return .onTheWay }
    if !units.isEmpty { return .asked }
    return incident.isAlarming ? .sent : .heard
  }

  /// Says more: each thing that is not `nil`.
  ///
  /// - Throws: `ResourceNotFound`; `Conflict` when the call is over; `TooManyRequests` when it said too much.
  public func add(
    text: String?, position: Position?, contact: String?, isSilent: Bool?, to ticket: String, in tenant: Tenant
  ) async throws(Problem) {
    let (plan, book) = (plan, book)
    try await asCity { () throws(Problem) in
      try await self.turns.take(first: true) { () throws(Problem) in
        try await self.hub.transact(as: Self.name, in: tenant) { transaction in
          var (known, record) = try Self.open(
            ticket, book, tenant, transaction, counting: "additions", CallBounds.additions)
          var report = try Report(json: known["report"])
          report.text = text
          report.position = position ?? report.position
          report.contact = contact ?? report.contact
          report.isSilent = isSilent ?? report.isSilent
          report.category = record.incident.category
          let first = record.incident.sequence + 1
          try Self.carryOut(
            .report(plan.plausibility.judging(report, at: transaction.time)), Self.ownId("call", "\(first)"),
            Self.caller, on: &record, at: transaction.time)
          try RecordShelf.keep(record, from: first, plan, asCity: true, &transaction)
          report.text = nil
          known["report"] = report.json
          try transaction.keep(.object(known), as: ticket, in: Self.calls)
          book.put(record, in: tenant, with: transaction)
        }
      }
    }
  }

  /// Adds a photo to a call.
  ///
  /// - Parameter jpeg: the file; only JPEG is taken.
  public func add(photo jpeg: [UInt8], to ticket: String, in tenant: Tenant) async throws(Problem) {
    guard jpeg.count <= CallBounds.photo else {
      throw Problem(.payloadTooLarge, "a photo has at most \(CallBounds.photo) bytes")
    }
    guard jpeg.starts(with: [0xFF, 0xD8, 0xFF]), jpeg.suffix(2).elementsEqual([0xFF, 0xD9]) else {
      throw .badRequest("a photo is a JPEG file")
    }
    let (plan, book) = (plan, book)
    try await asCity { () throws(Problem) in
      try await self.turns.take(first: true) { () throws(Problem) in
        try await self.hub.transact(as: Self.name, in: tenant) { transaction in
          var (known, record) = try Self.open(ticket, book, tenant, transaction, counting: "photos", CallBounds.photos)
          let first = record.incident.sequence + 1
          let photo: JSON = [
            "jpeg": .string(Data(jpeg).base64EncodedString()), "at": .string(transaction.time.description),
          ]
          let id = "\(record.incident.id)#\(first)"
          try transaction.keep(photo, as: id, in: Self.photos(of: record.incident.id))
          transaction.state("incident-photo", "photo", of: record.incident.id, photo)
          var report = try Report(json: known["report"])
          report.text = "[photo \(first)]"
          report.category = record.incident.category
          try Self.carryOut(
            .report(report), Self.ownId("photo", "\(first)"), Self.caller, on: &record, at: transaction.time)
          try RecordShelf.keep(record, from: first, plan, asCity: true, &transaction)
          known["incident"] = .string(record.incident.id)
          try transaction.keep(.object(known), as: ticket, in: Self.calls)
          book.put(record, in: tenant, with: transaction)
        }
      }
    }
  }

  /// A call that can take more, and the incident that it went into.
  private static func open(
    _ ticket: String, _ book: IncidentBook, _ tenant: Tenant, _ transaction: ServiceTransaction,
    counting count: String, _ bound: Int
  ) throws -> (JSONObject, Record) {
    guard var known = try transaction.document(ticket, in: calls)?.object, var id = known["incident"]?.string else {
      throw Problem.notFound("there is no such call")
    }
    let said = Int(known[count]?.integer ?? 0)
    guard said < bound else {
      throw Problem(.tooManyRequests, "a call takes at most \(bound) \(count); call by telephone")
    }
    known[count] = .integer(Int64(said + 1))
    var record = try RecordShelf.record(id, book.record(id, in: tenant), transaction)
    // It may go on as another incident; a chain of merges has an end.
    var steps = 0
    while let next = record.incident.mergedInto, steps < 20 {
      id = next
      record = try RecordShelf.record(id, book.record(id, in: tenant), transaction)
      steps += 1
    }
    known["incident"] = .string(id)
    guard !record.incident.status.isOver else {
      throw Problem(.conflict, "the call is over; call again if you need help")
    }
    return (known, record)
  }

  /// Numbers of the photos that came with a record's calls, the oldest first.
  public static func photoNumbers(of record: Record) -> [Int] {
    record.entries.filter { $0.id.hasPrefix(ownId("photo", "")) }.map(\.sequence)
  }

  /// One photo of an incident as a JPEG file, for who may read all of the incident.
  ///
  /// - Throws: `ResourceNotFound`.
  public func photo(_ number: Int, of incident: String, in tenant: Tenant) throws(Problem) -> [UInt8] {
    _ = try record(incident, in: tenant)
    let known = try hub.document(
      of: Self.name, "\(incident)#\(number)", in: Self.photos(of: incident), of: tenant)
    guard let text = known?["jpeg"]?.string, let data = Data(base64Encoded: text) else {
      throw .notFound("the incident has no photo \(number)")
    }
    return Array(data)
  }

  /// What the city does on behalf of somebody without an account.
  private func asCity<Value: Sendable>(
    _ body: @Sendable () async throws(Problem) -> Value
  ) async throws(Problem) -> Value {
    let result = await Caller.$current.withValue(.city) { () async -> Result<Value, Problem> in
      do throws(Problem) { return .success(try await body()) } catch { return .failure(error) }
    }
    return try result.get()
  }

  /// 128 bits that nobody guesses.
  private static func secret() -> String {
    var generator = SystemRandomNumberGenerator()
    return (0..<2).map { _ in String(generator.next(), radix: 36) }.joined(separator: "-")
  }
}
