import ArgumentParser
import Crypto
import Devices
import Foundation
import WholeFile

struct DevicesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "devices", abstract: "What others need to know the city's devices by their certificates.",
    subcommands: [MosquittoCommand.self])
}

struct MosquittoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mosquitto-conf",
    abstract: "Writes the configuration of a mosquitto broker that lets in the city and its devices only.",
    discussion: """
      A device may publish below madang/TENANT/ID/ and hear what is below madang/TENANT/ID/in/; the tenant is - for the \
      default one. The folder gets mosquitto.conf, acl, and broker.pem with a certificate of the city's authority. When \
      the city has written its list of revocations anew (devices/revoked.pem in its data), the broker has to be started \
      again.
      """)

  @Option(help: "Folder of the city's data; madang up --tls-port has made its authority.")
  var data: String

  @Option(help: "Folder for the files; made where it is missing.")
  var out: String

  @Option(help: "Names and addresses by which the broker is reached.")
  var host: [String] = ["localhost", "127.0.0.1", "::1"]

  @Option(help: "Port of the broker.")
  var port: Int = 8883

  func run() async throws {
    let folder = AuthorityFolder(path: URL(fileURLWithPath: data).appendingPathComponent("devices").path)
    guard FileManager.default.fileExists(atPath: folder.chain) else {
      throw ValidationError("There is no authority in \(folder.path); start the city with --tls-port once.")
    }
    let authority = try folder.authority(settings: AuthoritySettings(), at: Date())
    let key = P256.Signing.PrivateKey()
    let certificate = try authority.issue(toServer: host, key: key.publicKey, at: Date())
    let target = URL(fileURLWithPath: out).path
    try WholeFile.makeFolder(target, mode: 0o700)
    let chain = certificate.pem + authority.chainPEM
    func write(_ text: String, to name: String, mode: mode_t) throws {
      try WholeFile.write(Array(text.utf8), to: "\(target)/\(name)", mode: mode)
    }
    try write(key.pemRepresentation + "\n" + chain, to: "broker.pem", mode: 0o600)
    try write(MosquittoConfiguration.rules(city: AuthorityFolder.cityName), to: "acl", mode: 0o600)
    try write(
      MosquittoConfiguration.text(
        port: port, authorities: folder.chain, revocations: folder.revocations, certificate: target + "/broker.pem",
        rules: target + "/acl"), to: "mosquitto.conf", mode: 0o644)
    Terminal.print("mosquitto -c \(target)/mosquitto.conf")
  }
}
