import ArgumentParser
import Bench
import City
import Evidence
import Foundation
import TransparencyLog

/// Sends statements that are signed one by one to a city's log.
struct BenchSubmissionsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "submissions", abstract: "Sends signed statements to a city's evidence log, one in each request.",
    discussion:
      "The statements are signed before the first is sent. They stay in the log: take a city that holds nothing dear.")

  @Option(help: "URL of the city.")
  var to: String

  @Option(help: "File with the submitter's signing key, which the city's manifest has to name.")
  var key: String

  @Option(help: "Statements in all.")
  var entries: Int = 20_000

  @Option(help: "Clients, each with one request under way.")
  var clients: Int = 64

  func validate() throws {
    guard (1...1_000_000).contains(entries), (1...1000).contains(clients) else {
      throw ValidationError("--entries is from 1 to 1000000, --clients from 1 to 1000.")
    }
  }

  func run() async throws {
    let signer = try KeyFile.signer(at: key, name: "bench.example/submitter", kind: .ed25519)
    let at = RealClock().now
    let notes = try (0..<entries).map { number in
      var act = Act(.access, action: "read")
      act.purpose = "missing-child"
      act.object = ObjectHash(of: Data("\(number)".utf8))
      let nonce = Array(CommitmentKey.random().bytes.prefix(16))
      let text =
        String(decoding: Statement.bytes(of: act, at: at, nonce: nonce, actor: nil, subject: nil), as: UTF8.self) + "\n"
      return SignedNote(text: text, signatures: [try signer.sign(text, at: 0)]).description
    }
    let figures = try await Posting(url: to, target: "/log/add", mediaType: "text/plain").run(notes, clients: clients)
    Terminal.print("\(entries) signed statements over HTTP, \(clients) clients")
    Terminal.print(String(format: "added: %.0f per s", figures.perSecond))
    Terminal.print(String(format: "answer, p99: %.3f ms", figures.p99 * 1000))
    guard figures.failures == 0 else {
      throw Failure("\(figures.failures) were refused: \(figures.firstFailure ?? "")")
    }
  }
}
