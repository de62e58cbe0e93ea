import Foundation

/// The network that `make setup` takes out of its wheel.
public enum PersonModel {
  public static let name = "person.pb"

  /// `MADANG_MODELS`, or `.models` in the current folder or above the program; `nil` when it is in none.
  public static var path: String? {
    if let named = ProcessInfo.processInfo.environment["MADANG_MODELS"], !named.isEmpty {
      let path = URL(filePath: named).appending(path: name).path
      return FileManager.default.fileExists(atPath: path) ? path : nil
    }
    var candidates = [URL(filePath: FileManager.default.currentDirectoryPath)]
    var above = URL(filePath: CommandLine.arguments.first ?? "").resolvingSymlinksInPath().deletingLastPathComponent()
    for _ in 0..<6 {
      candidates.append(above)
      above = above.deletingLastPathComponent()
    }
    return candidates.map { $0.appending(path: ".models").appending(path: name).path }
      .first { FileManager.default.fileExists(atPath: $0) }
  }
}
