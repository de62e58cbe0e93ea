import Foundation
import NGSI

/// Refused rows with their reasons, one JSON object a line; the file is made with the first.
struct RefusedLog {
  enum Author: String { case mapping, hub }

  let path: String
  private let names: [String]
  private var handle: FileHandle?
  /// While rows that were settled in an earlier run are read again, the list is made anew beside the old one.
  private var writesBeside: Bool

  /// What the hub refused in the run that was cut off, by sequence.
  private(set) var earlier: [Int: String] = [:]

  init(path: String, names: [String], resumes: Bool) {
    self.path = path
    self.names = names
    writesBeside = resumes
    guard resumes else {
      try? FileManager.default.removeItem(atPath: path)
      return
    }
    for line in FileManager.default.contents(atPath: path)?.split(separator: UInt8(ascii: "\n")) ?? [] {
      guard let entry = try? JSONParser.parse(Array(line)), entry["by"]?.string == Author.hub.rawValue,
        let sequence = entry["sequence"]?.integer
      else { continue }
      earlier[Int(sequence)] = entry["reason"]?.string ?? ""
    }
  }

  mutating func add(_ record: Record, sequence: Int, by author: Author, reason: String) throws(IngestError) {
    let entry: JSON = [
      "file": .string(names.indices.contains(record.file) ? names[record.file] : ""),
      "row": .integer(Int64(record.row)),
      "sequence": .integer(Int64(sequence)), "by": .string(author.rawValue), "reason": .string(reason),
      "record": record.original.json,
    ]
    let target = writesBeside ? path + ".new" : path
    if handle == nil {
      _ = FileManager.default.createFile(atPath: target, contents: nil)
      handle = FileHandle(forWritingAtPath: target)
    }
    guard let handle else { throw IngestError("\(target): the list of refused rows cannot be written here") }
    do { try handle.write(contentsOf: JSONWriter.bytes(entry) + [UInt8(ascii: "\n")]) } catch {
      throw IngestError("\(target): the list of refused rows cannot be written: \(error)")
    }
  }

  /// Returns when what was added is on disk: a position must not be ahead of it.
  func synchronize() throws(IngestError) {
    do { try handle?.synchronize() } catch {
      throw IngestError("\(path): the list of refused rows cannot be written: \(error)")
    }
  }

  /// Puts the new list in the place of the old one.
  mutating func promote() throws(IngestError) {
    guard writesBeside else { return }
    writesBeside = false
    if handle == nil {
      try? FileManager.default.removeItem(atPath: path)
    } else if rename(path + ".new", path) != 0 {
      throw IngestError("\(path): the list of refused rows cannot be put in place")
    }
  }
}
