import CDiskRecorder
import Foundation

/// One thing that was done to the disk, or a mark.
enum Operation {
  case create(file: Int, name: String)
  case unlink(file: Int, name: String)
  /// What had the name before is gone; both at once.
  case rename(file: Int, name: String)
  case write(file: Int, offset: Int, bytes: Range<Int>)
  case truncate(file: Int, size: Int)
  case syncBegin(file: Int, number: Int)
  case syncEnd(file: Int, number: Int)
  case begun(task: Int, count: Int)
  case acknowledged(task: Int, count: Int)
  /// Where the entries of the step under way came to stand.
  case placed(task: Int, position: UInt64)
  /// A witness is shown the checkpoint with this number.
  case shown(Int)
}

/// A record as `disk_recorder_start` wrote it.
struct Record {
  private(set) var operations: [Operation] = []
  /// What ``Operation/write(file:offset:bytes:)`` points into.
  let bytes: Data

  /// - Throws: ``Complaint`` when it is no record, or not whole.
  init(path: String) throws {
    bytes = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
    var position = 0
    while position < bytes.count {
      guard bytes.count - position >= 24 else { throw Complaint("the record ends in the middle") }
      let (kind, file) = (Int(number(position, UInt32.self)), Int(number(position + 4, UInt32.self)))
      let (a, b) = (Int(number(position + 8, UInt64.self)), Int(number(position + 16, UInt64.self)))
      position += 24
      let hasBytes = [DISK_WRITE, DISK_CREATE, DISK_UNLINK, DISK_RENAME].contains { Int($0.rawValue) == kind }
      let payload = position..<position + (hasBytes ? b : 0)
      guard payload.upperBound <= bytes.count else { throw Complaint("the record ends in the middle") }
      position = payload.upperBound
      operations.append(try operation(kind, file, a, b, payload))
    }
  }

  private func operation(_ kind: Int, _ file: Int, _ a: Int, _ b: Int, _ payload: Range<Int>) throws -> Operation {
    switch UInt32(kind) {
    case DISK_CREATE.rawValue: .create(file: file, name: String(decoding: bytes[payload], as: UTF8.self))
    case DISK_UNLINK.rawValue: .unlink(file: file, name: String(decoding: bytes[payload], as: UTF8.self))
    case DISK_RENAME.rawValue: .rename(file: file, name: String(decoding: bytes[payload], as: UTF8.self))
    case DISK_WRITE.rawValue: .write(file: file, offset: a, bytes: payload)
    case DISK_TRUNCATE.rawValue: .truncate(file: file, size: a)
    case DISK_SYNC_BEGIN.rawValue: .syncBegin(file: file, number: a)
    case DISK_SYNC_END.rawValue: .syncEnd(file: file, number: a)
    case DISK_MARK.rawValue where file == Int(Recording.Mark.begun): .begun(task: a, count: b)
    case DISK_MARK.rawValue where file == Int(Recording.Mark.acknowledged): .acknowledged(task: a, count: b)
    case DISK_MARK.rawValue where file == Int(Recording.Mark.placed): .placed(task: a, position: UInt64(b))
    case DISK_MARK.rawValue where file == Int(Recording.Mark.shown): .shown(a)
    default: throw Complaint("a record of kind \(kind), which is not known")
    }
  }

  private func number<Number: FixedWidthInteger>(_ position: Int, _: Number.Type) -> Number {
    bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: position, as: Number.self) }
  }
}
