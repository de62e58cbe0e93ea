import COpenCV
import Foundation
import Vision

/// A network that OpenCV runs. Not for several threads at once.
final class Network {
  enum Format {
    case onnx
    case tensorFlow
  }

  static let maxBytes = 512 << 20

  private let network: OpaquePointer

  init(_ bytes: [UInt8], format: Format) throws(DetectorError) {
    var message = [CChar](repeating: 0, count: 512)
    let made = madang_network_read(
      bytes, bytes.count, format == .onnx ? MadangNetworkONNX : MadangNetworkTensorFlow, &message, message.count)
    guard let made else { throw .network(Self.text(message)) }
    network = made
  }

  deinit { madang_network_free(network) }

  /// The bytes of a network's file.
  static func bytes(of path: String) throws(DetectorError) -> [UInt8] {
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    guard let size = attributes?[.size] as? Int, attributes?[.type] as? FileAttributeType == .typeRegular else {
      throw .file("\(path) is no readable file")
    }
    guard (1...maxBytes).contains(size) else {
      throw .file("\(path) has \(size) bytes; a network has 1 to \(maxBytes)")
    }
    guard let data = FileManager.default.contents(atPath: path) else { throw .file("\(path) cannot be read") }
    return Array(data)
  }

  /// - Parameters:
  ///   - mean, scale: each value goes in as `(value - mean) * scale`.
  ///   - outputs: names; all that end the network where none is named.
  func run(
    _ picture: Picture, mean: Float, scale: Float, isRedFirst: Bool, outputs: [String] = []
  ) throws(DetectorError) -> [Tensor] {
    var tensors = [MadangTensor](repeating: MadangTensor(), count: 16)
    var message = [CChar](repeating: 0, count: 512)
    let names = outputs.map { strdup($0) }
    defer { for name in names { free(name) } }
    var list: [UnsafePointer<CChar>?] = names.map { UnsafePointer($0) } + [nil]
    let count = picture.pixels.withUnsafeBufferPointer { pixels in
      list.withUnsafeMutableBufferPointer { list in
        madang_network_run(
          network,
          MadangPicture(
            pixels: pixels.baseAddress, width: Int32(picture.size.width), height: Int32(picture.size.height)), mean,
          scale, isRedFirst ? 1 : 0, outputs.isEmpty ? nil : list.baseAddress, &tensors, Int32(tensors.count),
          &message, message.count)
      }
    }
    guard count >= 0 else { throw .network(Self.text(message)) }
    var made: [Tensor] = []
    for tensor in tensors.prefix(Int(count)) {
      let sizes = [
        tensor.size.0, tensor.size.1, tensor.size.2, tensor.size.3, tensor.size.4, tensor.size.5,
      ]
      let values = Array(UnsafeBufferPointer(start: tensor.values, count: tensor.count))
      guard let one = Tensor(shape: sizes.prefix(Int(tensor.dimensions)).map(Int.init), values: values) else {
        throw .output("a tensor that is not as large as it says")
      }
      made.append(one)
    }
    return made
  }

  /// OpenCV's messages run over lines and name its own source files.
  private static func text(_ message: [CChar]) -> String {
    let bytes = message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    let words = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace).joined(separator: " ")
    return words.isEmpty ? "it cannot be read" : String(words.prefix(300))
  }
}

extension Picture {
  /// Parts of it on a canvas that is grey elsewhere.
  func drawn(_ placements: [RegionPlan.Placement], on size: PictureSize) -> Picture? {
    let parts = placements.map { MadangPlacement(from: MadangBox($0.from), to: MadangBox($0.to)) }
    var failed = false
    let canvas = [UInt8](unsafeUninitializedCapacity: 3 * size.width * size.height) { canvas, count in
      failed =
        pixels.withUnsafeBufferPointer {
          madang_canvas_draw(
            MadangPicture(pixels: $0.baseAddress, width: Int32(self.size.width), height: Int32(self.size.height)),
            parts,
            parts.count, canvas.baseAddress, Int32(size.width), Int32(size.height))
        } != 0
      if failed { canvas.initialize(repeating: 0) }
      count = canvas.count
    }
    return failed ? nil : Picture(size: size, pixels: canvas)
  }
}

extension Picture {
  /// The same detections, with what they look like.
  func withAppearances(_ detections: [Detection]) -> [Detection] {
    let boxes = detections.map { MadangBox($0.box) }
    var shares = [Float](repeating: 0, count: Appearance.count * boxes.count)
    let result = pixels.withUnsafeBufferPointer {
      madang_picture_colours(
        MadangPicture(pixels: $0.baseAddress, width: Int32(size.width), height: Int32(size.height)), boxes, boxes.count,
        &shares)
    }
    guard result == 0 else { return detections }
    return detections.enumerated().map { index, detection in
      var detection = detection
      detection.appearance = Appearance(
        shares: Array(shares[(index * Appearance.count)..<((index + 1) * Appearance.count)]))
      return detection
    }
  }
}

extension MadangBox {
  init(_ box: Box) {
    func whole(_ value: Double) -> Int32 {
      value.isFinite ? Int32(min(max(value.rounded(), -1_000_000), 1_000_000)) : 0
    }
    self.init(x: whole(box.x), y: whole(box.y), width: whole(box.width), height: whole(box.height))
  }

  var box: Box { Box(x: Double(x), y: Double(y), width: Double(width), height: Double(height)) }
}
