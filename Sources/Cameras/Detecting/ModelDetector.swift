import Vision

/// A detector out of an ONNX file that a city brings along. It sees the whole picture, fitted into the size that the
/// file names; ``ModelHead`` lists the forms of answers that are understood.
public final class ModelDetector: PersonDetector {
  public static let leastScore = 0.1
  public static let sameOverlap = 0.5
  /// Where the file names no size.
  static let usualSize = PictureSize(width: 416, height: 416)

  private let network: Network
  private let size: PictureSize
  private let head: ModelHead

  /// Runs the network once, on grey, to learn how it answers.
  /// - Throws: ``DetectorError``
  public init(path: String) throws(DetectorError) {
    let bytes = try Network.bytes(of: path)
    network = try Network(bytes, format: .onnx)
    size = ONNXInput.size(bytes) ?? Self.usualSize
    guard let grey = Picture(size: size, pixels: Array(repeating: 127, count: 3 * size.width * size.height)) else {
      throw .network("it takes pictures of \(size)")
    }
    let tensors = try network.run(grey, mean: 0, scale: 1, isRedFirst: false)
    head = try ModelHead(shapes: tensors.map(\.shape), picture: size)
  }

  public func detections(
    in picture: Picture, regions: [RegionPlan.Region]
  ) throws(DetectorError) -> [Detection] {
    let scale = min(
      Double(size.width) / Double(picture.size.width), Double(size.height) / Double(picture.size.height))
    let whole = RegionPlan.Placement(
      from: Box(x: 0, y: 0, width: Double(picture.size.width), height: Double(picture.size.height)),
      to: Box(
        x: 0, y: 0, width: max(1, (Double(picture.size.width) * scale).rounded(.down)),
        height: max(1, (Double(picture.size.height) * scale).rounded(.down))))
    guard let drawn = picture.drawn([whole], on: size) else { throw .output("a picture of \(picture.size)") }
    let input = head.input
    let tensors = try network.run(drawn, mean: input.mean, scale: input.scale, isRedFirst: input.isRedFirst)
    guard try ModelHead(shapes: tensors.map(\.shape), picture: size) == head else {
      throw .output("it answers otherwise than before")
    }
    let found = head.detections(tensors, picture: size, above: Self.leastScore)
    return found.compactMap { detection in
      let box = whole.inPicture(detection.box).clipped(to: picture.size)
      return box.isEmpty ? nil : Detection(box: box, score: detection.score)
    }.distinct(overlap: Self.sameOverlap)
  }
}
