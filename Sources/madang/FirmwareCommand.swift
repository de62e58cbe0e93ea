import ArgumentParser
import Firmware
import Foundation

struct FirmwareCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "firmware", abstract: "Publishes firmware and configuration for devices as a TUF repository.",
    discussion: """
      The repository is a folder of files that any web server can serve; who serves it can withhold it and change \
      nothing. The keys are in a folder of their own, which belongs on another machine.
      """,
    subcommands: [Init.self, Add.self, Remove.self, Publish.self, Rotate.self])

  struct Places: ParsableArguments {
    @Option(help: "Folder of the repository; metadata/ and targets/ in it are to be served.")
    var repository: String

    @Option(help: "Folder of the keys.")
    var keys: String

    @Option(help: "Days until the timestamp runs out; publish again before.")
    var timestampDays: Int = 7

    func validate() throws {
      guard (1...365).contains(timestampDays) else { throw ValidationError("--timestamp-days must be from 1 to 365.") }
    }

    var settings: FirmwareSettings {
      var settings = FirmwareSettings()
      settings.timestampDays = timestampDays
      return settings
    }

    func read() throws -> FirmwareRepository {
      do throws(FirmwareError) { return try FirmwareFolder(path: repository).read(settings) } catch {
        throw ValidationError("\(repository): \(error)")
      }
    }

    /// Changes the repository, and writes what the change makes.
    func change(
      _ body: (inout FirmwareRepository, [FirmwareKey]) throws(FirmwareError) -> [FirmwareRepository.Output]
    ) throws {
      var repository = try read()
      do throws(FirmwareError) {
        let made = try body(&repository, try KeyFolder(path: keys).keys())
        try FirmwareFolder(path: self.repository).write(made)
      } catch { throw ValidationError("\(error)") }
      let versions = FirmwareRole.allCases.map { "\($0.rawValue) \(repository.versions[$0] ?? 0)" }
      Terminal.print(versions.joined(separator: ", "))
    }
  }

  struct Init: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Makes keys and an empty repository.")

    @OptionGroup var places: Places

    @Option(help: "How many keys the root has.")
    var rootKeys: Int = 3

    @Option(help: "How many of them it takes to change whose keys count.")
    var rootThreshold: Int = 2

    func run() async throws {
      guard (1...16).contains(rootKeys), (1...rootKeys).contains(rootThreshold) else {
        throw ValidationError("--root-keys must be from 1 to 16, --root-threshold from 1 to those.")
      }
      let folder = FirmwareFolder(path: places.repository)
      guard !folder.exists else { throw ValidationError("There is a repository in \(places.repository) already.") }
      do throws(FirmwareError) {
        let keys = KeyFolder(path: places.keys)
        let roots = try (0..<rootKeys).map { _ throws(FirmwareError) in try keys.make(.root) }
        var others: [FirmwareRole: FirmwareKey] = [:]
        for role in FirmwareRole.allCases where role != .root { others[role] = try keys.make(role) }
        let (_, made) = try FirmwareRepository.make(
          roots: roots, threshold: rootThreshold, others: others, settings: places.settings, at: Date())
        try folder.write(made)
      } catch { throw ValidationError("\(error)") }
      Terminal.print("devices are to begin with \(places.repository)/metadata/1.root.json")
    }
  }

  struct Add: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Publishes a file, in place of one of the same path.")

    @OptionGroup var places: Places

    @Argument(help: "The file.")
    var file: String

    @Option(name: .customLong("as"), help: "Its path in the repository, such as noise/v2.bin; its name without it.")
    var path: String?

    @Option(help: "NAME=VALUE that devices are told beside it, such as hardware=n17; may be given several times.")
    var custom: [String] = []

    func run() async throws {
      guard let data = FileManager.default.contents(atPath: file) else {
        throw ValidationError("The file \(file) cannot be read.")
      }
      var told: [String: String] = [:]
      for one in custom {
        let parts = one.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { throw ValidationError("--custom must be NAME=VALUE, found \(one)") }
        told[parts[0]] = parts[1]
      }
      try places.change { repository, keys throws(FirmwareError) in
        let added = try FirmwareFile(
          path: path ?? (file as NSString).lastPathComponent, content: Array(data), custom: told)
        return [(added.location, Array(data))] + (try repository.publish([added], by: keys, at: Date()))
      }
    }
  }

  struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Publishes a file no more; what is there of it stays.")

    @OptionGroup var places: Places

    @Argument(help: "Its path in the repository.")
    var path: [String]

    func run() async throws {
      try places.change { repository, keys throws(FirmwareError) in
        try repository.publish([], removing: Set(path), by: keys, at: Date())
      }
    }
  }

  struct Publish: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Signs everything anew before it runs out.")

    @OptionGroup var places: Places

    func run() async throws {
      try places.change { repository, keys throws(FirmwareError) in try repository.publish([], by: keys, at: Date()) }
    }
  }

  struct Rotate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Puts a new key in the place of a role's, for the case that the old one got lost or is known to others."
    )

    @OptionGroup var places: Places

    @Argument(help: "root, targets, snapshot or timestamp.")
    var role: FirmwareRole

    @Option(help: "Beginning of the id of the key that goes, where the role has several.")
    var replacing: String?

    func run() async throws {
      try places.change { repository, keys throws(FirmwareError) in
        let new = try KeyFolder(path: places.keys).make(role)
        return try repository.rotate(role, replacing: replacing, with: new, by: keys + [new], at: Date())
      }
    }
  }
}

extension FirmwareRole: ExpressibleByArgument {}
