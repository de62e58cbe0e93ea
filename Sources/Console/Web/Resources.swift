import Foundation
import NGSI

/// The console's own files: templates, style sheet, modules, strings and tables.
///
/// Everything is read once at start, so that a running console needs no disk and answers with a version in the
/// address that never changes its content.
struct Resources: Sendable {
  /// Path below the resources folder to content, such as `js/city.js`.
  let files: [String: [UInt8]]
  /// Changes with any byte of any file; part of every address under `/static`.
  let version: String

  /// - Parameter folder: where the files are; `nil` takes the resource bundle that SwiftPM puts beside the binary.
  init(folder: String?) throws(ConsoleError) {
    let root = folder ?? Bundle.module.bundleURL.appendingPathComponent("Resources").path
    guard let walker = FileManager.default.enumerator(atPath: root) else {
      throw .resource("no folder at \(root)")
    }
    var files: [String: [UInt8]] = [:]
    for case let path as String in walker where path.contains(".") {
      guard let content = FileManager.default.contents(atPath: root + "/" + path) else { continue }
      files[path] = Array(content)
    }
    guard !files.isEmpty else { throw .resource("no files in \(root)") }
    self.files = files
    var hash = Fingerprint()
    for path in files.keys.sorted() {
      hash.add(path.utf8)
      hash.add(files[path] ?? [])
    }
    version = hash.text
  }

  func text(_ path: String) throws(ConsoleError) -> String {
    guard let bytes = files[path] else { throw .resource("\(path) is missing") }
    return String(decoding: bytes, as: UTF8.self)
  }

  func json(_ path: String) throws(ConsoleError) -> JSON {
    guard let bytes = files[path] else { throw .resource("\(path) is missing") }
    do { return try bytes.withUnsafeBufferPointer { try JSONParser.parse($0) } } catch {
      throw .resource("\(path) is no JSON: \(error)")
    }
  }
}

/// FNV-1a, 64 bits (draft-eastlake-fnv): tells versions of our own files apart, guards nothing.
struct Fingerprint {
  private var value: UInt64 = 0xcbf2_9ce4_8422_2325

  mutating func add(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
  }

  var text: String { String(value, radix: 36) }
}
