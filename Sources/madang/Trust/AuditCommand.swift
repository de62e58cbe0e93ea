import ArgumentParser
import City
import Evidence
import Foundation
import Hub
import Identity
import NGSI
import Store
import StoreSQLite

/// 접속기록 (access record): the report that Article 8 of the Korean standard of safety measures for personal data
/// (개인정보의 안전성 확보조치 기준) has an agency look through each month.
struct AuditCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit", abstract: "Writes who did what to whose data in a month, from the city's evidence log.",
    discussion: """
      One line of CSV for each entry: position, time, account, source, subject, action, purpose, reason, agency, kind; \
      then the kind of the account, its user name as it is now, the subject's tenant and user name, and details. What \
      was erased with its key says so. The city may be running.
      """)

  @Option(help: "The month, YYYY-MM.")
  var month: String

  @Option(help: "Folder of the city's data.", completion: .directory)
  var data: String?

  @Option(help: "Time zone in which the month begins and ends, such as Asia/Seoul.")
  var timeZone: String = "UTC"

  private var folder: String? { data ?? ProcessInfo.processInfo.environment["MADANG_CITY"] }

  func validate() throws {
    guard folder != nil else { throw ValidationError("Name the city's data folder: --data DIR, or MADANG_CITY.") }
    _ = try span()
  }

  /// First moment of the month, and of the one after it.
  private func span() throws -> (DateTime, DateTime) {
    guard let zone = TimeZone(identifier: timeZone) else {
      throw ValidationError("\(timeZone) is no time zone; name one such as Asia/Seoul.")
    }
    let parts = month.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].count == 4, parts[1].count == 2, let year = Int(parts[0]),
      let number = Int(parts[1]), (1970...9998).contains(year), (1...12).contains(number)
    else { throw ValidationError("\(month) is no month; write it as 2026-11.") }
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = zone
    guard let start = calendar.date(from: DateComponents(year: year, month: number)),
      let end = calendar.date(byAdding: .month, value: 1, to: start)
    else { throw ValidationError("\(month) is no month of \(timeZone).") }
    return (
      DateTime(secondsSince1970: start.timeIntervalSince1970), DateTime(secondsSince1970: end.timeIntervalSince1970)
    )
  }

  private static let step = 1000

  func run() throws {
    let (start, end) = try span()
    let found = try FoundFolder(folder ?? "")
    do {
      try SQLiteStore.read(path: found.store) { reader in
        let view = try EvidenceView(reader)
        Terminal.print(Self.header)
        var position = try view.position(at: start)
        while true {
          let lines = try view.register(from: position, limit: Self.step)
          for line in lines {
            guard line.time < end else { return }
            Terminal.print(Self.csv(line, reader))
          }
          guard let last = lines.last else { return }
          position = last.position + 1
        }
      }
    } catch let error as EvidenceError {
      throw Failure(error.sentence)
    } catch let error as StoreError { throw Failure(storeFailure: error, found.path) }
  }

  /// The columns that the law asks for stand first, where they always stood.
  private static let header =
    "position,time,account,source,subject,action,purpose,reason,agency,kind,accountKind,accountName,tenant,subjectName,"
    + "detail"

  /// The user name of an account of the city's own.
  private static func username(_ id: String?, _ reader: any StoreReader) -> String {
    guard let id, !id.isEmpty else { return "" }
    let person = try? reader.document(id, collection: IdentityCollection.people.rawValue, in: .default)
    return person?.body["username"]?.string ?? ""
  }

  private static func csv(_ line: RegisterLine, _ reader: any StoreReader) -> String {
    func part(_ text: String?, _ part: String) -> String {
      text ?? (line.erased.contains(part) ? "(erased)" : "")
    }
    let fields = [
      String(line.position), line.time.description,
      line.actorKind == Caller.Kind.nobody.rawValue ? "" : part(line.actor, "actor"), part(line.source, "actor"),
      part(line.subject, "subject"), line.statement["action"]?.string ?? "", line.statement["purpose"]?.string ?? "",
      line.reason ?? (line.erased.isEmpty ? "" : "(erased)"), line.statement["agency"]?.string ?? "",
      line.statement["kind"]?.string ?? "", line.actorKind ?? "", username(line.actor, reader), line.tenant ?? "",
      username(line.subject, reader), line.detail ?? "",
    ]
    return fields.map(quoted).joined(separator: ",")
  }

  /// RFC 4180; a field that a spreadsheet would take for a formula is led by an apostrophe.
  private static func quoted(_ field: String) -> String {
    let text = field.first.map { "=+-@\t\r".contains($0) } ?? false ? "'" + field : field
    guard text.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return text }
    return "\"" + text.replacing("\"", with: "\"\"") + "\""
  }
}
