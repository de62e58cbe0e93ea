import ArgumentParser
import Evidence
import Foundation
import Store
import StoreSQLite
import TransparencyLog

struct ProveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prove", abstract: "Writes the proof that an entry stands in the city's evidence log.",
    discussion: """
      The entry is named by its position, or by what it concerns; of several entries of a subject the newest is proved, \
      and all are listed on the error output. The proof goes to the standard output. The city may be running.
      """)

  @Argument(help: "Position of the entry, from 0, or the name of its subject.")
  var entry: String

  @Option(help: "Tenant of the subject; the default one where it is not said.")
  var tenant: String?

  @Option(help: "Folder of the city's data.", completion: .directory)
  var data: String?

  /// `MADANG_CITY` names the folder once for all commands of a shell.
  private var folder: String? { data ?? ProcessInfo.processInfo.environment["MADANG_CITY"] }

  func validate() throws {
    guard folder != nil else { throw ValidationError("Name the city's data folder: --data DIR, or MADANG_CITY.") }
  }

  func run() throws {
    let found = try FoundFolder(folder ?? "")
    do {
      let text = try SQLiteStore.read(path: found.store) { reader in
        let view = try EvidenceView(reader)
        return try view.proof(of: try position(view)).text
      }
      FileHandle.standardOutput.write(Data(text.utf8))
    } catch let error as EvidenceError {
      throw ValidationError("not proved: \(error.sentence)")
    } catch let error as StoreError { throw Failure(storeFailure: error, found.path) }
  }

  /// Most entries of a subject that are listed.
  private static let listed = 10_000

  private func position(_ view: EvidenceView) throws -> UInt64 {
    if let position = UInt64(entry), String(position) == entry { return position }
    let positions = try view.positions(of: entry, tenant: tenant, limit: Self.listed)
    guard let last = positions.last else { throw ValidationError("The log has no entry that concerns \(entry).") }
    if positions.count > 1 {
      Terminal.note("\(positions.count) entries: " + positions.map(String.init).joined(separator: " "))
    }
    return last
  }
}
