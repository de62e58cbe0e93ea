import Foundation
import NGSI
import Store
import StoreContract
import StoreSQLite
import Testing

/// A folder that goes with the test.
final class Folder: Sendable {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "store-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  var database: String { url.appending(path: "city.db").path }

  deinit { try? FileManager.default.removeItem(at: url) }
}

@Suite("The storage contract, on SQLite")
struct ContractTests {
  @Test("contract", arguments: StoreContract.cases)
  func contract(_ aCase: StoreContract.Case) async throws {
    let folder = try Folder()
    try await aCase.run { now in try SQLiteStore(path: folder.database, now: now) }
    try checkIntegrity(folder.database)
  }

  @Test("contract, with every second change of a history sealed", arguments: StoreContract.cases)
  func sealing(_ aCase: StoreContract.Case) async throws {
    let folder = try Folder()
    var options = SQLiteStore.Options()
    options.arrivals = 2
    let chosen = options
    try await aCase.run { now in try SQLiteStore(path: folder.database, options: chosen, now: now) }
    try checkIntegrity(folder.database)
  }
}
