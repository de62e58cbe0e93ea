import Foundation
import Hummingbird

/// Serves a firmware repository to devices below `/firmware/`: `metadata/…` and `targets/…`, nothing else of the folder,
/// to anybody, for reading. What is served is signed; who serves it can change nothing.
struct FirmwareShelf {
  private let folder: String
  private let files = FileIO()

  /// - Throws: ``Failure`` when there is no repository.
  init(_ folder: String) throws {
    guard let real = Self.real(folder), FileManager.default.fileExists(atPath: real + "/metadata/1.root.json") else {
      throw Failure("There is no firmware repository in \(folder); madang firmware init makes one.")
    }
    self.folder = real
  }

  func addRoutes(to router: Router<CityContext>) {
    router.get("firmware/**") { request, context in
      let path = request.uri.path.dropFirst("/firmware/".count)
      guard let file = found(String(path)) else { throw HTTPError(.notFound) }
      let isMetadata = path.hasPrefix("metadata/")
      let body = try await files.loadFile(path: file, context: context)
      return Response(
        status: .ok,
        headers: [
          .contentType: isMetadata ? "application/json" : "application/octet-stream", .cacheControl: "no-cache",
          .xContentTypeOptions: "nosniff",
        ], body: body)
    }
  }

  /// The file at a path; `nil` for what is no plain file below the two folders, or leads out of them.
  func found(_ path: String) -> String? {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    guard path.utf8.count <= 1024, parts.count >= 2, ["metadata", "targets"].contains(parts[0]),
      parts.allSatisfy({ part in
        // As the repository's own paths are: nothing hidden, nothing encoded.
        part.utf8.first.map { $0 != 0x2E } ?? false
          && part.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
              || [0x2D, 0x2E, 0x5F].contains(byte)
          }
      }), let real = Self.real(folder + "/" + path), real.hasPrefix("\(folder)/\(parts[0])/")
    else { return nil }
    var status = stat()
    guard stat(real, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    return real
  }

  /// Where a path leads, without links.
  private static func real(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
