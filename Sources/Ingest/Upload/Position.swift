import Crypto
import Foundation

/// How far a series has come, kept in a file so that a run that was cut off goes on exactly where it stopped.
///
/// Rows up to `settled` are stored or refused for good. Rows after it up to `horizon` may have been sent; the hub is
/// let come to rest and asked which it has before they are sent again. The file is written to disk before anything beyond its horizon is
/// sent, and goes away when the series is through.
struct Position: Codable, Sendable, Equatable {
  struct File: Codable, Sendable, Equatable {
    var name: String
    var bytes: Int
    /// SHA-256 of the first 64 KiB.
    var head: String
  }

  var version = 1
  var files: [File]
  var mapping: String
  var hub: String
  var settled = 0
  var horizon = 0
  /// Seconds of the slowest request so far.
  var slowest: Double?

  static func describe(_ paths: [String]) throws(IngestError) -> [File] {
    var files: [File] = []
    for path in paths {
      let attributes = try? FileManager.default.attributesOfItem(atPath: path)
      guard let handle = FileHandle(forReadingAtPath: path), let size = (attributes?[.size] as? NSNumber)?.intValue
      else { throw IngestError("\(path): no such file, or it may not be read") }
      defer { try? handle.close() }
      let head = (try? handle.read(upToCount: 64 * 1024)) ?? nil
      let hash = SHA256.hash(data: head ?? Data()).map { String(UInt16($0) + 256, radix: 16).dropFirst() }.joined()
      files.append(File(name: URL(fileURLWithPath: path).lastPathComponent, bytes: size, head: hash))
    }
    return files
  }

  /// The position kept at a path; `nil` when there is none.
  /// - Throws: when the file there is no position.
  static func read(_ path: String) throws(IngestError) -> Position? {
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    do { return try JSONDecoder().decode(Position.self, from: data) } catch {
      throw IngestError("\(path): is no position file of a replay; name another with --state, or remove it")
    }
  }

  /// Writes it so that after a crash the old or the new position is there whole.
  func write(_ path: String) throws(IngestError) {
    let temporary = path + ".new"
    do {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys]
      let data = try encoder.encode(self)
      guard FileManager.default.createFile(atPath: temporary, contents: data),
        let handle = FileHandle(forUpdatingAtPath: temporary)
      else { throw IngestError("\(path): the position cannot be written here; name another place with --state") }
      try handle.synchronize()
      try handle.close()
      guard rename(temporary, path) == 0 else { throw IngestError("\(path): the position cannot be put in place") }
    } catch let error as IngestError {
      throw error
    } catch {
      throw IngestError("\(path): the position cannot be written: \(error)")
    }
  }

  static func remove(_ path: String) { try? FileManager.default.removeItem(atPath: path) }
}
