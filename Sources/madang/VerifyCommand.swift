import ArgumentParser
import Foundation
import TransparencyLog

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Checks a proof that an entry stands in an evidence log, without asking anybody.",
    discussion: """
      The policy names the logs and the witnesses that are believed, and how many of them have to have seen the log. \
      The exit code is 0 only when the proof holds.
      """)

  @Argument(help: "The proof (*.tlog-proof).", completion: .file())
  var proof: String

  @Option(help: "The policy file.", completion: .file())
  var policy: String

  @Option(help: "File with the entry itself; without it the entry is taken from the proof.", completion: .file())
  var entry: String?

  func run() throws {
    let trusted = try PolicyFile.read(policy)
    guard let data = FileManager.default.contents(atPath: proof) else {
      throw ValidationError("the proof \(proof) cannot be read")
    }
    do {
      let file = try InclusionFile(parsing: Array(data))
      let entry = try self.entry.map { path in
        guard let data = FileManager.default.contents(atPath: path) else {
          throw ValidationError("the entry \(path) cannot be read")
        }
        return Array(data)
      }
      guard let entry = entry ?? file.extra else {
        throw ValidationError("the proof does not carry its entry; give the entry with --entry")
      }
      let proved = try file.verify(.leaf(entry), under: trusted)
      let checkpoint = proved.checkpoint
      Terminal.print("proved entry \(proved.index) of \(checkpoint.checkpoint.size) in \(checkpoint.checkpoint.origin)")
      for (name, time) in checkpoint.witnesses.sorted(by: { $0.key < $1.key }) {
        Terminal.print("seen by \(name) at \(Date(timeIntervalSince1970: Double(time)).formatted(.iso8601))")
      }
      if let text = String(validating: entry, as: UTF8.self) { Terminal.print(text) }
    } catch let error as NoteError {
      throw ValidationError("not proved: \(proof) is no proof: \(error)")
    } catch let error as ProofRefusal {
      throw ValidationError("not proved: \(error)")
    }
  }
}
