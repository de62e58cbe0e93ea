import Foundation

/// The forms in which detectors that a city brings along answer.
///
/// - YOLOX: one tensor `[1, cells, 5 + classes]`, a row for each cell of strides 8, 16 and 32: centre and logarithm of the
///   size in cells, objectness, classes (the first is "person", as in COCO); the picture goes in as BGR of 0 to 255.
/// - SSD, one tensor `[1, 1, found, 7]`: picture, class, score, left, top, right, bottom as parts of the picture; class 1 is
///   "person".
/// - SSD, two tensors `[1, anchors, 4]` and `[1, anchors, classes]`: left, top, right, bottom as parts of the picture, and
///   a probability for each class, of which the second is "person" (the first is background).
public enum ModelHead: Sendable, Hashable {
  case yolox
  case ssdRows
  case ssdPair

  /// The form that tensors of these shapes have, for a picture of this size.
  /// - Throws: ``DetectorError/output(_:)``
  public init(shapes: [[Int]], picture: PictureSize) throws(DetectorError) {
    if shapes.count == 1, shapes[0].count == 3, shapes[0][0] == 1, shapes[0][2] > 5,
      shapes[0][1] == Self.cells(picture)
    {
      self = .yolox
    } else if shapes.count == 1, shapes[0].count == 4, shapes[0][..<2] == [1, 1], shapes[0][3] == 7 {
      self = .ssdRows
    } else if shapes.count == 2, shapes.allSatisfy({ $0.count == 3 && $0[0] == 1 }), shapes[0][1] == shapes[1][1],
      (shapes[0][2] == 4) != (shapes[1][2] == 4) || shapes[0][2] == 4
    {
      self = .ssdPair
    } else {
      let known = "YOLOX [1, \(Self.cells(picture)), 5 + classes], SSD [1, 1, N, 7] or [1, N, 4] with [1, N, classes]"
      throw .output("tensors of shape \(shapes.map(\.description).joined(separator: ", ")); known are \(known)")
    }
  }

  private static let strides = [8, 16, 32]

  private static func cells(_ size: PictureSize) -> Int {
    strides.reduce(0) { $0 + (size.width / $1) * (size.height / $1) }
  }

  /// How pictures go in: `(value - mean) * scale`, and whether red comes first.
  public var input: (mean: Float, scale: Float, isRedFirst: Bool) {
    self == .yolox ? (0, 1, false) : (127, 1.0 / 128, true)
  }

  /// People in a picture, with doubles.
  public func detections(_ tensors: [Tensor], picture: PictureSize, above threshold: Double) -> [Detection] {
    switch self {
    case .yolox: yolox(tensors[0], picture, threshold)
    case .ssdRows: rows(tensors[0], picture, threshold)
    case .ssdPair:
      tensors[0].shape[2] == 4
        ? pair(tensors[0], tensors[1], picture, threshold) : pair(tensors[1], tensors[0], picture, threshold)
    }
  }

  private func yolox(_ tensor: Tensor, _ picture: PictureSize, _ threshold: Double) -> [Detection] {
    var found: [Detection] = []
    var row = 0
    let width = tensor.shape[2]
    for stride in Self.strides {
      let columns = picture.width / stride
      for cell in 0..<(columns * (picture.height / stride)) {
        let first = (row + cell) * width
        let score = Double(tensor.values[first + 4]) * Double(tensor.values[first + 5])
        guard score > threshold else { continue }
        func value(_ part: Int) -> Double { Double(tensor.values[first + part]) }
        let x = (value(0) + Double(cell % columns)) * Double(stride)
        let y = (value(1) + Double(cell / columns)) * Double(stride)
        let size = (width: exp(min(value(2), 8)) * Double(stride), height: exp(min(value(3), 8)) * Double(stride))
        guard x.isFinite, y.isFinite, size.width.isFinite, size.height.isFinite else { continue }
        found.append(
          Detection(
            box: Box(x: x - size.width / 2, y: y - size.height / 2, width: size.width, height: size.height),
            score: min(score, 1)))
      }
      row += columns * (picture.height / stride)
    }
    return found
  }

  private func rows(_ tensor: Tensor, _ picture: PictureSize, _ threshold: Double) -> [Detection] {
    (0..<tensor.shape[2]).compactMap { row in
      let values = tensor.values[(row * 7)..<(row * 7 + 7)].map(Double.init)
      guard values[1] == 1, values[2] > threshold else { return nil }
      return detection(values[3...], score: values[2], picture)
    }
  }

  private func pair(
    _ boxes: Tensor, _ scores: Tensor, _ picture: PictureSize, _ threshold: Double
  ) -> [Detection] {
    let classes = scores.shape[2]
    guard classes > 1 else { return [] }
    return (0..<boxes.shape[1]).compactMap { row in
      let score = Double(scores.values[row * classes + 1])
      guard score > threshold else { return nil }
      return detection(boxes.values[(row * 4)..<(row * 4 + 4)].map(Double.init)[...], score: score, picture)
    }
  }

  private func detection(_ edges: ArraySlice<Double>, score: Double, _ picture: PictureSize) -> Detection? {
    let edge = Array(edges)
    guard edge.allSatisfy({ $0.isFinite && abs($0) < 16 }), edge[2] > edge[0], edge[3] > edge[1] else { return nil }
    let (width, height) = (Double(picture.width), Double(picture.height))
    return Detection(
      box: Box(
        x: edge[0] * width, y: edge[1] * height, width: (edge[2] - edge[0]) * width,
        height: (edge[3] - edge[1]) * height), score: min(score, 1))
  }
}
