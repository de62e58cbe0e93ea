import ArgumentParser
import City
import Foundation

struct LockCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lock", abstract: "Checks a manifest and pins it: its hash, its data models, its context version.",
    discussion: "Writes NAME.city.lock beside the manifest. A locked city boots from no other manifest.")

  @Argument(help: "The city manifest (*.city.yaml).", completion: .file(extensions: ["yaml"]))
  var manifest: String

  @Flag(help: "Check only; write nothing.")
  var check = false

  func run() throws {
    let file = try ManifestFile.read(path: manifest)
    if check {
      try CityLock.verify(file)
    } else {
      try Data(CityLock(file).bytes).write(
        to: URL(fileURLWithPath: CityLock.path(forManifest: manifest)), options: .atomic)
    }
    Terminal.print("\(manifest) \(file.hash)")
  }
}

extension CityLock {
  /// Holds a manifest against the lock beside it, where there is one.
  ///
  /// - Throws: `ValidationError` that says what has changed.
  static func verify(_ file: ManifestFile) throws {
    let path = CityLock.path(forManifest: file.path)
    guard let data = FileManager.default.contents(atPath: path) else { return }
    guard let locked = CityLock(bytes: Array(data)) else {
      throw ValidationError("\(path) is no lock file; make it anew with: madang lock \(file.path)")
    }
    let differences = CityLock(file).differences(from: locked)
    guard differences.isEmpty else {
      throw ValidationError(
        "\(file.path) does not match its lock: \(differences.joined(separator: "; ")). "
          + "Where the change is meant: madang lock \(file.path)")
    }
  }
}
