public import City
import Foundation

extension Manifest.Adapter.Secret {
  /// Most bytes of a secret.
  private static let longest = 16 << 10

  /// Reads it anew, so that one that was changed is taken without a new start.
  ///
  /// - Parameters:
  ///   - resolve: makes a path of one relative to the manifest.
  ///   - hasLines: whether it may have several lines, as a key in PEM has.
  /// - Throws: ``IngestError`` that names the place, never the secret.
  public func value(hasLines: Bool = false, _ resolve: (String) -> String) throws(IngestError) -> String {
    let text: String
    if let name = env {
      guard let found = ProcessInfo.processInfo.environment[name], !found.isEmpty else {
        throw IngestError("the environment variable \(name) is not set")
      }
      text = found
    } else {
      let path = resolve(file ?? "")
      guard let handle = FileHandle(forReadingAtPath: path),
        let data = try? handle.read(upToCount: Self.longest + 1), data.count <= Self.longest,
        let found = String(validating: data, as: UTF8.self)
      else { throw IngestError("the secret in \(path) cannot be read") }
      text =
        found.hasSuffix("\r\n") ? String(found.dropLast()) : found.hasSuffix("\n") ? String(found.dropLast()) : found
      guard !text.isEmpty else { throw IngestError("the file \(path), which is to hold a secret, is empty") }
    }
    let isFit = text.unicodeScalars.allSatisfy {
      $0.value >= 0x20 && $0.value != 0x7F || hasLines && ($0 == "\n" || $0 == "\r")
    }
    guard isFit else {
      throw IngestError("the secret \(env.map { "in " + $0 } ?? "in " + (file ?? "")) has a control character")
    }
    return text
  }
}
