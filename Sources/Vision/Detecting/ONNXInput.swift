/// The size of picture that a network in an ONNX file takes, read from the file's first input that is no weight.
///
/// Source: onnx.proto of ONNX 1.x (`ModelProto.graph` is field 7; `GraphProto.initializer` 5, `input` 11).
public enum ONNXInput {
  /// The size; `nil` for a file that says none, or that is no ONNX.
  public static func size(_ bytes: [UInt8]) -> PictureSize? {
    guard let graph = ProtobufFields(bytes[...]).first(7) else { return nil }
    var weights: Set<[UInt8]> = []
    var inputs: [(name: [UInt8], dimensions: [UInt64])] = []
    var fields = ProtobufFields(graph)
    while let field = fields.next() {
      guard case .bytes(let content) = field.value else { continue }
      switch field.number {
      case 5: if let name = ProtobufFields(content).first(8) { weights.insert(Array(name)) }
      case 11: inputs.append((Array(ProtobufFields(content).first(1) ?? []), dimensions(content)))
      default: break
      }
    }
    guard let input = inputs.first(where: { !weights.contains($0.name) }), input.dimensions.count == 4,
      (16...4096).contains(input.dimensions[2]), (16...4096).contains(input.dimensions[3])
    else { return nil }
    return PictureSize(width: Int(input.dimensions[3]), height: Int(input.dimensions[2]))
  }

  /// `ValueInfoProto.type` 2, `TypeProto.tensor_type` 1, its `shape` 2, `dim` 1, `dim_value` 1; 0 where it is free.
  private static func dimensions(_ info: ArraySlice<UInt8>) -> [UInt64] {
    guard let type = ProtobufFields(info).first(2), let tensor = ProtobufFields(type).first(1),
      let shape = ProtobufFields(tensor).first(2)
    else { return [] }
    var found: [UInt64] = []
    var fields = ProtobufFields(shape)
    while let field = fields.next() {
      guard field.number == 1, case .bytes(let dimension) = field.value else { continue }
      var parts = ProtobufFields(dimension)
      var size: UInt64 = 0
      while let part = parts.next() {
        if part.number == 1, case .number(let value) = part.value { size = value }
      }
      found.append(size)
    }
    return found
  }
}

/// The fields of a protobuf message, one after the other; ends at the first that cannot be read.
struct ProtobufFields {
  enum Value {
    case number(UInt64)
    case bytes(ArraySlice<UInt8>)
  }

  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  mutating func next() -> (number: UInt64, value: Value)? {
    guard let key = varint() else { return nil }
    switch key & 7 {
    case 0:
      guard let value = varint() else { return nil }
      return (key >> 3, .number(value))
    case 1: return skip(8).map { (key >> 3, .bytes($0)) }
    case 2:
      guard let count = varint(), let content = Int(exactly: count).flatMap({ skip($0) }) else { return nil }
      return (key >> 3, .bytes(content))
    case 5: return skip(4).map { (key >> 3, .bytes($0)) }
    default: return nil
    }
  }

  /// The first field of a number that has bytes.
  func first(_ number: UInt64) -> ArraySlice<UInt8>? {
    var fields = self
    while let field = fields.next() {
      if field.number == number, case .bytes(let content) = field.value { return content }
    }
    return nil
  }

  private mutating func skip(_ count: Int) -> ArraySlice<UInt8>? {
    guard count >= 0, count <= rest.count else { return nil }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  private mutating func varint() -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: 0, to: 64, by: 7) {
      guard let byte = rest.popFirst() else { return nil }
      value |= UInt64(byte & 127) << UInt64(shift)
      if byte < 128 { return value }
    }
    return nil
  }
}
