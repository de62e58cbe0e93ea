import ArgumentParser
import City
import Foundation

struct UpCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "up", abstract: "Boots a city from its manifest, or an empty hub.",
    discussion: """
      Prints "ready URL" once it answers. Stops on SIGTERM or Ctrl-C, and comes back with everything it acknowledged \
      on the same --data.
      """)

  @Argument(help: "The city manifest (*.city.yaml).", completion: .file(extensions: ["yaml"]))
  var manifest: String?

  @Flag(help: "A hub with no fleets, open to everyone on this machine, for conformance runs and benchmarks.")
  var empty = false

  @Option(help: "Folder of the city's data; made where it is missing. Without it nothing is kept.")
  var data: String?

  @Option(help: "Port to listen on; 0 takes a free one.")
  var port: Int = 0

  @Option(help: "How the city runs; the manifest's own mode where it is not given.")
  var mode: City.Mode?

  @Option(help: "Most instances of one attribute in one temporal answer.")
  var temporalPage: Int?

  @Option(help: "Where clients reach the hub, e.g. https://hub.example; by default what each client called it by.")
  var address: String?

  @Option(help: "File with the certificates of authorities to trust for mqtts; by default the system's.")
  var mqttAuthorities: String?

  @Option(help: "File with the city's certificate and its key (PEM), shown to mqtts brokers that ask for one.")
  var mqttCertificate: String?

  @Option(help: "Port for TLS; 0 takes a free one. The city then knows devices by their certificates.")
  var tlsPort: Int?

  @Option(help: "Certificate that is shown on it (PEM, the server's own first); made for localhost without it.")
  var tlsCertificate: String?

  @Option(help: "Key to that certificate (PEM).")
  var tlsKey: String?

  @Option(help: "Folder of a firmware repository, served to devices at /firmware/.", completion: .directory)
  var firmware: String?

  @Option(help: "What happens in a simulated city: a file such as Examples/demo.evening.yaml.")
  var evening: String?

  @Option(help: "How many seconds of the evening go by in one.")
  var pace: Double = 1

  func validate() throws {
    guard pace > 0, pace <= 1_000 else { throw ValidationError("--pace is above 0 and at most 1000") }
    guard empty != (manifest != nil) else {
      throw ValidationError("Give a manifest, or --empty: madang up Examples/demo.city.yaml")
    }
    guard (0...65535).contains(port) else { throw ValidationError("--port must be from 0 to 65535.") }
    if let address {
      let isURL = address.hasPrefix("http://") || address.hasPrefix("https://")
      guard isURL, !address.hasSuffix("/"), URL(string: address)?.host != nil else {
        throw ValidationError("--address must be an http or https URL without a slash at the end.")
      }
    }
    if let mqttAuthorities, !FileManager.default.isReadableFile(atPath: mqttAuthorities) {
      throw ValidationError("--mqtt-authorities: the file \(mqttAuthorities) cannot be read.")
    }
    if let tlsPort, !(0...65535).contains(tlsPort) { throw ValidationError("--tls-port must be from 0 to 65535.") }
    guard (tlsCertificate == nil) == (tlsKey == nil), tlsCertificate == nil || tlsPort != nil else {
      throw ValidationError("--tls-certificate and --tls-key go together, with --tls-port.")
    }
    for (name, file) in [
      ("mqtt-certificate", mqttCertificate), ("tls-certificate", tlsCertificate), ("tls-key", tlsKey),
    ] {
      if let file, !FileManager.default.isReadableFile(atPath: file) {
        throw ValidationError("--\(name): the file \(file) cannot be read.")
      }
    }
    if let temporalPage, !(1...1_000_000).contains(temporalPage) {
      throw ValidationError("--temporal-page must be from 1 to 1000000.")
    }
  }

  func run() async throws { try await CityServer(command: self).run() }
}

extension City.Mode: ExpressibleByArgument {}
