import ArgumentParser
import Foundation
import TransparencyLog
import Witness

struct WitnessCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "witness", abstract: "Cosigns the checkpoints of evidence logs that only grow.",
    discussion: """
      An agency runs it with its own key and its own disk. It knows the logs of the policy, of each --log, and of the \
      file "logs" in the state folder, one key a line. Prints "ready URL" once it answers.
      """)

  @Option(help: "File with the witness's signing key; made, readable for its owner only, where it is missing.")
  var key: String

  @Option(help: "Folder where the witness remembers what it cosigned; made where it is missing.")
  var state: String

  @Option(help: "Port to listen on; 0 takes a free one.")
  var port: Int = 0

  @Option(help: "Name of a key that is made.")
  var name: String = "witness.example"

  @Option(help: "Key of a log that this witness cosigns; may be given several times.")
  var log: [String] = []

  @Option(help: "Policy file whose logs this witness cosigns.")
  var policy: String?

  func run() async throws {
    let signer = try KeyFile.signer(at: key, name: name, kind: .cosignature)
    Terminal.note("witness \(signer.verifier.text)")
    let witness = try Witness(signer: signer, logs: try logs(), folder: state)
    try await witness.serve(port: port) { port in Terminal.print("ready http://127.0.0.1:\(port)") }
  }

  private func logs() throws -> [VerifierKey] {
    var texts = log
    if let data = FileManager.default.contents(atPath: "\(state)/logs") {
      texts += String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
        .filter { !$0.hasPrefix("#") }
    }
    var keys: [VerifierKey] = []
    for text in texts {
      do throws(NoteError) { keys.append(try VerifierKey(parsing: text)) } catch {
        throw ValidationError("\(text.prefix(100)) is no key of a log: \(error)")
      }
    }
    if let policy { keys += try PolicyFile.read(policy).logs.map(\.key) }
    return keys
  }
}

/// Files with signing keys.
enum KeyFile {
  /// Reads a key; makes one where there is no file.
  static func signer(at path: String, name: String, kind: SignatureKind) throws -> SignerKey {
    do throws(NoteError) {
      if let data = FileManager.default.contents(atPath: path) {
        let text = String(decoding: data, as: UTF8.self)
        return try SignerKey(parsing: text.hasSuffix("\n") ? String(text.dropLast()) : text)
      }
      let signer = try SignerKey(name: name, kind: kind)
      // Never there with other rights than its owner's, and never over a key that came meanwhile.
      let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else { throw .malformed("\(path): \(String(cString: strerror(errno)))") }
      defer { close(descriptor) }
      let bytes = Array((signer.text + "\n").utf8)
      guard write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0 else {
        throw .malformed("\(path): \(String(cString: strerror(errno)))")
      }
      try? Disk.sync(URL(fileURLWithPath: path).deletingLastPathComponent().path)
      return signer
    } catch {
      throw ValidationError("the key file \(path) cannot be used: \(error)")
    }
  }
}

/// Files with the policy of logs and witnesses.
enum PolicyFile {
  static func read(_ path: String) throws -> WitnessPolicy {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw ValidationError("the policy file \(path) cannot be read")
    }
    do throws(PolicyError) { return try WitnessPolicy(parsing: data) } catch {
      throw ValidationError("\(path):\(error.line): \(error.problem)")
    }
  }
}
