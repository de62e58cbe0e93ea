import Crypto
import Foundation
import TransparencyLog
import WholeFile

/// What keeps a witness from its work.
public struct WitnessFailure: Error, Sendable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }

  init(system path: String) { description = "\(path): \(String(cString: strerror(errno)))" }
}

/// What a witness remembers: of each log the checkpoint that it cosigned last, in a file of its own.
///
/// A cosignature leaves only after its checkpoint is on the disk, so that a witness that loses power never cosigns a
/// second history.
struct WitnessState: Sendable {
  let folder: String

  /// Makes the folder where it is missing.
  init(folder: String) throws(WitnessFailure) {
    self.folder = folder
    do throws(WholeFile.Failure) { try WholeFile.makeFolder(folder) } catch { throw WitnessFailure(error.description) }
  }

  /// Hash by which the protocol names a log.
  static func name(of origin: String) -> String {
    SHA256.hash(data: Data(origin.utf8)).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }

  private func path(_ name: String) -> String { "\(folder)/\(name).checkpoint" }

  /// The checkpoint that was cosigned last; `nil` before the first.
  ///
  /// - Throws: when there is one that cannot be read. A witness that has forgotten must not begin anew.
  func latest(_ name: String) throws(WitnessFailure) -> SignedNote? {
    let path = path(name)
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    guard let data = FileManager.default.contents(atPath: path) else { throw WitnessFailure(system: path) }
    do throws(NoteError) { return try SignedNote(parsing: Array(data)) } catch {
      throw WitnessFailure("\(path) is damaged; restore it from the log's latest checkpoint that this witness cosigned")
    }
  }

  /// Puts a checkpoint on the disk: whole, or not at all.
  func remember(_ note: SignedNote, _ name: String) throws(WitnessFailure) {
    do throws(WholeFile.Failure) {
      try WholeFile.write(Array(note.description.utf8), to: path(name), mode: 0o600)
    } catch { throw WitnessFailure(error.description) }
  }
}
